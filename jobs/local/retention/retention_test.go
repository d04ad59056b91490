// SPDX-License-Identifier: Apache-2.0

package retention

import (
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/tools/record"
	testingclock "k8s.io/utils/clock/testing"

	"goldsmith.dev/goldsmith/apis/generated/clientset/versioned/fake"
	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/e2e/require"
	"goldsmith.dev/goldsmith/jobs/inputs"
	"goldsmith.dev/goldsmith/jobs/local/artifacts"
)

const size = 64 << 10

// shop is a store with artifacts of builds, and an API with objects.
type shop struct {
	t       *testing.T
	clock   *testingclock.FakeClock
	store   *artifacts.Store
	objects []runtime.Object
	events  *record.FakeRecorder
}

func newShop(t *testing.T) *shop {
	clock := testingclock.NewFakeClock(time.Now())
	store, err := artifacts.Open(filepath.Join(t.TempDir(), "store"), artifacts.Options{Volatile: true, Clock: clock})
	require.NoError(t, err)
	return &shop{t: t, clock: clock, store: store, events: record.NewFakeRecorder(16)}
}

// build stores an artifact and adds its build, which finished so many minutes after the first.
func (s *shop) build(name, content string, minute int, change ...func(*v1alpha1.ImageBuild)) string {
	s.t.Helper()
	build := &v1alpha1.ImageBuild{ObjectMeta: metav1.ObjectMeta{Namespace: "team", Name: name, UID: types.UID(name)}}
	build.Spec.ImageRef = &v1alpha1.ImageReference{Name: "web", UID: "web"}
	build.Status.Finished, build.Status.CompletionTime = true, new(metav1.NewTime(time.Unix(int64(60*minute), 0)))
	digest := s.keep(name, content)
	build.Status.Artifacts = []v1alpha1.Artifact{{Target: "linux/amd64/raw", Digest: digest}}
	for _, change := range change {
		change(build)
	}
	s.objects = append(s.objects, build)
	return digest
}

// keep stores an artifact of a build that does not exist.
func (s *shop) keep(build, content string) (digest string) {
	s.t.Helper()
	directory := s.t.TempDir()
	require.NoError(s.t, os.WriteFile(filepath.Join(directory, "disk"), []byte(strings.Repeat(content, size)), 0o600))
	output, err := os.OpenRoot(directory)
	require.NoError(s.t, err)
	defer func() { _ = output.Close() }() // only read from
	file := s.store.Take(s.t.Context(), output, "disk")[0]
	require.NoError(s.t, file.Err)
	taken := file.Content
	require.NoError(s.t, s.store.Record(artifacts.Build{UID: types.UID(build), Namespace: "team", Name: build},
		[]artifacts.Artifact{{Target: "linux/amd64/raw", Content: taken, MediaType: "a/b"}}))
	s.store.Release(taken)
	return taken.Digest
}

func (s *shop) image(name string, change func(*v1alpha1.Image)) {
	image := &v1alpha1.Image{ObjectMeta: metav1.ObjectMeta{Namespace: "team", Name: name, UID: types.UID(name)}}
	change(image)
	s.objects = append(s.objects, image)
}

func (s *shop) keeper(limit int64) *Keeper {
	return New(Options{Client: fake.NewClientset(s.objects...), Events: s.events, Store: s.store, Max: limit, Clock: s.clock})
}

// sweep sweeps, and returns the builds that have artifacts left.
func (s *shop) sweep(limit int64) []string {
	s.t.Helper()
	require.NoError(s.t, s.keeper(limit).Sweep(s.t.Context()))
	var builds []string
	for _, entry := range s.store.Entries() {
		if !s.store.Has(entry.Artifact.Content.Digest) {
			s.t.Errorf("%s has an entry without its content", entry.Build.Name)
		}
		builds = append(builds, entry.Build.Name)
	}
	slices.Sort(builds)
	return builds
}

func TestOnlyWhatIsNotNeededIsRemoved(t *testing.T) {
	s := newShop(t)
	latest := s.build("web-9", "9", 9)
	base := s.build("base-1", "b", 0)
	s.build("web-1", "1", 1) // goes second
	s.build("direct", "d", 0, func(b *v1alpha1.ImageBuild) { b.Spec.ImageRef = nil })
	s.build("web-2", "2", 2)
	s.build("web-3", "3", 3) // of a channel
	s.build("web-4", "4", 4, func(b *v1alpha1.ImageBuild) { b.Labels = map[string]string{v1alpha1.LabelLegalHold: "true"} })
	s.build("held-1", "5", 5, func(b *v1alpha1.ImageBuild) { b.Spec.ImageRef = &v1alpha1.ImageReference{Name: "held", UID: "held"} })
	s.build("web-6", "6", 6, func(b *v1alpha1.ImageBuild) { b.Status.Finished = false })
	deleted := s.keep("gone-latest", "l")
	lastBase := s.keep("gone-base", "g")
	s.keep("gone", "x")
	s.build("other-1", "o", 0, func(b *v1alpha1.ImageBuild) {
		b.Status.Finished, b.Status.Resolved = false, &v1alpha1.ResolvedInputs{BaseDigest: base}
	})
	s.image("web", func(i *v1alpha1.Image) {
		i.Status.LatestSuccessful = &v1alpha1.SuccessfulBuild{Name: "web-9", Artifacts: []v1alpha1.Artifact{{Digest: latest}}}
		i.Status.Channels = []v1alpha1.ImageChannel{{Name: "stable", Build: "web-3"}}
	})
	s.image("held", func(i *v1alpha1.Image) { i.Labels = map[string]string{v1alpha1.LabelLegalHold: "true"} })
	s.image("gone", func(i *v1alpha1.Image) {
		i.Status.LatestSuccessful = &v1alpha1.SuccessfulBuild{Artifacts: []v1alpha1.Artifact{{Digest: deleted}}}
		i.Status.LastAttempted = &v1alpha1.AttemptedBuild{BaseDigest: lastBase}
	})
	needed := []string{"base-1", "gone-base", "gone-latest", "held-1", "other-1", "web-3", "web-4", "web-6", "web-9"}

	if got, want := s.sweep(0), append([]string{"direct", "web-1", "web-2"}, needed...); !sameSet(got, want) {
		t.Errorf("without a limit %v are left, want %v", got, want)
	}
	usage := s.store.Usage()
	if got, want := s.sweep(usage-1), append([]string{"web-1", "web-2"}, needed...); !sameSet(got, want) {
		t.Errorf("at the limit %v are left, want %v", got, want)
	}
	event := <-s.events.Events
	if !strings.Contains(event, "Warning ArtifactsRemoved removed its artifacts (") || strings.Contains(event, "(0 B)") || !strings.HasSuffix(event, "goldsmith rerun direct") {
		t.Errorf("the event is %q", event)
	}
	if got := s.sweep(1); !sameSet(got, needed) {
		t.Errorf("far below the limit %v are left, want %v", got, needed)
	}
	for len(s.events.Events) > 0 {
		<-s.events.Events
	}
	s.build("web-0", "0", 0)
	s.keep("orphan", "0x")
	if freed, err := s.keeper(0).MakeRoom(t.Context(), math.MaxInt64); err != nil || freed < 2*size {
		t.Errorf("on a full disk %d bytes are freed: %v", freed, err)
	}
	if event := <-s.events.Events; !strings.Contains(event, "because the disk was full; to have them again: goldsmith rerun web-") {
		t.Errorf("the event is %q", event)
	}
	if got := s.sweep(0); !sameSet(got, needed) {
		t.Errorf("on a full disk %v are left, want %v", got, needed)
	}
	if err := s.keeper(1).Fit(t.Context()); err == nil || !strings.Contains(err.Error(), "more than --artifacts-max 1 B") {
		t.Errorf("needed artifacts fit any limit: %v", err)
	}
	if err := s.keeper(s.store.Usage()).Fit(t.Context()); err != nil {
		t.Error(err)
	}
}

func sameSet(a, b []string) bool {
	return slices.Equal(slices.Sorted(slices.Values(a)), slices.Sorted(slices.Values(b)))
}

// Several artifacts of a base have one digest together.
func TestEveryArtifactOfABaseIsNeeded(t *testing.T) {
	made := []v1alpha1.Artifact{{Target: "a", Digest: "1"}, {Target: "b", Digest: "2"}}
	image := v1alpha1.Image{ObjectMeta: metav1.ObjectMeta{Namespace: "team"}}
	image.Status.LastAttempted = &v1alpha1.AttemptedBuild{BaseDigest: inputs.ArtifactsDigest(made)}
	n := needsOf([]v1alpha1.Image{image}, nil)
	var entries []artifacts.Entry
	for _, artifact := range made {
		entries = append(entries, artifacts.Entry{
			Build:    artifacts.Build{UID: "gone", Namespace: "team"},
			Artifact: artifacts.Artifact{Target: artifact.Target, Content: artifacts.Content{Digest: artifact.Digest}},
		})
	}
	for of, orphan := range n.orphans(entries) {
		if orphan {
			t.Errorf("artifact %s of a base is not needed", of.target)
		}
	}
	// Only what is handed over is needed, while the build that starts from it is not finished or is the last of its image.
	whole := image
	image.UID, image.Status.LastAttempted = "web", &v1alpha1.AttemptedBuild{Number: 3, BaseDigest: "unknown"}
	for name, build := range map[string]v1alpha1.ImageBuild{
		"unfinished": {Status: v1alpha1.ImageBuildStatus{Resolved: &v1alpha1.ResolvedInputs{BaseDigest: "unknown", Base: &v1alpha1.BaseBuild{Artifacts: made[1:]}}}},
		"pinned":     {Spec: v1alpha1.ImageBuildSpec{Pinned: &v1alpha1.PinnedInputs{BaseDigest: "unknown", Base: &v1alpha1.BaseBuild{Artifacts: made[1:]}}}},
		"last": {
			Spec: v1alpha1.ImageBuildSpec{ImageRef: &v1alpha1.ImageReference{UID: "web"}, Number: new(int64(3))},
			Status: v1alpha1.ImageBuildStatus{Finished: true, Resolved: &v1alpha1.ResolvedInputs{
				BaseDigest: "unknown", Base: &v1alpha1.BaseBuild{Artifacts: made[1:]},
			}},
		},
	} {
		n := needsOf([]v1alpha1.Image{image}, []v1alpha1.ImageBuild{build})
		if orphans := n.orphans(entries); !orphans[key(entries[0])] || orphans[key(entries[1])] {
			t.Errorf("%s: the orphans are %v", name, orphans)
		}
	}
	channel := v1alpha1.Image{ObjectMeta: metav1.ObjectMeta{Namespace: "team"}}
	channel.Status.Channels = []v1alpha1.ImageChannel{{Name: "stable", Digest: "with another that is not kept", Artifacts: made[1:]}}
	n = needsOf([]v1alpha1.Image{channel}, nil)
	if orphans := n.orphans(entries); !orphans[key(entries[0])] || orphans[key(entries[1])] {
		t.Errorf("of a channel: the orphans are %v", orphans)
	}
	n = needsOf([]v1alpha1.Image{whole}, nil)
	entries[0].Build.Namespace, entries[1].Build.Namespace = "other", "other"
	if orphans := n.orphans(entries); !orphans[key(entries[0])] || !orphans[key(entries[1])] {
		t.Errorf("another namespace's image needs them: %v", orphans)
	}
}

// A build tests the artifacts of an earlier build, which can be old or deleted. Once it has finished, it has entries of its own.
func TestWhatABuildTestsIsNeeded(t *testing.T) {
	s := newShop(t)
	old := s.build("web-1", "1", 1)
	deleted, fetched := s.keep("web-2", "2"), s.keep("fetched", "3")
	retest := func(name, digest string, finished bool) {
		s.objects = append(s.objects, &v1alpha1.ImageBuild{
			ObjectMeta: metav1.ObjectMeta{Namespace: "team", Name: name, UID: types.UID(name)},
			Spec:       v1alpha1.ImageBuildSpec{Retests: &v1alpha1.TestedBuild{Name: "unknown", Artifacts: []v1alpha1.Artifact{{Target: "linux/amd64/raw", Digest: digest}}}},
			Status:     v1alpha1.ImageBuildStatus{Finished: finished},
		})
	}
	retest("web-3", old, false)
	retest("web-4", deleted, false)
	s.objects = append(s.objects, &v1alpha1.ImageBuild{
		ObjectMeta: metav1.ObjectMeta{Namespace: "team", Name: "web-5", UID: "web-5"},
		Status:     v1alpha1.ImageBuildStatus{Phase: v1alpha1.BuildTesting, Artifacts: []v1alpha1.Artifact{{Target: "linux/amd64/raw", Digest: fetched}}},
	})
	if got := s.sweep(1); !sameSet(got, []string{"web-1", "web-2", "fetched"}) {
		t.Errorf("%v are left while they are tested", got)
	}
	s.objects = nil
	s.build("web-6", "6", 6, func(b *v1alpha1.ImageBuild) { b.Status.Phase = v1alpha1.BuildFailed }) // its tests failed
	retest("web-3", old, true)
	if got := s.sweep(1); len(got) != 0 {
		t.Errorf("%v are left once they were tested", got)
	}
}

// Builds of equal packages have equal documents, and reproducible builds equal contents, with documents that differ.
func TestEqualContentsKeepNoDeletedBuild(t *testing.T) {
	documents := func(digests ...string) (all []v1alpha1.ArtifactDocument) {
		for _, digest := range slices.DeleteFunc(digests, func(digest string) bool { return digest == "" }) {
			all = append(all, v1alpha1.ArtifactDocument{Digest: digest})
		}
		return all
	}
	type made struct{ build, content, sbom, provenance string }
	for name, tt := range map[string]struct {
		latest  made
		deleted []made // the oldest first
		orphans []string
	}{
		"equal documents": {
			latest:  made{"web-3", "3", "s", "p"},
			deleted: []made{{"web-1", "1", "s", "p1"}, {"web-2", "2", "s2", "p"}, {"web-3", "3", "s", "p"}},
			orphans: []string{"web-1", "web-2"},
		},
		"equal documents of a build that exists": {
			latest:  made{"web-3", "3", "s", "p"},
			deleted: []made{{"web-1", "1", "s", "p"}, {"web-2", "2", "s", "p"}},
			orphans: []string{"web-1", "web-2"},
		},
		"a content that is the document of another": {
			latest:  made{"web-2", "2", "s", "p"},
			deleted: []made{{"web-1", "s", "", ""}, {"web-2", "2", "s", "p"}},
			orphans: []string{"web-1"},
		},
		"a document that is the content of another": {
			latest:  made{"web-2", "2", "", ""},
			deleted: []made{{"web-1", "", "2", ""}, {"web-2", "2", "", ""}},
			orphans: []string{"web-1"},
		},
		"equal contents": {
			latest:  made{"web-2", "same", "s", "p2"},
			deleted: []made{{"web-1", "same", "s", "p1"}, {"web-2", "same", "s", "p2"}, {"web-3", "same", "s", "p3"}},
			orphans: []string{"web-1", "web-3"},
		},
		"equal contents of builds without a name": {
			latest:  made{"unknown", "same", "", ""},
			deleted: []made{{"web-1", "same", "", ""}, {"web-2", "same", "", ""}},
			orphans: []string{"web-1"},
		},
		"only documents": {
			latest:  made{"web-2", "", "s", "p2"},
			deleted: []made{{"web-1", "", "s", "p1"}, {"web-2", "", "s", "p2"}, {"web-3", "", "s3", "p3"}},
			orphans: []string{"web-1", "web-3"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			image := v1alpha1.Image{ObjectMeta: metav1.ObjectMeta{Namespace: "team"}}
			image.Status.LatestSuccessful = &v1alpha1.SuccessfulBuild{Name: tt.latest.build, Artifacts: []v1alpha1.Artifact{{
				Digest: tt.latest.content, Documents: documents(tt.latest.sbom, tt.latest.provenance),
			}}}
			kept := func(digests ...string) (documents []artifacts.Document) {
				for _, digest := range slices.DeleteFunc(digests, func(digest string) bool { return digest == "" }) {
					documents = append(documents, artifacts.Document{Content: artifacts.Content{Digest: digest}})
				}
				return documents
			}
			var entries []artifacts.Entry
			for _, of := range tt.deleted {
				entries = append(entries, artifacts.Entry{
					Build:    artifacts.Build{UID: types.UID(of.build), Namespace: "team", Name: of.build},
					Artifact: artifacts.Artifact{Content: artifacts.Content{Digest: of.content}, Documents: kept(of.sbom, of.provenance)},
				})
			}
			var orphans []string
			for of, orphan := range needsOf([]v1alpha1.Image{image}, nil).orphans(entries) {
				if orphan {
					orphans = append(orphans, string(of.build))
				}
			}
			if !sameSet(orphans, tt.orphans) {
				t.Errorf("the orphans are %v, want %v", orphans, tt.orphans)
			}
		})
	}
}

// Entries without a content are told by their documents.
func TestBuildsWithDocumentsOnlyAreEvicted(t *testing.T) {
	builds, entries := []v1alpha1.ImageBuild{}, []artifacts.Entry{}
	for _, made := range []struct{ name, sbom string }{{"needed", "s"}, {"equal", "s"}, {"other", "o"}} {
		build := v1alpha1.ImageBuild{ObjectMeta: metav1.ObjectMeta{Namespace: "team", Name: made.name, UID: types.UID(made.name)}}
		build.Status.Finished = made.name != "needed"
		builds = append(builds, build)
		entries = append(entries, artifacts.Entry{
			Build:    artifacts.Build{UID: build.UID, Namespace: "team", Name: made.name},
			Artifact: artifacts.Artifact{Documents: []artifacts.Document{{Content: artifacts.Content{Digest: made.sbom}}}},
		})
	}
	evictable := needsOf(nil, builds).evictable(entries)
	if len(evictable) != 1 || evictable[0].Name != "other" {
		t.Errorf("%d builds are evictable, want other", len(evictable))
	}
}
