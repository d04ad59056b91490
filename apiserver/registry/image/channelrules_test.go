// SPDX-License-Identifier: Apache-2.0

package image

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	genericregistry "k8s.io/apiserver/pkg/registry/generic/registry"
	"k8s.io/apiserver/pkg/registry/rest"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/apiserver/registry/imagebuild"
	"goldsmith.dev/goldsmith/apiserver/registry/validation/validationtest"
	"goldsmith.dev/goldsmith/apiserver/resources"
	"goldsmith.dev/goldsmith/e2e/require"
	"goldsmith.dev/goldsmith/jobs/trigger"
)

func TestRulesOfChannels(t *testing.T) {
	rule := func(name string, requires *v1alpha1.ChannelRequirements) v1alpha1.ChannelRule {
		return v1alpha1.ChannelRule{Name: name, Requires: requires, Promote: v1alpha1.PromoteAutomatic}
	}
	tests := func(names ...string) *v1alpha1.ChannelRequirements {
		return &v1alpha1.ChannelRequirements{Tests: names}
	}
	many := make([]v1alpha1.ChannelRule, 17)
	for i := range many {
		many[i] = rule(fmt.Sprintf("c%d", i), nil)
	}
	signed, published := &v1alpha1.ChannelRequirements{Attested: true}, &v1alpha1.Output{Repository: "registry.example.com/web"}
	const first = "spec.channels[0]"
	for name, test := range map[string]struct {
		rules  []v1alpha1.ChannelRule
		output *v1alpha1.Output
		want   []string
		text   string
	}{
		"no requirements":       {many[:16], nil, nil, ""},
		"17":                    {many, nil, []string{"spec.channels"}, ""},
		"one twice":             {[]v1alpha1.ChannelRule{many[0], many[0]}, nil, []string{"spec.channels[1].name"}, ""},
		"no name":               {[]v1alpha1.ChannelRule{rule("", nil)}, nil, []string{first + ".name"}, "set the name of the channel, such as stable"},
		"no DNS label":          {[]v1alpha1.ChannelRule{rule("a_b", nil)}, nil, []string{first + ".name"}, ""},
		"tests":                 {[]v1alpha1.ChannelRule{rule("stable", tests("web", "boots"))}, nil, nil, ""},
		"no such test":          {[]v1alpha1.ChannelRule{rule("stable", tests("web", "wbe"))}, nil, []string{first + ".requires.tests[1]"}, "add it to spec.tests, or remove it here; the tests are boots, web"},
		"a test twice":          {[]v1alpha1.ChannelRule{rule("stable", tests("web", "web"))}, nil, []string{first + ".requires.tests[1]"}, ""},
		"signed":                {[]v1alpha1.ChannelRule{rule("stable", signed)}, published, nil, ""},
		"signed, not published": {[]v1alpha1.ChannelRule{rule("stable", signed)}, nil, nil, ""},
		"signed, and never": {[]v1alpha1.ChannelRule{rule("stable", signed)}, &v1alpha1.Output{Repository: published.Repository, Attest: v1alpha1.AttestNever},
			[]string{first + ".requires.attested"}, "set spec.output.attest to Automatic or Required"},
		"other archives": {[]v1alpha1.ChannelRule{rule("stable", &v1alpha1.ChannelRequirements{MaxSeverity: v1alpha1.SeverityLimitHigh, NoOtherArchives: true})}, nil, nil, ""},
		"other archives, any severity": {[]v1alpha1.ChannelRule{rule("stable", &v1alpha1.ChannelRequirements{NoOtherArchives: true})}, nil,
			[]string{first + ".requires.noOtherArchives"}, "needs maxSeverity"},
		"promoted somehow": {[]v1alpha1.ChannelRule{{Name: "stable", Promote: "Sometimes"}}, nil, []string{first + ".promote"}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			image := validationtest.Image()
			image.Spec.Tests = []v1alpha1.ImageTest{{Name: "web", Boot: &v1alpha1.TestBoot{}}, {Name: "boots", Boot: &v1alpha1.TestBoot{}}}
			image.Spec.Channels, image.Spec.Output = test.rules, test.output
			v1alpha1.SetObjectDefaults_Image(image)
			errs := Validate(image)
			validationtest.ExpectPaths(t, errs, test.want)
			if test.text != "" && !strings.Contains(errs.ToAggregate().Error(), test.text) {
				t.Errorf("got %v, want %q", errs, test.text)
			}
		})
	}
}

func TestAChannelTellsWhyTheVulnerabilitiesOfABuildAreUnknown(t *testing.T) {
	rule := &v1alpha1.ChannelRule{Requires: &v1alpha1.ChannelRequirements{MaxSeverity: v1alpha1.SeverityLimitLow}}
	for name, test := range map[string]struct {
		err  error
		want *trigger.Vulnerabilities
	}{
		"the storage is unavailable": {errors.New("no leader"), &trigger.Vulnerabilities{Unknown: "no leader"}},
		"the build does not exist":   {apierrors.NewNotFound(v1alpha1.Resource("imagebuilds"), "web-1"), nil},
	} {
		failing := &genericregistry.Store{NewFunc: func() runtime.Object { return nil }, KeyFunc: func(context.Context, string) (string, error) { return "", test.err }}
		p := &promotion{vulnerabilities: &imagebuild.Store{Store: &resources.Store{Store: failing}}}
		if diff := cmp.Diff(test.want, require.Value(p.known(t.Context(), rule, "web-1"))(t)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

// stored is the Image that a storage has.
type stored struct{ image *v1alpha1.Image }

func (s stored) Get(context.Context, string, *metav1.GetOptions) (runtime.Object, error) {
	return s.image, nil
}

func TestAPromotionIsDecidedByTheStoredImage(t *testing.T) {
	lagging := validationtest.Image()
	current := lagging.DeepCopy()
	current.Status.Channels = []v1alpha1.ImageChannel{{Name: "stable", Build: "web-1", By: "ada"}}
	request := &v1alpha1.ImageChannels{ObjectMeta: current.ObjectMeta, Channels: []v1alpha1.ImageChannel{{Name: "stable", Build: "web-1"}}}
	p := &promotion{
		requested: rest.DefaultUpdatedObjectInfo(request), image: current.Name, scope: &resources.Scope{},
		images: stored{current}, // no store of builds: to mark a build, as the channels of the lagging Image require, is a panic
	}
	promoted, err := p.UpdatedObject(t.Context(), lagging)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(current.Status, promoted.(*v1alpha1.Image).Status); diff != "" {
		t.Errorf("(-stored +got):\n%s", diff)
	}
}

func TestATestAgainKnowsWhetherTheArtifactsAreSigned(t *testing.T) {
	image, earlier := validationtest.Image(), validationtest.ImageBuild()
	if retestBuild(image, 2, earlier).Spec.Retests.Attested {
		t.Error("artifacts count as signed that nobody has signed")
	}
	earlier.Status.Conditions = []metav1.Condition{{Type: v1alpha1.BuildAttested, Status: metav1.ConditionTrue}}
	again := retestBuild(image, 2, earlier)
	if !again.Spec.Retests.Attested || !retestBuild(image, 3, again).Spec.Retests.Attested {
		t.Error("signed artifacts that are tested again do not count as signed")
	}
}
