// SPDX-License-Identifier: Apache-2.0

package artifacts

import (
	"io/fs"
	"testing"

	. "github.com/onsi/gomega"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/e2e/require"
)

func TestTestedArtifactsAreThoseOfBothBuilds(t *testing.T) {
	f := newFixture(t)
	disk, sbom, other := f.taken("disk", "disk"), f.taken("sbom", "sbom"), f.taken("other", "other")
	first, second := f.taken("first.xml", "<first/>"), f.taken("second.xml", "<second/>")
	report := func(content Content) *Document {
		return &Document{v1alpha1.DocumentTestReport, content, "application/vnd.junit+xml"}
	}
	made := raw(disk)
	made.Documents = []Document{{v1alpha1.DocumentSBOM, sbom, "x/sbom"}}
	untested := Artifact{Target: "linux/arm64/raw", Content: other, MediaType: "x/y"}
	require.NoError(t, f.store.Record(debian7, []Artifact{made, untested}))
	tested := func(of *Document) []Tested {
		return []Tested{{Target: made.Target, Digest: disk.Digest, Report: of}, {Target: "linux/amd64/qcow2", Digest: disk.Digest}}
	}

	// Its own tests, twice.
	require.NoError(t, f.store.RecordTested(debian7, tested(report(first))))
	reported := made
	reported.Documents = append(reported.Documents[:1:1], *report(first))
	want := []Entry{{debian7, reported}, {debian7, untested}}
	f.Expect(f.store.Entries()).To(Equal(want))
	written := f.step(0, nil)
	require.NoError(t, f.store.RecordTested(debian7, tested(report(first))))
	require.NoError(t, f.store.RecordTested(debian7, tested(nil)))
	f.Expect(*written).To(BeZero(), "nothing changed")

	// The tests of another build.
	again := Build{UID: "uid-8", Namespace: "team", Name: "debian-8", Image: "debian"}
	require.NoError(t, f.store.RecordTested(again, tested(report(second))))
	retested := made
	retested.Documents = append(retested.Documents[:1:1], *report(second))
	want = append(want, Entry{again, retested})
	f.Expect(f.store.Entries()).To(Equal(want))
	f.reopen()
	f.Expect(f.store.Entries()).To(Equal(want))
	f.Expect(f.store.Complete(f.store.Entries()[2])).To(BeTrue())

	// Only the second build is left.
	removed := require.Value(f.store.Remove(func(e Entry) bool { return e.Build == again }))(t)
	f.Expect(removed.Entries).To(HaveLen(2))
	for content, kept := range map[Content]bool{disk: true, sbom: true, second: true, first: false, other: false} {
		f.Expect(f.store.Has(content.Digest)).To(Equal(kept))
	}

	// What another namespace made is not tested, nor what is lost.
	third, elsewhere := f.taken("third.xml", "<third/>"), Build{UID: "uid-8", Namespace: "other", Name: "debian-8"}
	f.Expect(f.store.RecordTested(elsewhere, tested(report(third)))).To(MatchError(fs.ErrNotExist))
	require.NoError(t, f.store.RecordTested(elsewhere, tested(nil)))
	f.Expect(f.store.RecordTested(again, []Tested{{made.Target, other.Digest, report(third)}})).To(MatchError(ContainSubstring("record the tested artifacts of build team/debian-8: artifact linux/amd64/raw with digest " + other.Digest)))
	f.Expect(f.store.Entries()).To(Equal(want[2:]))
}
