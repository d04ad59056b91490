// SPDX-License-Identifier: Apache-2.0

package artifacts

import (
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"testing"

	. "github.com/onsi/gomega"
	"github.com/opencontainers/go-digest"
	ociv1 "github.com/opencontainers/image-spec/specs-go/v1"
	"golang.org/x/sys/unix"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/e2e/require"
)

var (
	debian7 = Build{UID: "uid-7", Namespace: "team", Name: "debian-7", Image: "debian"}
	debian8 = Build{UID: "uid-8", Namespace: "team", Name: "debian-8"}
)

func raw(content Content) Artifact {
	return Artifact{Target: "linux/amd64/raw", Content: content, MediaType: "application/x-raw-disk-image", Title: "disk.raw"}
}

func readJSON[T any](f *fixture, path string) (value T) {
	f.t.Helper()
	require.NoError(f.t, json.Unmarshal(require.Value(os.ReadFile(path))(f.t), &value))
	return value
}

func TestTheStoreIsAnImageLayout(t *testing.T) {
	f := newFixture(t)
	disk, sbom, provenance := f.taken("disk", "disk"), f.taken("sbom", "{sbom}"), f.taken("provenance", "{provenance}")
	other, lock := f.taken("other", "{other}"), f.taken("lock", "{lock}")
	artifact := raw(disk)
	artifact.Annotations = map[string]string{"org.opencontainers.image.version": "12"}
	artifact.Documents = []Document{
		{v1alpha1.DocumentSBOM, sbom, "application/spdx+json"}, {v1alpha1.DocumentSBOM, other, "application/vnd.cyclonedx+json"},
		{v1alpha1.DocumentProvenance, provenance, "application/vnd.in-toto+json"}, {v1alpha1.DocumentLock, lock, v1alpha1.LockMediaType},
	}
	require.NoError(t, f.store.Record(debian7, []Artifact{artifact}))

	f.Expect(readJSON[map[string]string](f, filepath.Join(f.dir, "oci-layout"))).To(Equal(map[string]string{"imageLayoutVersion": "1.0.0"}))
	index := readJSON[ociv1.Index](f, filepath.Join(f.dir, "index.json"))
	f.Expect(index.SchemaVersion).To(Equal(2))
	f.Expect(index.Manifests).To(HaveLen(5))
	for i, want := range []struct {
		content   Content
		mediaType string
		kind      string
	}{{disk, artifact.MediaType, ""}, {sbom, "application/spdx+json", "sbom"}, {other, "application/vnd.cyclonedx+json", "sbom"}, {provenance, "application/vnd.in-toto+json", "provenance"}, {lock, v1alpha1.LockMediaType, "lock"}} {
		entry := index.Manifests[i]
		annotations := map[string]string{
			"dev.goldsmith.build.uid": "uid-7", "dev.goldsmith.build.namespace": "team", "dev.goldsmith.build.name": "debian-7",
			"dev.goldsmith.image": "debian", "dev.goldsmith.target": "linux/amd64/raw",
		}
		if want.kind == "" {
			annotations["org.opencontainers.image.ref.name"] = "team/debian-7/linux/amd64/raw"
		} else {
			annotations["dev.goldsmith.document"] = want.kind
		}
		f.Expect(entry.Annotations).To(Equal(annotations))
		content := f.read(entry.Digest.String())
		f.Expect(entry).To(And(HaveField("Digest", digest.FromString(content)), HaveField("Size", int64(len(content)))))
		manifest := readJSON[ociv1.Manifest](f, f.store.blob(entry.Digest.String()))
		f.Expect([]string{entry.MediaType, manifest.MediaType}).To(HaveEach("application/vnd.oci.image.manifest.v1+json"))
		f.Expect([]string{entry.ArtifactType, manifest.ArtifactType, manifest.Layers[0].MediaType}).To(HaveEach(want.mediaType))
		f.Expect(manifest.Config).To(Equal(ociv1.DescriptorEmptyJSON))
		f.Expect(f.read(manifest.Config.Digest.String())).To(Equal("{}"))
		f.Expect(Content{manifest.Layers[0].Digest.String(), manifest.Layers[0].Size}).To(Equal(want.content))
		if want.kind == "" {
			f.Expect(manifest.Annotations).To(Equal(artifact.Annotations))
			f.Expect(manifest.Layers[0].Annotations).To(Equal(map[string]string{"org.opencontainers.image.title": "disk.raw"}))
			f.Expect(manifest.Subject).To(BeNil())
		} else {
			f.Expect(manifest.Subject).To(HaveField("Digest", index.Manifests[0].Digest))
		}
	}
	want, usage := []Entry{{debian7, artifact}}, f.store.Usage()
	f.Expect(f.store.Entries()).To(Equal(want))
	f.reopen()
	f.Expect(f.store.Entries()).To(Equal(want))
	f.Expect(f.store.Usage()).To(Equal(usage))
	elsewhere := Artifact{Target: "linux/amd64/oci", MediaType: ociv1.MediaTypeImageManifest, Documents: artifact.Documents[:1]}
	require.NoError(t, f.store.Record(debian8, []Artifact{raw(disk), elsewhere}))
	f.reopen()
	f.Expect(f.store.Entries()).To(Equal(append(want, Entry{debian8, raw(disk)}, Entry{debian8, elsewhere})))
}

func TestABuildReplacesItsArtifactsAndTakesItsName(t *testing.T) {
	f := newFixture(t)
	a, b := f.taken("a", "a"), f.taken("b", "b")
	require.NoError(t, f.store.Record(debian7, []Artifact{raw(a)}))
	require.NoError(t, f.store.Record(debian8, []Artifact{raw(a)}))
	require.NoError(t, f.store.Record(debian7, []Artifact{raw(b)}))
	f.Expect(f.store.Entries()).To(Equal([]Entry{{debian8, raw(a)}, {debian7, raw(b)}}))

	again := Build{UID: "uid-9", Namespace: "team", Name: "debian-8"}
	require.NoError(t, f.store.Record(again, []Artifact{raw(b)}))
	names := map[string]string{}
	for _, entry := range readJSON[ociv1.Index](f, filepath.Join(f.dir, "index.json")).Manifests {
		names[entry.Annotations[annotationUID]] = entry.Annotations[ociv1.AnnotationRefName]
	}
	f.Expect(names).To(Equal(map[string]string{"uid-7": "team/debian-7/linux/amd64/raw", "uid-8": "", "uid-9": "team/debian-8/linux/amd64/raw"}))

	err := f.store.Record(debian8, []Artifact{raw(contentOf("never taken"))})
	f.Expect(err).To(MatchError(ContainSubstring("record the artifacts of build team/debian-8: content sha256:")))
	f.Expect(err).To(MatchError(fs.ErrNotExist))
	f.Expect(f.store.Entries()).To(HaveLen(3))
}

func TestOnlyDigestsAreOpened(t *testing.T) {
	f := newFixture(t)
	disk := f.taken("disk", "disk")
	f.Expect(f.store.Has(disk.Digest)).To(BeTrue())
	for _, digest := range []string{"", "../../index.json", "sha256:../../index.json", contentOf("other").Digest, disk.Digest + "0"} {
		_, err := f.store.OpenBlob(digest)
		f.Expect(err).To(MatchError(fs.ErrNotExist), digest)
		f.Expect(f.store.Has(digest)).To(BeFalse(), digest)
	}
}

// A builder can name any media type, also that of the placeholder for no content.
func TestAMediaTypeDoesNotHideAContent(t *testing.T) {
	f := newFixture(t)
	disk := f.taken("disk", "disk")
	require.NoError(t, f.store.Record(debian7, []Artifact{{Target: "linux/amd64/raw", Content: disk, MediaType: "application/vnd.oci.empty.v1+json"}}))
	f.reopen()
	f.Expect(f.store.Entries()[0].Artifact.Content).To(Equal(disk))
}

func TestRemoveSparesWhatIsNeededAndWhatIsTaken(t *testing.T) {
	f := newFixture(t)
	shared, own, sbom := f.taken("shared", "shared"), f.taken("own", "own"), f.taken("sbom", "sbom")
	withDocument := Artifact{Target: "linux/arm64/raw", Content: own, MediaType: "x/y", Documents: []Document{{v1alpha1.DocumentSBOM, sbom, "x/sbom"}}}
	require.NoError(t, f.store.Record(debian7, []Artifact{raw(shared), withDocument}))
	require.NoError(t, f.store.Record(debian8, []Artifact{raw(shared)}))
	before := f.store.Usage()
	keep8 := func(e Entry) bool { return e.Build == debian8 }

	first := require.Value(f.store.Remove(keep8))(t)
	f.Expect(first.Entries).To(Equal([]Entry{{debian7, raw(shared)}, {debian7, withDocument}}))
	for _, content := range []Content{shared, own, sbom} {
		f.Expect(f.store.Has(content.Digest)).To(BeTrue(), "it is not released")
	}
	f.store.Release(shared, own, sbom)
	orphan := f.taken("orphan", "orphan")
	f.taken("twice", "orphan")
	f.store.Release(orphan) // once of twice
	removed := require.Value(f.store.Remove(keep8))(t)
	f.Expect(removed.Entries).To(BeEmpty())
	f.Expect(removed.Bytes).To(BeNumerically(">", 0))
	for content, want := range map[Content]bool{shared: true, own: false, sbom: false, orphan: true} {
		f.Expect(f.store.Has(content.Digest)).To(Equal(want))
	}
	f.reopen()
	f.Expect(f.store.Entries()).To(Equal([]Entry{{debian8, raw(shared)}}))
	all := require.Value(f.store.Remove(func(Entry) bool { return false }))(t) // a crash has released what was taken
	f.Expect(f.store.Usage()).To(BeZero())
	f.Expect(require.Value(os.ReadDir(f.store.blobs()))(t)).To(BeEmpty())
	f.Expect(first.Bytes + removed.Bytes + all.Bytes).To(BeNumerically(">=", before))
}

// step counts the calls that change the store's directory, and calls at before the one of a number.
func (f *fixture) step(number int, at func() error) (calls *int) {
	calls = new(int)
	rename := f.store.rename
	next := func() error {
		*calls++
		if *calls == number {
			return at()
		}
		return nil
	}
	f.store.rename = func(from, to string) error {
		if err := next(); err != nil {
			return &os.LinkError{Op: "rename", Old: from, New: to, Err: err}
		}
		return rename(from, to)
	}
	f.store.sync = func(*os.File) error { return next() }
	return calls
}

// twoBuilds records a build, and then tries another, which calls steps.
func (f *fixture) twoBuilds(prepare func()) (err error) {
	f.t.Helper()
	require.NoError(f.t, f.store.Record(debian7, []Artifact{raw(f.taken("first", "first"))}))
	prepare()
	f.write("second", "second")
	f.write("sbom", "sbom")
	second, err := f.take(f.t.Context(), "second")
	if err != nil {
		return err
	}
	sbom, err := f.take(f.t.Context(), "sbom")
	if err != nil {
		return err
	}
	artifact := raw(second)
	artifact.Documents = []Document{{v1alpha1.DocumentSBOM, sbom, "x/sbom"}}
	return f.store.Record(debian8, []Artifact{artifact})
}

func (f *fixture) expectWhole(builds ...Build) {
	f.t.Helper()
	var recorded []Build
	for _, r := range f.store.records {
		recorded = append(recorded, r.Build)
		for _, needed := range r.digests() {
			f.Expect(digest.FromString(f.read(needed)).String()).To(Equal(needed))
		}
		f.Expect(r.Build == debian7 || len(r.Artifact.Documents) == 1).To(BeTrue())
	}
	f.Expect(recorded).To(Equal(builds))
	f.Expect(f.ingested()).To(BeEmpty())
}

// steps is how many calls the second of twoBuilds makes that change the store's directory.
const steps = 14

func TestACrashLosesAtMostTheUnrecordedBuild(t *testing.T) {
	for number := 1; number <= steps+1; number++ {
		t.Run(strconv.Itoa(number), func(t *testing.T) {
			f := newFixture(t)
			crashed := filepath.Join(t.TempDir(), "crashed")
			var calls *int
			require.NoError(t, f.twoBuilds(func() {
				calls = f.step(number, func() error { return os.CopyFS(crashed, os.DirFS(f.dir)) })
			}))
			f.Expect(*calls).To(Equal(steps))
			if number > steps {
				f.expectWhole(debian7, debian8)
				return
			}
			f.dir = crashed
			f.reopen()
			if number == steps {
				f.expectWhole(debian7, debian8) // all but the last flush
			} else {
				f.expectWhole(debian7)
			}
			require.NoError(t, f.twoBuilds(func() {}))
			f.expectWhole(debian7, debian8)
		})
	}
}

func TestAFaultOfTheDiskIsNotTheBuildersFault(t *testing.T) {
	for number := 1; number <= steps; number++ {
		t.Run(strconv.Itoa(number), func(t *testing.T) {
			f := newFixture(t)
			err := f.twoBuilds(func() { f.step(number, func() error { return unix.ENOSPC }) })
			f.Expect(err).To(MatchError(unix.ENOSPC))
			f.Expect(problemOf(err)).To(HavePrefix("not a"))
			f.expectWhole(debian7)
			require.NoError(t, f.twoBuilds(func() {}))
			f.expectWhole(debian7, debian8)
		})
	}
}

func TestACrashWhileTheStoreIsCreated(t *testing.T) {
	f := newFixture(t)
	for _, lost := range [][]string{{"oci-layout"}, {"oci-layout", "index.json"}, {"oci-layout", "index.json", "blobs"}} {
		for _, name := range lost {
			require.NoError(t, os.RemoveAll(filepath.Join(f.dir, name)))
		}
		f.reopen()
		f.reopen()
		require.NoError(t, f.twoBuilds(func() {}))
		f.expectWhole(debian7, debian8)
		f.dir = filepath.Join(t.TempDir(), "store")
		f.reopen()
	}
}

func TestADamagedStore(t *testing.T) {
	f := newFixture(t)
	require.NoError(t, f.twoBuilds(func() {}))
	manifest := f.store.records[0].manifests[0].Digest.String()
	require.NoError(t, os.Remove(f.store.blob(manifest)))
	require.NoError(t, os.WriteFile(f.store.ingest(), []byte("left by a crash"), 0o600))
	f.reopen()
	f.Expect(f.ingested()).To(BeEmpty())
	f.Expect(f.store.Entries()[0]).To(Equal(Entry{debian7, Artifact{Target: "linux/amd64/raw"}}), "its manifest is lost")
	f.Expect(f.store.Entries()[1].Artifact.Content).To(Equal(contentOf("second")))
	f.Expect(f.store.Remove(func(Entry) bool { return true })).Error().NotTo(HaveOccurred())
	f.Expect(f.store.Has(contentOf("second").Digest)).To(BeTrue())

	for name, content := range map[string]string{"index.json": "{", "oci-layout": `{"imageLayoutVersion":"2.0.0"}`} {
		path := filepath.Join(f.dir, name)
		intact := require.Value(os.ReadFile(path))(t)
		require.NoError(t, os.WriteFile(path, []byte(content), 0o600))
		_, err := Open(f.dir, Options{})
		f.Expect(err).To(MatchError(And(HavePrefix("open artifact store "+f.dir+": "), ContainSubstring(name))))
		require.NoError(t, os.WriteFile(path, intact, 0o600))
	}
	require.NoError(t, os.Remove(filepath.Join(f.dir, "index.json")))
	_, err := Open(f.dir, Options{})
	f.Expect(errors.Is(err, fs.ErrNotExist)).To(BeTrue(), "a lost index is not replaced by an empty one: %v", err)
}

func TestAFullDiskIsMetByRoomAndASecondTry(t *testing.T) {
	for number := 1; number <= steps; number++ {
		t.Run(strconv.Itoa(number), func(t *testing.T) {
			f := newFixture(t)
			f.store.WhenFull(func(int64) (int64, error) { // what was recorded last is not needed
				removed, err := f.store.Remove(func(entry Entry) bool { return entry.Build != debian7 })
				return removed.Bytes, err
			})
			f.taken("first", "first")
			f.store.Release(contentOf("first"))
			require.NoError(t, f.twoBuilds(func() {
				f.store.Release(contentOf("first"))
				f.step(number, func() error { return unix.ENOSPC })
			}))
			f.expectWhole(debian8)
		})
	}
}

func TestAFullDiskWithoutRoomIsNamed(t *testing.T) {
	f := newFixture(t)
	asked := []int64{}
	f.store.WhenFull(func(bytes int64) (int64, error) {
		asked = append(asked, bytes)
		return 0, nil
	})
	f.write("linked", "disk")
	require.NoError(t, os.Link(f.path("linked"), f.path("disk"))) // so that it is copied
	f.store.sync = func(*os.File) error { return unix.EDQUOT }
	_, err := f.take(t.Context(), "disk")
	f.Expect(err).To(MatchError(MatchRegexp(`^store file "disk": the disk of ` + f.dir + ` is full: \S+ \S+ free, 4.0 KiB needed: free space there, or delete images or builds$`)))
	f.Expect(err).To(MatchError(unix.EDQUOT))
	f.Expect(asked).To(Equal([]int64{4096}))
	f.Expect(f.path("disk")).To(BeAnExistingFile())
}

// Another index needs room itself.
func TestAFullDiskStillLetsGoOfWhatIsNotNeeded(t *testing.T) {
	f := newFixture(t)
	disk := f.taken("disk", "disk")
	require.NoError(t, f.store.Record(debian7, []Artifact{raw(disk)}))
	f.store.Release(disk)
	f.store.sync = func(*os.File) error {
		if f.store.Has(disk.Digest) {
			return unix.ENOSPC
		}
		return nil
	}
	removed := require.Value(f.store.Remove(func(Entry) bool { return false }))(t)
	f.Expect(removed.Entries).To(HaveLen(1))
	f.Expect(removed.Bytes).To(BeNumerically(">", 0))
	f.reopen()
	f.Expect(f.store.Entries()).To(BeEmpty())
}
