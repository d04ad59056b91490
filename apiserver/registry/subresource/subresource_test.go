// SPDX-License-Identifier: Apache-2.0

package subresource_test

import (
	"context"
	"errors"
	"maps"
	"slices"
	"testing"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apiserver/pkg/admission"
	auditapi "k8s.io/apiserver/pkg/apis/audit"
	"k8s.io/apiserver/pkg/audit"
	"k8s.io/apiserver/pkg/endpoints/request"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/apiserver/registry/subresource"
	"goldsmith.dev/goldsmith/apiserver/resources"
)

func TestAnActionIsCheckedThenAdmittedThenRun(t *testing.T) {
	refusal := errors.New("no")
	for name, c := range map[string]struct {
		request runtime.Object
		refuses string
		want    []string
		fails   func(error) bool
	}{
		"a request":             {&v1alpha1.CancelRequest{}, "", []string{"check", "admit", "run"}, func(err error) bool { return err == nil }},
		"one that is invalid":   {&v1alpha1.CancelRequest{}, "check", []string{"check"}, func(err error) bool { return errors.Is(err, refusal) }},
		"one that is forbidden": {&v1alpha1.CancelRequest{}, "admit", []string{"check", "admit"}, func(err error) bool { return errors.Is(err, refusal) }},
		"another kind":          {&v1alpha1.RerunRequest{}, "", nil, apierrors.IsBadRequest},
	} {
		t.Run(name, func(t *testing.T) {
			var steps []string
			step := func(name string) error {
				steps = append(steps, name)
				if name == c.refuses {
					return refusal
				}
				return nil
			}
			action := subresource.NewAction("imagebuilds/cancel", "",
				func(_ context.Context, _ string, request *v1alpha1.CancelRequest) error {
					request.Reason = "completed"
					return step("check")
				},
				func(_ context.Context, _ string, request *v1alpha1.CancelRequest, _ *metav1.CreateOptions) (runtime.Object, error) {
					return request, step("run")
				})
			admit := func(_ context.Context, object runtime.Object) error {
				if request, ok := object.(*v1alpha1.CancelRequest); !ok || request.Reason != "completed" {
					t.Errorf("admission sees %+v", object)
				}
				return step("admit")
			}
			_, err := action.Create(t.Context(), "web-1", c.request, admit, &metav1.CreateOptions{})
			if !c.fails(err) || !slices.Equal(steps, c.want) {
				t.Errorf("got %v, steps %v", err, steps)
			}
		})
	}
}

func TestAViewRefusesOptionsOfAnotherKind(t *testing.T) {
	view := subresource.NewView("images/stats", &v1alpha1.ImageStats{}, "",
		func(_ context.Context, name string, _ *v1alpha1.ImageStatsOptions) (runtime.Object, error) {
			return &v1alpha1.ImageStats{ObjectMeta: metav1.ObjectMeta{Name: name}}, nil
		})
	answer, err := view.Get(t.Context(), "web", &v1alpha1.ImageStatsOptions{})
	if stats, ok := answer.(*v1alpha1.ImageStats); err != nil || !ok || stats.Name != "web" {
		t.Errorf("got %+v, error %v", answer, err)
	}
	_, err = view.Get(t.Context(), "web", &v1alpha1.ImageHistoryOptions{})
	if !apierrors.IsBadRequest(err) || err.Error() != "the request to images/stats of web must be ImageStatsOptions, not ImageHistoryOptions" {
		t.Errorf("got error %v", err)
	}
}

func TestAdmissionAnnotatesTheAuditEventOfTheRequest(t *testing.T) {
	ctx := audit.WithAuditContext(request.WithNamespace(t.Context(), "team"))
	if err := audit.AuditContextFrom(ctx).Init(audit.RequestAuditConfig{Level: auditapi.LevelMetadata}, nil); err != nil {
		t.Fatal(err)
	}
	created := subresource.Created{Resource: "images", Subresource: "instantiate", Name: "debian", Object: &v1alpha1.BuildRequest{}, Options: &metav1.CreateOptions{}}
	if err := created.Admit(ctx, &resources.Scope{Scheme: runtime.NewScheme(), Admission: annotating{}}, func() error { return nil }); err != nil {
		t.Fatal(err)
	}
	want := map[string]string{"policy.example/changed": "instantiate", "policy.example/allowed": "instantiate"}
	if got := audit.AuditContextFrom(ctx).GetEventAnnotations(); !maps.Equal(got, want) {
		t.Errorf("got annotations %v, want %v", got, want)
	}
}

// annotating annotates each request.
type annotating struct{}

func (annotating) Handles(admission.Operation) bool { return true }

func (annotating) Admit(_ context.Context, attributes admission.Attributes, _ admission.ObjectInterfaces) error {
	return attributes.AddAnnotation("policy.example/changed", attributes.GetSubresource())
}

func (annotating) Validate(_ context.Context, attributes admission.Attributes, _ admission.ObjectInterfaces) error {
	return attributes.AddAnnotation("policy.example/allowed", attributes.GetSubresource())
}
