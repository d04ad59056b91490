// SPDX-License-Identifier: Apache-2.0

package catalog

import (
	"maps"
	"slices"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/types"

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

func TestMetadata(t *testing.T) {
	kind := compile(t, debianServers)
	image := storedServer(t, kind)
	image.Finalizers = []string{"example.com/a", "foregroundDeletion", "example.com/b"}
	image.Annotations = map[string]string{"argocd.argoproj.io/tracking-id": "image"}
	before := viewOf(t, kind, image)
	if got := before.GetUID(); got != ViewUID(image.UID) || got == image.UID || len(got) != len(image.UID) {
		t.Errorf("the view has UID %s", got)
	}
	if ViewUID("") != "" {
		t.Error("an object without UID has a UID")
	}
	if got := before.GetFinalizers(); !slices.Equal(got, []string{"example.com/a", "example.com/b"}) {
		t.Errorf("the view has finalizers %q", got)
	}
	if got := before.GetAnnotations(); len(got) > 0 {
		t.Errorf("the view has annotations %v", got)
	}

	view := before.DeepCopy()
	view.SetFinalizers([]string{"example.com/c"})
	view.SetAnnotations(map[string]string{"argocd.argoproj.io/tracking-id": "view"})
	view.SetLabels(map[string]string{"tier": "gold", v1alpha1.ImageKindLabel: "mine"})
	_, err := kind.Put(t.Context(), view, before, image)
	if want := "metadata.labels[catalog.goldsmith.dev/kind]: Forbidden: is reserved for Goldsmith: leave it out"; err == nil || err.Error() != want {
		t.Errorf("a reserved label: %v", err)
	}
	view.SetLabels(map[string]string{"tier": "gold"})
	made := require.Value(kind.Put(t.Context(), view, before, image))(t)
	if !slices.Equal(made.Finalizers, []string{"foregroundDeletion", "example.com/c"}) {
		t.Errorf("the Image has finalizers %q", made.Finalizers)
	}
	if want := map[string]string{
		"tier": "gold", v1alpha1.ImageKindLabel: "debianservers", v1alpha1.ImageKindRevisionLabel: kind.Revision(),
	}; !maps.Equal(made.Labels, want) {
		t.Errorf("the Image has labels %v, want %v", made.Labels, want)
	}
	if want := map[string]string{
		"argocd.argoproj.io/tracking-id": "image", "argocd.argoproj.io.view.catalog.goldsmith.dev/tracking-id": "view",
	}; !maps.Equal(made.Annotations, want) {
		t.Errorf("the Image has annotations %v, want %v", made.Annotations, want)
	}
	if made.UID != image.UID {
		t.Errorf("the Image has UID %s", made.UID)
	}
	if got := viewOf(t, kind, made); jsonOf(t, got) != jsonOf(t, view) {
		t.Errorf("the view is\n%s\nwant\n%s", jsonOf(t, got), jsonOf(t, view))
	}
}

func TestMetadataThatIsRefused(t *testing.T) {
	kind := compile(t, debianServers)
	image := storedServer(t, kind)
	before := viewOf(t, kind, image)
	for _, test := range []struct {
		name   string
		change func(*unstructured.Unstructured)
		want   string
	}{
		{"another UID", func(u *unstructured.Unstructured) { u.SetUID("71c1bcbd-32a2-4ea8-9d4b-2b9c8de2f9f2") },
			`metadata.uid: Invalid value: "71c1bcbd-32a2-4ea8-9d4b-2b9c8de2f9f2": field is immutable`},
		{"a finalizer of deletions", func(u *unstructured.Unstructured) { u.SetFinalizers([]string{"example.com/a", "orphan"}) },
			`metadata.finalizers[1]: Forbidden: set the propagation policy of the deletion instead`},
	} {
		t.Run(test.name, func(t *testing.T) {
			view := before.DeepCopy()
			test.change(view)
			if _, err := kind.Put(t.Context(), view, before, image); err == nil || err.Error() != test.want {
				t.Errorf("the error is %v, want %s", err, test.want)
			}
		})
	}
	view := before.DeepCopy()
	view.SetUID(types.UID(""))
	if _, err := kind.Put(t.Context(), view, before, image); err != nil {
		t.Error(err)
	}
}

func TestSelector(t *testing.T) {
	kind := compile(t, debianServers)
	for _, test := range []struct{ view, want string }{
		{"", "catalog.goldsmith.dev/kind=debianservers"},
		{"app=web", "app=web,catalog.goldsmith.dev/kind=debianservers"},
		{"app.kubernetes.io/instance in (a,b),tier!=x", "app.kubernetes.io.view.catalog.goldsmith.dev/instance in (a,b),catalog.goldsmith.dev/kind=debianservers,tier!=x"},
		{"catalog.goldsmith.dev/kind=other", "catalog.goldsmith.dev.view.catalog.goldsmith.dev/kind=other,catalog.goldsmith.dev/kind=debianservers"},
		{"!applyset.kubernetes.io/part-of", "!applyset.kubernetes.io.view.catalog.goldsmith.dev/part-of,catalog.goldsmith.dev/kind=debianservers"},
	} {
		if got := kind.Selector(require.Value(labels.Parse(test.view))(t)).String(); got != test.want {
			t.Errorf("%q: %s, want %s", test.view, got, test.want)
		}
	}
	if got := kind.Selector(nil).String(); got != "catalog.goldsmith.dev/kind=debianservers" {
		t.Errorf("no selector: %s", got)
	}
	if _, selectable := kind.Selector(labels.Nothing()).Requirements(); selectable {
		t.Error("nothing selects something")
	}
}
