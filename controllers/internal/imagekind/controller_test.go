// SPDX-License-Identifier: Apache-2.0

package imagekind

import (
	"context"
	"testing"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"goldsmith.dev/goldsmith/apis/generated/clientset/versioned/fake"
	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/controllers/internal/reconciliation"
	"goldsmith.dev/goldsmith/e2e/require"
)

// cached is a cache that has one kind and its Images.
type cached struct {
	client.Reader
	kind   *v1alpha1.ImageKind
	images []v1alpha1.Image
}

func (c *cached) Get(_ context.Context, _ client.ObjectKey, object client.Object, _ ...client.GetOption) error {
	c.kind.DeepCopyInto(object.(*v1alpha1.ImageKind))
	return nil
}

func (c *cached) List(_ context.Context, list client.ObjectList, _ ...client.ListOption) error {
	list.(*v1alpha1.ImageList).Items = c.images
	return nil
}

func TestTheImagesOfAKindAreCounted(t *testing.T) {
	declared := &v1alpha1.ImageKind{ObjectMeta: metav1.ObjectMeta{Name: "servers", UID: "kind-uid"}}
	strays := &v1alpha1.ImageConformance{Fields: []string{"spec.builder.name"}}
	declared.Status.Revision = "current"
	image := func(revision string, conformance *v1alpha1.ImageConformance) v1alpha1.Image {
		made := v1alpha1.Image{ObjectMeta: metav1.ObjectMeta{Labels: map[string]string{v1alpha1.ImageKindLabel: "servers", v1alpha1.ImageKindRevisionLabel: revision}}}
		made.Status.Conformance = conformance
		return made
	}
	client := fake.NewClientset(declared.DeepCopy())
	cache := &cached{kind: declared}
	r := &reconciler{Options: reconciliation.Options{Client: client}, cache: cache}
	reconcile := func(want report) {
		t.Helper()
		_, err := r.Reconcile(t.Context(), ctrl.Request{})
		require.NoError(t, err)
		cache.kind = require.Value(client.ImagesV1alpha1().ImageKinds().Get(t.Context(), "servers", metav1.GetOptions{}))(t)
		status := cache.kind.Status
		if diff := cmp.Diff(want, report{Instances: status.Instances, Outdated: status.Outdated, Nonconforming: status.Nonconforming}); diff != "" {
			t.Error(diff)
		}
	}
	reconcile(report{})
	cache.images = []v1alpha1.Image{image("current", nil), image("earlier", strays), image("current", strays)}
	reconcile(report{Instances: 3, Outdated: 1, Nonconforming: 1})
	writes := len(client.Actions())
	reconcile(report{Instances: 3, Outdated: 1, Nonconforming: 1})
	if again := len(client.Actions()) - writes; again != 1 { // the test itself reads
		t.Errorf("unchanged counts cost %d requests", again)
	}
	cache.images = nil
	reconcile(report{})
}
