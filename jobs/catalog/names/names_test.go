// SPDX-License-Identifier: Apache-2.0

package names

import (
	"encoding/json"
	"os"
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
)

// expectErrors compares errors with their texts, one a line.
func expectErrors(t *testing.T, errs field.ErrorList, want string) {
	t.Helper()
	lines := make([]string, len(errs))
	for i, err := range errs {
		lines[i] = err.Error()
	}
	if got := strings.Join(lines, "\n"); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func debian() *v1alpha1.ImageKind {
	return &v1alpha1.ImageKind{
		ObjectMeta: metav1.ObjectMeta{Name: "debianservers"},
		Spec: v1alpha1.ImageKindSpec{
			Names:    v1alpha1.ImageKindNames{Kind: "DebianServer", ShortNames: []string{"deb"}, Categories: []string{"catalog"}},
			Versions: []v1alpha1.ImageKindVersion{{Name: "v1"}},
		},
	}
}

func TestNames(t *testing.T) {
	const (
		label  = `a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an alphabetic character, and end with an alphanumeric character (e.g. 'my-name',  or 'abc-123', regex used for validation is '[a-z]([-a-z0-9]*[a-z0-9])?')`
		clash  = ", and clients that are given no group would confuse both"
		letter = `must be letters and digits, of which the first is an upper-case letter`
	)
	for _, test := range []struct {
		name   string
		change func(*v1alpha1.ImageKind)
		want   string
	}{
		{"valid", func(*v1alpha1.ImageKind) {}, ""},
		{"category all", func(k *v1alpha1.ImageKind) { k.Spec.Names.Categories = []string{"all"} }, ""},
		{"a namespace", func(k *v1alpha1.ImageKind) { k.Namespace = "red" }, `metadata.namespace: Forbidden: an ImageKind belongs to no namespace: leave it out`},
		{"no plural", func(k *v1alpha1.ImageKind) { k.Name = "" }, `metadata.name: Invalid value: "": ` + label},
		{"plural with a dot", func(k *v1alpha1.ImageKind) { k.Name = "a.b" }, `metadata.name: Invalid value: "a.b": ` + label},
		{"long plural", func(k *v1alpha1.ImageKind) { k.Name = strings.Repeat("a", 64) }, `metadata.name: Invalid value: "` + strings.Repeat("a", 64) + `": must be no more than 63 characters`},
		{"lower-case kind", func(k *v1alpha1.ImageKind) { k.Spec.Names.Kind = "debian" }, `spec.names.kind: Invalid value: "debian": ` + letter},
		{"singular", func(k *v1alpha1.ImageKind) { k.Spec.Names.Singular = "-" }, `spec.names.singular: Invalid value: "-": ` + label},
		{"short name twice", func(k *v1alpha1.ImageKind) { k.Spec.Names.ShortNames = []string{"deb", "deb"} }, `spec.names.shortNames[1]: Duplicate value: "deb"`},
		{"short name as singular", func(k *v1alpha1.ImageKind) { k.Spec.Names.ShortNames = []string{"debianserver"} }, `spec.names.shortNames[0]: Duplicate value: "debianserver"`},
		{"category twice", func(k *v1alpha1.ImageKind) { k.Spec.Names.Categories = []string{"a", "b", "a"} }, `spec.names.categories[2]: Duplicate value: "a"`},
		{"version", func(k *v1alpha1.ImageKind) { k.Spec.Versions[0].Name = "v2" }, `spec.versions[0].name: Unsupported value: "v2": supported values: "v1", "v1beta1", "v1alpha1"`},

		{"plural of Images", func(k *v1alpha1.ImageKind) { k.Name = "images" }, `metadata.name: Invalid value: "images": is a name of the kind Image` + clash},
		{"kind of Images", func(k *v1alpha1.ImageKind) { k.Spec.Names.Kind = "Image" }, `spec.names.kind: Invalid value: "Image": is a name of the kind Image` + clash},
		{"kind of lists of Images", func(k *v1alpha1.ImageKind) { k.Spec.Names.Kind = "ImageList" }, `spec.names.kind: Invalid value: "ImageList": is a name of the kind Image` + clash},
		{"kind Pod", func(k *v1alpha1.ImageKind) { k.Spec.Names.Kind = "Pod" }, `spec.names.kind: Invalid value: "Pod": is a name of the kind Pod` + clash},
		{"singular from a kind", func(k *v1alpha1.ImageKind) { k.Spec.Names.Kind = "POD" }, `spec.names.kind: Invalid value: "pod": is a name of the kind Pod` + clash},
		{"short name of Pod", func(k *v1alpha1.ImageKind) { k.Spec.Names.ShortNames = []string{"deb", "po"} }, `spec.names.shortNames[1]: Invalid value: "po": is a name of the kind Pod` + clash},
		{"short name of Image", func(k *v1alpha1.ImageKind) { k.Spec.Names.ShortNames = []string{"img"} }, `spec.names.shortNames[0]: Invalid value: "img": is a name of the kind Image` + clash},
		{"category that hides Secrets", func(k *v1alpha1.ImageKind) { k.Spec.Names.Categories = []string{"secrets"} }, `spec.names.categories[0]: Invalid value: "secrets": is a name of the kind Secret` + clash},
		{"kind of every group", func(k *v1alpha1.ImageKind) { k.Spec.Names.Kind = "WatchEvent" }, `spec.names.kind: Invalid value: "WatchEvent": is a name of the kind WatchEvent` + clash},
	} {
		t.Run(test.name, func(t *testing.T) {
			kind := debian()
			test.change(kind)
			expectErrors(t, Check(kind), test.want)
		})
	}
}

func TestNamesOfAnotherKind(t *testing.T) {
	for _, test := range []struct {
		name  string
		other v1alpha1.ImageKind
		want  string
	}{
		{"nothing in common", v1alpha1.ImageKind{
			ObjectMeta: metav1.ObjectMeta{Name: "desktops"}, Spec: v1alpha1.ImageKindSpec{Names: v1alpha1.ImageKindNames{Kind: "Desktop"}},
		}, ""},
		{"a category in common", v1alpha1.ImageKind{
			ObjectMeta: metav1.ObjectMeta{Name: "desktops"}, Spec: v1alpha1.ImageKindSpec{Names: v1alpha1.ImageKindNames{Kind: "Desktop", Categories: []string{"catalog"}}},
		}, ""},
		{"its short name is our singular", v1alpha1.ImageKind{
			ObjectMeta: metav1.ObjectMeta{Name: "desktops"}, Spec: v1alpha1.ImageKindSpec{Names: v1alpha1.ImageKindNames{Kind: "Desktop", ShortNames: []string{"debianserver"}}},
		}, `spec.names.kind: Duplicate value: "debianserver": is a name of the ImageKind desktops`},
		{"its plural is our short name", v1alpha1.ImageKind{
			ObjectMeta: metav1.ObjectMeta{Name: "deb"}, Spec: v1alpha1.ImageKindSpec{Names: v1alpha1.ImageKindNames{Kind: "Desktop"}},
		}, `spec.names.shortNames[0]: Duplicate value: "deb": is a name of the ImageKind deb`},
		{"its kind is our kind of lists", v1alpha1.ImageKind{
			ObjectMeta: metav1.ObjectMeta{Name: "desktops"}, Spec: v1alpha1.ImageKindSpec{Names: v1alpha1.ImageKindNames{Kind: "DebianServerList"}},
		}, `spec.names.kind: Duplicate value: "DebianServerList": is the kind, or the kind of lists, of the ImageKind desktops`},
		{"its category hides us", v1alpha1.ImageKind{
			ObjectMeta: metav1.ObjectMeta{Name: "desktops"}, Spec: v1alpha1.ImageKindSpec{Names: v1alpha1.ImageKindNames{Kind: "Desktop", Categories: []string{"deb"}}},
		}, `spec.names.shortNames[0]: Duplicate value: "deb": is a category of the ImageKind desktops`},
		{"our kind", v1alpha1.ImageKind{
			ObjectMeta: metav1.ObjectMeta{Name: "desktops"}, Spec: v1alpha1.ImageKindSpec{Names: v1alpha1.ImageKindNames{Kind: "DebianServer"}},
		}, `spec.names.kind: Duplicate value: "DebianServer": is the kind, or the kind of lists, of the ImageKind desktops`},
		{"our category hides it", v1alpha1.ImageKind{
			ObjectMeta: metav1.ObjectMeta{Name: "catalog"}, Spec: v1alpha1.ImageKindSpec{Names: v1alpha1.ImageKindNames{Kind: "Desktop"}},
		}, `spec.names.categories[0]: Duplicate value: "catalog": is a name of the ImageKind catalog`},
	} {
		t.Run(test.name, func(t *testing.T) {
			expectErrors(t, Conflicts(debian(), &test.other), test.want)
		})
	}
}

// TestEveryResourceOfGoldsmithIsBuiltIn compares the list with what servers publish.
func TestEveryResourceOfGoldsmithIsBuiltIn(t *testing.T) {
	text, err := os.ReadFile("../../../apis/generated/discovery/v1alpha1.json")
	if err != nil {
		t.Fatal(err)
	}
	published := metav1.APIResourceList{}
	if err := json.Unmarshal(text, &published); err != nil || len(published.APIResources) == 0 {
		t.Fatalf("read %d resources: %v", len(published.APIResources), err)
	}
	for _, resource := range published.APIResources {
		if strings.Contains(resource.Name, "/") {
			continue
		}
		for _, name := range append(resource.ShortNames, resource.Name, resource.SingularName) {
			if builtIn.resources[name] != resource.Kind {
				t.Errorf("%s is a name of %s, and is missing in the list", name, resource.Kind)
			}
		}
	}
}
