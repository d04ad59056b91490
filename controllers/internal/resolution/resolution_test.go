// SPDX-License-Identifier: Apache-2.0

package resolution_test

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes/fake"
	testingclock "k8s.io/utils/clock/testing"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/controllers/internal/resolution"
	"goldsmith.dev/goldsmith/e2e/require"
	"goldsmith.dev/goldsmith/jobs/capability"
	"goldsmith.dev/goldsmith/jobs/inputs"
)

var now = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// given returns the inputs of an Image that has both a ConfigMap and a base, with the changes of a test.
func given(change ...func(*v1alpha1.BuildInputs)) v1alpha1.BuildInputs {
	all := v1alpha1.BuildInputs{
		Builder: v1alpha1.BuilderReference{Name: "mock"},
		Base:    v1alpha1.Base{ImageRef: &v1alpha1.BaseImageReference{Name: "debian"}},
		Source:  &v1alpha1.Source{ConfigMapRef: &v1alpha1.ConfigMapReference{Name: "files"}},
		Targets: []v1alpha1.Target{{Platform: "linux/amd64", Format: v1alpha1.ArtifactFormatRaw}},
	}
	for _, c := range change {
		c(&all)
	}
	return all
}

func sources(bases map[string]*v1alpha1.Image, failure error) resolution.Sources {
	return resolution.Sources{
		Kube: fake.NewClientset(
			&corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: "team", Name: "files"}, Data: map[string]string{"setup.sh": "true", "site.yaml": "a: {}", "list.yaml": "[]"}},
			&corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: "team", Name: "binary"}, BinaryData: map[string][]byte{"x": {1}}},
		),
		Bases: resolution.Bases{
			Image: func(_ context.Context, namespace, name string) (*v1alpha1.Image, error) {
				if base, ok := bases[namespace+"/"+name]; ok || failure != nil {
					return base, failure
				}
				return nil, apierrors.NewNotFound(v1alpha1.Resource("images"), name)
			},
			Build: noBuilds,
			Artifact: func(_ context.Context, _, name string) (*v1alpha1.RevokedArtifact, error) {
				return nil, apierrors.NewNotFound(v1alpha1.Resource("revokedartifacts"), name)
			},
		},
		Clock: testingclock.NewFakePassiveClock(now),
		Builders: inputs.Builders{Registered: map[string]inputs.Builder{"mock": {Capabilities: capability.Capabilities{
			Parameters: &capability.Schema{}, Targets: []capability.Target{{Format: v1alpha1.ArtifactFormatRaw}},
		}}}},
	}
}

func noBuilds(_ context.Context, _, name string) (*v1alpha1.ImageBuild, error) {
	return nil, apierrors.NewNotFound(v1alpha1.Resource("imagebuilds"), name)
}

func built(digest string) *v1alpha1.Image {
	image := &v1alpha1.Image{}
	image.Status.LatestSuccessful = &v1alpha1.SuccessfulBuild{Artifacts: []v1alpha1.Artifact{{Target: "linux/amd64/raw", Digest: digest}}}
	image.Status.Channels = []v1alpha1.ImageChannel{{Name: "stable", Build: "debian-1", Digest: "sha256:stable", Artifacts: []v1alpha1.Artifact{{Target: "linux/amd64/raw", Digest: "sha256:stable"}}}}
	return image
}

func TestALostBaseThatNoRegistryHasIsNotFound(t *testing.T) {
	base := built("sha256:lost")
	base.Status.LatestSuccessful.Name = "debian-1"
	base.Status.LatestSuccessful.Artifacts[0].Verified = v1alpha1.ArtifactVerifiedContent
	base.Status.Channels[0].Artifacts = base.Status.LatestSuccessful.Artifacts
	all := sources(map[string]*v1alpha1.Image{"team/debian": base}, nil)
	for channel, want := range map[string]string{
		"":       "artifact linux/amd64/raw of build debian-1 is lost: build image debian again",
		"stable": "artifact linux/amd64/raw of build debian-1 is lost: build image debian again, and promote that build to channel stable",
	} {
		for location, published := range map[string]bool{"": false, "/apis/x": false, "registry.example.com/debian@sha256:" + strings.Repeat("a", 64): true} {
			base.Status.LatestSuccessful.Artifacts[0].Location = location
			for _, kept := range []bool{false, true} {
				all.Kept = func(digest string) bool { return kept || digest != "sha256:lost" }
				got, err := all.Resolve(t.Context(), "team", given(func(i *v1alpha1.BuildInputs) { i.Base.ImageRef.Channel = channel }), nil)
				require.NoError(t, err)
				there := kept || published
				if lost := got.Unresolved; there != (lost == nil) || !there && (lost.Reason != v1alpha1.ReasonBaseNotFound || !strings.HasSuffix(lost.Message, want) || !got.MayAppear) {
					t.Errorf("channel %q, location %q, kept %t: %+v", channel, location, kept, got)
				}
			}
		}
	}
}

func TestInputsAreResolvedWithWhatTheyReferTo(t *testing.T) {
	bases := map[string]*v1alpha1.Image{"team/debian": built("sha256:latest"), "team/new": {}, "other/theirs": built("sha256:theirs")}
	channel := func(name string) func(*v1alpha1.BuildInputs) {
		return func(i *v1alpha1.BuildInputs) { i.Base.ImageRef.Channel = name }
	}
	base := func(name string) func(*v1alpha1.BuildInputs) {
		return func(i *v1alpha1.BuildInputs) { i.Base.ImageRef.Name = name }
	}
	source := func(name string) func(*v1alpha1.BuildInputs) {
		return func(i *v1alpha1.BuildInputs) { i.Source.ConfigMapRef.Name = name }
	}
	for name, c := range map[string]struct {
		given     v1alpha1.BuildInputs
		base      string
		reason    v1alpha1.FailureReason
		mayAppear bool
	}{
		"all is there":                      {given: given(), base: "sha256:latest"},
		"a channel":                         {given: given(channel("stable")), base: "sha256:stable"},
		"a channel that is not there":       {given: given(channel("edge")), reason: v1alpha1.ReasonBaseNotFound, mayAppear: true},
		"a base that is not there":          {given: given(base("nobody")), reason: v1alpha1.ReasonBaseNotFound, mayAppear: true},
		"a base that was never built":       {given: given(base("new")), reason: v1alpha1.ReasonBaseNotFound, mayAppear: true},
		"a base of another namespace":       {given: given(base("theirs")), reason: v1alpha1.ReasonBaseNotFound, mayAppear: true},
		"a ConfigMap that is not there":     {given: given(source("nothing")), reason: v1alpha1.ReasonSourceNotFound, mayAppear: true},
		"neither is there":                  {given: given(source("nothing"), base("nobody")), reason: v1alpha1.ReasonSourceNotFound, mayAppear: true},
		"a ConfigMap that is wrong":         {given: given(source("binary")), reason: v1alpha1.ReasonSourceNotFound},
		"wrong, and a base is not there":    {given: given(source("binary"), base("nobody")), reason: v1alpha1.ReasonSourceNotFound},
		"a builder that nobody registers":   {given: given(func(i *v1alpha1.BuildInputs) { i.Builder.Name = "x" }), reason: v1alpha1.ReasonBuilderNotFound},
		"a parameter that it does not take": {given: given(func(i *v1alpha1.BuildInputs) { i.Parameters = []v1alpha1.Parameter{{Name: "x"}} }), reason: v1alpha1.ReasonInvalidParameters},
		"a target that it does not make":    {given: given(func(i *v1alpha1.BuildInputs) { i.Targets[0].Format = v1alpha1.ArtifactFormatISO }), reason: v1alpha1.ReasonTargetNotSupported},
		"a base by reference":               {given: given(func(i *v1alpha1.BuildInputs) { i.Base = v1alpha1.Base{Reference: "debian:bookworm"} })},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := sources(bases, nil).Resolve(t.Context(), "team", c.given, nil)
			switch {
			case err != nil:
				t.Fatal(err)
			case c.reason == "" && (got.Unresolved != nil || got.Resolved.BaseDigest != c.base || got.Resolved.Files["setup.sh"] != "true"):
				t.Errorf("resolved %+v, unresolved %+v", got.Resolved, got.Unresolved)
			case c.reason != "" && (got.Resolved != nil || got.Unresolved == nil || got.Unresolved.Reason != c.reason):
				t.Errorf("resolved %+v, unresolved %+v, want %s", got.Resolved, got.Unresolved, c.reason)
			}
			if got.MayAppear != c.mayAppear {
				t.Errorf("may appear: %v", got.MayAppear)
			}
		})
	}
}

func TestInputsResolveOnlyWithTestsThatCanRun(t *testing.T) {
	test := func(change func(*v1alpha1.ImageTest)) v1alpha1.ImageTest {
		one := v1alpha1.ImageTest{Name: "site", Boot: &v1alpha1.TestBoot{}}
		change(&one)
		return one
	}
	goss := func(file string) v1alpha1.ImageTest { return test(func(t *v1alpha1.ImageTest) { t.Goss = file }) }
	ours := func(required bool, quarantine *v1alpha1.TestQuarantine) v1alpha1.ImageTest {
		return v1alpha1.ImageTest{Name: "ours", Runner: &v1alpha1.TestRunner{Name: "ours"}, Required: &required, Quarantine: quarantine}
	}
	until := &v1alpha1.TestQuarantine{Until: metav1.Unix(2000, 0)}
	for name, c := range map[string]struct {
		test      v1alpha1.ImageTest
		cluster   bool
		now       int64
		image     bool // whether the inputs of an Image resolve
		ofBuild   bool // whether a build finds nothing wrong with its files
		wantFirst string
	}{
		"a boot":                           {test: test(func(*v1alpha1.ImageTest) {}), image: true, ofBuild: true},
		"a file of goss":                   {test: goss("site.yaml"), image: true, ofBuild: true},
		"no file of goss":                  {test: goss("other.yaml"), wantFirst: `test site: ConfigMap files has no file "other.yaml": add the file`},
		"a file that is no mapping":        {test: goss("list.yaml"), wantFirst: `test site: the file "list.yaml" of ConfigMap files must be a mapping`},
		"nobody runs it":                   {test: ours(true, nil), ofBuild: true, wantFirst: "the runner of test ours is missing"},
		"nobody runs it, nor has to":       {test: ours(false, nil), image: true, ofBuild: true},
		"nobody runs it, in quarantine":    {test: ours(true, until), now: 1999, image: true, ofBuild: true},
		"nobody runs it, after quarantine": {test: ours(true, until), now: 2000, ofBuild: true, wantFirst: "the runner of test ours is missing"},
		"nobody can read the artifacts":    {test: test(func(*v1alpha1.ImageTest) {}), cluster: true, ofBuild: true, wantFirst: "test site needs spec.output"},
	} {
		t.Run(name, func(t *testing.T) {
			s := sources(map[string]*v1alpha1.Image{"team/debian": built("sha256:one")}, nil)
			s.Builders.Publisher.Agent = !c.cluster
			s.Builders.Registered["tester"] = inputs.Builder{}
			image := &v1alpha1.Image{ObjectMeta: metav1.ObjectMeta{Namespace: "team"}, Spec: v1alpha1.ImageSpec{BuildInputs: given(), Tests: []v1alpha1.ImageTest{c.test}}}
			got := require.Value(s.ResolveImage(t.Context(), image, time.Unix(c.now, 0)))(t)
			if resolved := got.Resolved != nil; resolved != c.image || resolved == (got.Unresolved != nil) {
				t.Errorf("of the image: resolved %+v, unresolved %+v", got.Resolved, got.Unresolved)
			}
			if !c.image && (got.Unresolved.Reason != v1alpha1.ReasonTestsNotPossible || !strings.HasPrefix(got.Unresolved.Message, c.wantFirst)) {
				t.Errorf("of the image: %+v, want %q", got.Unresolved, c.wantFirst)
			}
			build := inputs.NextBuild(image, metav1.Unix(c.now, 0))
			pinned := build.DeepCopy()
			pinned.Spec.Pinned = &v1alpha1.PinnedInputs{Files: map[string]string{"site.yaml": "a: {}", "list.yaml": "[]"}}
			for _, build := range []*v1alpha1.ImageBuild{build, pinned} {
				if got := require.Value(s.ResolveBuild(t.Context(), build))(t); got.Resolved == nil || (got.Unresolved == nil) != c.ofBuild {
					t.Errorf("of a build: resolved %+v, unresolved %+v", got.Resolved, got.Unresolved)
				}
			}
		})
	}
}

func TestAnErrorOfTheAPIIsNoAnswer(t *testing.T) {
	for name, failure := range map[string]error{
		"it fails":        errors.New("away"),
		"nobody knows it": apierrors.NewGenericServerResponse(http.StatusNotFound, "get", v1alpha1.Resource("images"), "debian", "", 0, true),
	} {
		if got, err := sources(nil, failure).Resolve(t.Context(), "team", given(), nil); !errors.Is(err, failure) {
			t.Errorf("%s: %+v, error %v", name, got, err)
		}
	}
}

func TestARerunResolvesToWhatItWas(t *testing.T) {
	first, err := sources(map[string]*v1alpha1.Image{"team/debian": built("sha256:one")}, nil).Resolve(t.Context(), "team", given(), nil)
	require.NoError(t, err)
	rerun := &v1alpha1.ImageBuild{ObjectMeta: metav1.ObjectMeta{Namespace: "team"}}
	rerun.Spec.Inputs = given()
	now := sources(map[string]*v1alpha1.Image{"team/debian": built("sha256:two")}, nil)
	plain, err := now.ResolveBuild(t.Context(), rerun)
	if err != nil || plain.Resolved.BaseDigest != "sha256:two" {
		t.Errorf("resolved %+v, error %v", plain.Resolved, err)
	}
	rerun.Spec.Pinned = &v1alpha1.PinnedInputs{BaseDigest: first.Resolved.BaseDigest, Base: first.Resolved.Base, Files: first.Resolved.Files}
	got, err := now.ResolveBuild(t.Context(), rerun)
	require.NoError(t, err)
	if diff := cmp.Diff(first, got); diff != "" {
		t.Error(diff)
	}
	rerun.Spec.Inputs.Parameters = []v1alpha1.Parameter{{Name: "x"}}
	if got, err = now.ResolveBuild(t.Context(), rerun); err != nil || got.Unresolved == nil || got.Unresolved.Reason != v1alpha1.ReasonInvalidParameters {
		t.Errorf("resolved %+v, unresolved %+v, error %v", got.Resolved, got.Unresolved, err)
	}
	rerun.Spec.Inputs.Builder.Name = "gone"
	rerun.Spec.Retests = &v1alpha1.TestedBuild{}
	if got, err = now.ResolveBuild(t.Context(), rerun); err != nil || got.Resolved == nil {
		t.Errorf("a build that makes nothing needs no builder: %+v, error %v", got.Unresolved, err)
	}
	rerun.Spec.Retests = nil
	if got, err = now.ResolveBuild(t.Context(), rerun); err != nil || got.Unresolved == nil || got.Unresolved.Reason != v1alpha1.ReasonBuilderNotFound {
		t.Errorf("resolved %+v, unresolved %+v, error %v", got.Resolved, got.Unresolved, err)
	}
}
