// SPDX-License-Identifier: Apache-2.0

package imagebuild

import (
	"errors"
	"strings"
	"testing"

	schedulingv1 "k8s.io/api/scheduling/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes/fake"
	clienttesting "k8s.io/client-go/testing"
	"k8s.io/utils/ptr"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
)

func TestThePriorityIsThatOfTheClass(t *testing.T) {
	client := fake.NewClientset(&schedulingv1.PriorityClass{ObjectMeta: metav1.ObjectMeta{Name: "urgent"}, Value: 1000})
	for name, test := range map[string]struct {
		template *v1alpha1.BuildTemplate
		want     *int32
		reads    int
	}{
		"no template":        {nil, nil, 0},
		"no class":           {&v1alpha1.BuildTemplate{}, nil, 0},
		"a class":            {&v1alpha1.BuildTemplate{PriorityClassName: "urgent"}, new(int32(1000)), 1},
		"one that is no one": {&v1alpha1.BuildTemplate{PriorityClassName: "nowhere"}, new(int32(0)), 1},
		"one that is none":   {&v1alpha1.BuildTemplate{PriorityClassName: "a/b"}, nil, 0},
	} {
		t.Run(name, func(t *testing.T) {
			client.ClearActions()
			build := &v1alpha1.ImageBuild{Spec: v1alpha1.ImageBuildSpec{Inputs: v1alpha1.BuildInputs{Template: test.template}}}
			if _, err := (&ranks{client: client}).begin(t.Context(), build, nil); err != nil {
				t.Fatal(err)
			}
			if !ptr.Equal(build.Spec.Priority, test.want) {
				t.Errorf("the priority is %d, want %d", ptr.Deref(build.Spec.Priority, -1), ptr.Deref(test.want, -1))
			}
			if reads := len(client.Actions()); reads != test.reads {
				t.Errorf("it asked %d times, want %d", reads, test.reads)
			}
		})
	}
}

func TestAPriorityThatCannotBeReadIsA503(t *testing.T) {
	client := fake.NewClientset()
	client.PrependReactor("get", "priorityclasses", func(clienttesting.Action) (bool, runtime.Object, error) {
		return true, nil, errors.New("no answer")
	})
	build := &v1alpha1.ImageBuild{ObjectMeta: metav1.ObjectMeta{Name: "debian-1"}}
	build.Spec.Inputs.Template = &v1alpha1.BuildTemplate{PriorityClassName: "urgent"}
	_, err := (&ranks{client: client}).begin(t.Context(), build, nil)
	if !apierrors.IsServiceUnavailable(err) || !strings.Contains(err.Error(), "create imagebuild debian-1: read priority class urgent: no answer") {
		t.Errorf("got %v", err)
	}
	if seconds, retry := apierrors.SuggestsClientDelay(err); !retry || seconds != 1 {
		t.Errorf("it does not say when to try again: %v", err)
	}
}
