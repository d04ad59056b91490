// SPDX-License-Identifier: Apache-2.0

package publish

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/opencontainers/go-digest"
	ociv1 "github.com/opencontainers/image-spec/specs-go/v1"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/e2e/require"
	"goldsmith.dev/goldsmith/jobs/publish/registrytest"
	"goldsmith.dev/goldsmith/jobs/publish/transport"
	"goldsmith.dev/goldsmith/jobs/render"
	"goldsmith.dev/goldsmith/jobs/result"
)

// junit is a report about tests.
const junit = `<testsuites/>`

// tester is an attempt that has tested artifacts that were pushed without tags.
type tester struct {
	registry *registrytest.Registry
	output   render.Output
	input    render.Input
	result   result.Result
	indexes  int
	said     []string
}

// newTester pushes artifacts without their tags to a registry, and returns an attempt whose tests a and b passed.
func newTester(t *testing.T, r *registrytest.Registry, artifacts ...Artifact) *tester {
	t.Helper()
	w := &tester{registry: r, output: render.Output{Repository: r.Host() + "/team/web", Gates: []string{"a", "b"}, Signed: true, Tags: map[string]string{}}}
	for i := range artifacts {
		its := artifacts[i]
		if its.Tag != "" {
			w.output.Tags[its.Target] = its.Tag
		}
		if its.ContainerDisk {
			w.output.ContainerDisks = append(w.output.ContainerDisks, its.Target)
		}
		its.Tag = ""
		pushed, err := pushIn(t, r, transport.Options{}, its)
		require.NoError(t, err)
		mediaType := its.MediaType
		if pushed[0].Image {
			mediaType = result.MediaTypeLayout
		}
		w.input.Base.Artifacts = append(w.input.Base.Artifacts, render.InputArtifact{
			Target: its.Target, Digest: its.Digest, SizeBytes: its.SizeBytes, MediaType: mediaType, Location: pushed[0].Location,
		})
	}
	for _, name := range w.output.Gates {
		w.input.Tests = append(w.input.Tests, v1alpha1.ImageTest{Name: name, Target: artifacts[0].Target})
		w.result.Tests = append(w.result.Tests, result.Test{Name: name, Outcome: v1alpha1.TestPassed})
	}
	report := contentOf([]byte(junit))
	w.result.Report = &result.Content{
		File: "junit.xml", Digest: report.Digest, SizeBytes: &report.SizeBytes, MediaType: result.MediaTypeJUnit, Verified: v1alpha1.ArtifactVerifiedContent,
	}
	r.Requests()
	return w
}

// Attest is of no use: artifacts are attested by the attempt that made them.
func (w *tester) Attest(context.Context, *result.Artifact, string) ([]v1alpha1.SignedStatement, error) {
	return nil, errors.New("artifacts are not attested again")
}

// AttestIndex returns no statements, and counts the indexes.
func (w *tester) AttestIndex(context.Context, string, []byte) ([]v1alpha1.SignedStatement, error) {
	w.indexes++
	return nil, nil
}

func (w *tester) publish(t *testing.T) error {
	t.Helper()
	open := func(*result.Content) (transport.File, error) { return memory{bytes.NewReader([]byte(junit))}, nil }
	log := func(format string, args ...any) { w.said = append(w.said, fmt.Sprintf(format, args...)) }
	return PublishTests(t.Context(), &w.output, &w.input, &w.result, open, w, transport.Options{Log: log, Clock: registrytest.NewClock()})
}

func TestTagsMoveOnceTheTestsHavePassed(t *testing.T) {
	for name, test := range map[string]struct {
		change     func(*tester)
		moved      bool
		unreported bool
		saying     string
	}{
		"all passed":                    {moved: true, saying: ", tag v1"},
		"one is flaky":                  {change: func(w *tester) { w.result.Tests[1].Outcome = v1alpha1.TestFlaky }, moved: true},
		"one failed":                    {change: func(w *tester) { w.result.Tests[1].Outcome = v1alpha1.TestFailed }, saying: "no tag is moved, because these tests did not pass: b"},
		"one was not run to its end":    {change: func(w *tester) { w.result.Tests[0].Outcome = v1alpha1.TestError }},
		"one has no result":             {change: func(w *tester) { w.result.Tests = w.result.Tests[:1] }},
		"one that does not gate failed": {change: func(w *tester) { w.result.Tests[1].Outcome, w.output.Gates = v1alpha1.TestFailed, []string{"a"} }, moved: true},
		"the runner counts no test": {change: func(w *tester) {
			w.result.Tests, w.input.Tests[0].Runner = nil, &v1alpha1.TestRunner{Name: "ours"}
		}, moved: true},
		"our runner counts no test":    {change: func(w *tester) { w.result.Tests = nil }},
		"other attempts have to pass":  {change: func(w *tester) { w.output.Tags = nil }},
		"the artifact is elsewhere":    {change: func(w *tester) { w.input.Base.Artifacts[0].Location = "elsewhere.example/web@" + digestOf("x") }, unreported: true},
		"the artifact has no location": {change: func(w *tester) { w.input.Base.Artifacts[0].Location = w.output.Repository }, unreported: true},
		"the report is not one":        {change: func(w *tester) { w.result.Report.Verified = "" }, moved: true, unreported: true},
		"another artifact was tested":  {change: func(w *tester) { w.input.Tests[0].Target = "linux/arm64/raw" }, moved: true, unreported: true},
		"there is nothing to publish":  {change: func(w *tester) { w.output.Tags, w.result.Report = nil, nil }, unreported: true},
	} {
		t.Run(name, func(t *testing.T) {
			r := registrytest.New(t, registrytest.Options{})
			w := newTester(t, r, artifact("linux/amd64/raw", "v1", []byte("disk")))
			subject := strings.TrimPrefix(w.input.Base.Artifacts[0].Location, w.output.Repository+"@")
			if test.change != nil {
				test.change(w)
			}
			require.NoError(t, w.publish(t))
			want := map[string]string(nil)
			if test.moved {
				want = map[string]string{"linux/amd64/raw": "v1"}
				if _, content := r.Get("/team/web/manifests/v1"); digest.FromBytes(content).String() != subject {
					t.Errorf("the tag names %s", content)
				}
			} else if slices.Contains(r.Tags("team/web"), "v1") {
				t.Error("the tag was moved")
			}
			if !maps.Equal(w.result.Tagged, want) || w.indexes != 0 {
				t.Errorf("moved %v, and %d indexes", w.result.Tagged, w.indexes)
			}
			if test.unreported {
				if w.result.Report != nil && w.result.Report.Location != "" || !test.moved && len(r.Requests()) > 0 {
					t.Errorf("published %+v", w.result.Report)
				}
			} else {
				_, at, _ := strings.Cut(w.result.Report.Location, w.output.Repository+"@")
				if got := manifestOf(t, r, at); got.ArtifactType != result.MediaTypeJUnit || got.Subject.Digest.String() != subject || !slices.Contains(referrersOf(t, r, subject, false), result.MediaTypeJUnit) {
					t.Errorf("the report is %+v", got)
				}
			}
			if said := strings.Join(w.said, "\n"); !strings.Contains(said, test.saying) {
				t.Errorf("said %q", said)
			}
		})
	}
}

func digestOf(text string) string { return digest.FromString(text).String() }

// TestAReleasedIndexIsThatOfAPush pushes artifacts with their tags to one registry. In another it pushes them without tags, and releases them.
func TestAReleasedIndexIsThatOfAPush(t *testing.T) {
	layout := func(target string, i images, of ...ociv1.Descriptor) Artifact {
		a := artifact(target, "v1", i.tar(of...))
		a.MediaType = result.MediaTypeLayout
		return a
	}
	i, j, k := newImages(t), newImages(t), newImages(t)
	one := on(i.image("one", "amd64"), "linux/amd64")
	index := layout("linux/amd64/oci", i, i.index(ociv1.MediaTypeImageIndex, one, i.attestation(one)))
	list := layout("linux/arm64/oci", j, j.index(dockerList, on(j.imageOf(dockerManifest, dockerImageConfig, dockerLayer, "two", "arm64"), "linux/arm64")))
	image := layout("linux/s390x/oci", k, k.image("three", "s390x"))
	untold := image
	untold.Target, untold.Platform, untold.MediaType = "linux/s390x/v2/oci", "linux/s390x/v2", result.MediaType(v1alpha1.ArtifactFormatOCI)
	file := artifact("linux/arm/v7/oci", "v1", []byte("no layout"))
	file.MediaType = untold.MediaType
	disk, other := artifact("linux/arm/v7/raw", "v1", []byte("a disk")), artifact("linux/amd64/qcow2", "v0", []byte("another disk"))
	for name, test := range map[string]struct {
		artifacts []Artifact
		attested  int
	}{
		"containerDisks":  {[]Artifact{containerDiskOf("linux/amd64/qcow2", "v1", []byte("one")), containerDiskOf("windows/arm64/qcow2", "v1", []byte("two")), disk}, 1},
		"disks":           {[]Artifact{disk, artifact("linux/amd64/raw", "v1", []byte("another"))}, 1},
		"two tags":        {[]Artifact{disk, other}, 0},
		"equal disks":     {[]Artifact{disk, artifact("linux/arm/v7/qcow2", "v1", []byte("a disk"))}, 1},
		"indexes":         {[]Artifact{index, list}, 0},
		"images":          {[]Artifact{image, untold, file}, 1},
		"everything":      {[]Artifact{other, disk, list, untold, image, file, index}, 0},
		"one that is not": {[]Artifact{disk, artifact("linux/amd64/raw", "", []byte("another"))}, 0},
	} {
		t.Run(name, func(t *testing.T) {
			pushedTo, releasedIn := registrytest.New(t, registrytest.Options{}), registrytest.New(t, registrytest.Options{})
			_, err := pushIn(t, pushedTo, transport.Options{}, test.artifacts...)
			require.NoError(t, err)
			w := newTester(t, releasedIn, test.artifacts...)
			w.result.Report = nil
			require.NoError(t, w.publish(t))
			if got, want := releasedIn.Tags("team/web"), pushedTo.Tags("team/web"); !slices.Equal(got, want) || !maps.Equal(w.result.Tagged, w.output.Tags) {
				t.Errorf("the tags are %v and %v, want %v", got, w.result.Tagged, want)
			}
			for _, tag := range pushedTo.Tags("team/web") {
				_, want := pushedTo.Get("/team/web/manifests/" + tag)
				if _, got := releasedIn.Get("/team/web/manifests/" + tag); !bytes.Equal(got, want) {
					t.Errorf("the tag %s names\n%s, want\n%s", tag, got, want)
				}
			}
			if w.indexes != test.attested {
				t.Errorf("%d indexes are attested, want %d", w.indexes, test.attested)
			}
			requests := releasedIn.Requests()
			if last := requests[len(requests)-1]; !strings.HasPrefix(last, "PUT /v2/team/web/manifests/v") || slices.ContainsFunc(requests, func(r string) bool { return strings.Contains(r, "/blobs/") }) {
				t.Errorf("the requests are %q", requests)
			}
		})
	}
}

func TestAnIndexOfArtifactsThatAreNotSignedIsNotAttested(t *testing.T) {
	w := newTester(t, registrytest.New(t, registrytest.Options{}), artifact("linux/amd64/raw", "v1", []byte("one")), artifact("linux/arm64/raw", "v1", []byte("two")))
	w.output.Signed = false
	require.NoError(t, w.publish(t))
	if w.indexes != 0 || len(w.result.Tagged) != 2 {
		t.Errorf("%d indexes, tags %v", w.indexes, w.result.Tagged)
	}
}

func TestAnIndexIsOfAllArtifacts(t *testing.T) {
	w := newTester(t, registrytest.New(t, registrytest.Options{}), artifact("linux/amd64/raw", "v1", []byte("one")), artifact("linux/arm64/raw", "v1", []byte("two")))
	w.input.Base.Artifacts = w.input.Base.Artifacts[:1] // those that are tested
	if err := w.publish(t); err == nil || CheckOf(err).NotStored != "tag artifact linux/arm64/raw: the input does not have it" || len(w.registry.Requests()) > 0 {
		t.Errorf("got %v", err)
	}
}

func TestARegistryThatFailsAfterTestsMovesNoTag(t *testing.T) {
	const always = 1 << 20
	for name, test := range map[string]struct {
		prepare func(*tester)
		reason  v1alpha1.FailureReason
		saying  string
	}{
		"a manifest that is lost": {func(w *tester) {
			w.input.Base.Artifacts[1].Location = w.output.Repository + "@" + digestOf("lost")
		}, v1alpha1.ReasonRegistryRefused, "fetch manifest " + digestOf("lost")[:19] + ": the registry does not have it any more; build the image again"},
		"another manifest": {func(w *tester) {
			w.registry.Inject(1, http.MethodGet, "/manifests/", func(rw http.ResponseWriter, _ *http.Request, _ http.Handler) {
				rw.Header().Set("Content-Type", ociv1.MediaTypeImageManifest)
				_, _ = rw.Write([]byte("{}"))
			})
		}, v1alpha1.ReasonRegistryUnavailable, "fetch manifest "},
		"denied":                  {func(w *tester) { w.registry.Inject(always, "PUT", "/manifests/", registrytest.Status(403)) }, v1alpha1.ReasonRegistryDenied, "403"},
		"down":                    {func(w *tester) { w.registry.Inject(always, "", "", registrytest.Status(503)) }, v1alpha1.ReasonRegistryUnavailable, "retried for"},
		"a tag that cannot be it": {func(w *tester) { w.output.Tags["linux/arm64/raw"] = "a tag" }, v1alpha1.ReasonRegistryRefused, `"a tag" is not a tag`},
	} {
		t.Run(name, func(t *testing.T) {
			w := newTester(t, registrytest.New(t, registrytest.Options{}), artifact("linux/amd64/raw", "v1", []byte("one")), artifact("linux/arm64/raw", "v1", []byte("two")))
			test.prepare(w)
			check := CheckOf(w.publish(t))
			if check.NotPublished == nil || check.NotPublished.Reason != test.reason || !strings.Contains(check.NotPublished.Message, test.saying) {
				t.Errorf("got %+v", check.NotPublished)
			}
			if slices.Contains(w.registry.Tags("team/web"), "v1") || w.result.Tagged != nil {
				t.Errorf("the tags are %v and %v", w.registry.Tags("team/web"), w.result.Tagged)
			}
		})
	}
}
