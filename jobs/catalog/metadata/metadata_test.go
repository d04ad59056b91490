// SPDX-License-Identifier: Apache-2.0

package metadata

import (
	"fmt"
	"maps"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/e2e/require"
)

func TestKeysOfToolsAreKeptApart(t *testing.T) {
	for _, test := range []struct {
		name       string
		list       []string
		image      map[string]string // as it is stored
		view, want map[string]string // what is shown of it, and what is stored of that alone
	}{
		{"others pass", apartLabels,
			map[string]string{"app": "web", "images.goldsmith.dev/legal-hold": "true", "instance": "x"},
			map[string]string{"app": "web", "instance": "x"},
			map[string]string{"app": "web", "instance": "x"}},
		{"the label of Argo CD", apartLabels,
			map[string]string{"app.kubernetes.io/instance": "image", "app.kubernetes.io.view.catalog.goldsmith.dev/instance": "view", "app.kubernetes.io/name": "x"},
			map[string]string{"app.kubernetes.io/instance": "view", "app.kubernetes.io/name": "x"},
			map[string]string{"app.kubernetes.io.view.catalog.goldsmith.dev/instance": "view", "app.kubernetes.io/name": "x"}},
		{"labels of the kind", apartLabels,
			map[string]string{v1alpha1.ImageKindLabel: "debianservers", v1alpha1.ImageKindRevisionLabel: "12345678"}, nil, nil},
		{"a renamed key in a view", apartLabels,
			map[string]string{"helm.toolkit.fluxcd.io.view.catalog.goldsmith.dev.view.catalog.goldsmith.dev/name": "a"},
			map[string]string{"helm.toolkit.fluxcd.io.view.catalog.goldsmith.dev/name": "a"},
			map[string]string{"helm.toolkit.fluxcd.io.view.catalog.goldsmith.dev.view.catalog.goldsmith.dev/name": "a"}},
		{"annotations", apartAnnotations,
			map[string]string{
				"kubectl.kubernetes.io/last-applied-configuration": "{}", "kubectl.kubernetes.io/restartedAt": "now",
				"argocd.argoproj.io/tracking-id": "a", "meta.helm.sh.view.catalog.goldsmith.dev/release-name": "b",
			},
			map[string]string{"kubectl.kubernetes.io/restartedAt": "now", "meta.helm.sh/release-name": "b"},
			map[string]string{"kubectl.kubernetes.io/restartedAt": "now", "meta.helm.sh.view.catalog.goldsmith.dev/release-name": "b"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			view := viewKeys(test.image, test.list)
			if !maps.Equal(view, test.view) {
				t.Errorf("the view has %v, want %v", view, test.view)
			}
			if got := imageKeys(view, test.image, test.list); !maps.Equal(got, test.image) {
				t.Errorf("the Image gets %v, want %v", got, test.image)
			}
			if got := imageKeys(view, nil, test.list); !maps.Equal(got, test.want) {
				t.Errorf("a new Image gets %v, want %v", got, test.want)
			}
		})
	}
}

// webServer returns the metadata of an Image of a kind.
func webServer() *metav1.ObjectMeta {
	return &metav1.ObjectMeta{
		Name: "web", UID: "71c1bcbd-32a2-4ea8-9d4b-2b9c8de2f9f2",
		Labels: map[string]string{v1alpha1.ImageKindLabel: "debianservers", v1alpha1.ImageKindRevisionLabel: "12345678"},
	}
}

func TestMetadata(t *testing.T) {
	image := webServer()
	image.Finalizers = []string{"example.com/a", "foregroundDeletion", "example.com/b"}
	image.Annotations = map[string]string{"argocd.argoproj.io/tracking-id": "image"}
	view := View(image)
	if view.UID != ViewUID(image.UID) || view.UID == image.UID || len(view.UID) != len(image.UID) {
		t.Errorf("the view has UID %s", view.UID)
	}
	if ViewUID("") != "" {
		t.Error("an object without UID has a UID")
	}
	if !slices.Equal(view.Finalizers, []string{"example.com/a", "example.com/b"}) {
		t.Errorf("the view has finalizers %q", view.Finalizers)
	}
	if len(view.Annotations)+len(view.Labels) > 0 {
		t.Errorf("the view has annotations %v and labels %v", view.Annotations, view.Labels)
	}

	view.Finalizers = []string{"example.com/c"}
	view.Annotations = map[string]string{"argocd.argoproj.io/tracking-id": "view"}
	view.Labels = map[string]string{"tier": "gold"}
	made, errs := Image(&view, image)
	require.NoError(t, errs.ToAggregate())
	want := webServer()
	want.Finalizers = []string{"foregroundDeletion", "example.com/c"}
	want.Labels["tier"] = "gold"
	want.Annotations = map[string]string{"argocd.argoproj.io/tracking-id": "image", "argocd.argoproj.io.view.catalog.goldsmith.dev/tracking-id": "view"}
	if diff := cmp.Diff(*want, made); diff != "" {
		t.Errorf("the Image has other metadata: %s", diff)
	}
	if diff := cmp.Diff(view, View(&made)); diff != "" {
		t.Errorf("the view has other metadata: %s", diff)
	}
}

func TestMetadataThatIsRefused(t *testing.T) {
	for _, test := range []struct {
		name   string
		change func(*metav1.ObjectMeta)
		want   string
	}{
		{"another UID", func(m *metav1.ObjectMeta) { m.UID = "71c1bcbd-32a2-4ea8-9d4b-2b9c8de2f9f2" },
			`metadata.uid: Invalid value: "71c1bcbd-32a2-4ea8-9d4b-2b9c8de2f9f2": field is immutable`},
		{"a finalizer of deletions", func(m *metav1.ObjectMeta) { m.Finalizers = []string{"example.com/a", "orphan"} },
			`metadata.finalizers[1]: Forbidden: set the propagation policy of the deletion instead`},
		{"a reserved label", func(m *metav1.ObjectMeta) { m.Labels = map[string]string{v1alpha1.ImageKindLabel: "mine"} },
			"metadata.labels[catalog.goldsmith.dev/kind]: Forbidden: is reserved for Goldsmith: leave it out"},
		{"no UID", func(m *metav1.ObjectMeta) { m.UID = "" }, "<nil>"},
	} {
		t.Run(test.name, func(t *testing.T) {
			view := View(webServer())
			test.change(&view)
			if _, errs := Image(&view, webServer()); fmt.Sprint(errs.ToAggregate()) != test.want {
				t.Errorf("the error is %v, want %s", errs, test.want)
			}
		})
	}
}

func TestSelector(t *testing.T) {
	for _, test := range []struct{ view, want string }{
		{"", "catalog.goldsmith.dev/kind=debianservers"},
		{"app=web", "app=web,catalog.goldsmith.dev/kind=debianservers"},
		{"app.kubernetes.io/instance in (a,b),tier!=x", "app.kubernetes.io.view.catalog.goldsmith.dev/instance in (a,b),catalog.goldsmith.dev/kind=debianservers,tier!=x"},
		{"catalog.goldsmith.dev/kind=other", "catalog.goldsmith.dev.view.catalog.goldsmith.dev/kind=other,catalog.goldsmith.dev/kind=debianservers"},
		{"!applyset.kubernetes.io/part-of", "!applyset.kubernetes.io.view.catalog.goldsmith.dev/part-of,catalog.goldsmith.dev/kind=debianservers"},
	} {
		if got := Selector("debianservers", require.Value(labels.Parse(test.view))(t)).String(); got != test.want {
			t.Errorf("%q: %s, want %s", test.view, got, test.want)
		}
	}
	if got := Selector("debianservers", nil).String(); got != "catalog.goldsmith.dev/kind=debianservers" {
		t.Errorf("no selector: %s", got)
	}
	if _, selectable := Selector("debianservers", labels.Nothing()).Requirements(); selectable {
		t.Error("nothing selects something")
	}
}
