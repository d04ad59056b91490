// SPDX-License-Identifier: Apache-2.0

package output

import (
	"bytes"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/e2e/require"
)

func TestObjectsArePrintedWithTheirKinds(t *testing.T) {
	managed := []metav1.ManagedFieldsEntry{{Manager: "kubectl"}}
	channels := &v1alpha1.ImageChannels{ObjectMeta: metav1.ObjectMeta{Name: "debian", ManagedFields: managed}}
	queued := &v1alpha1.QueuedBuildList{Items: []v1alpha1.QueuedBuild{
		{ObjectMeta: metav1.ObjectMeta{Name: "debian-1"}, Status: v1alpha1.QueuedBuildStatus{Position: 1}},
		{ObjectMeta: metav1.ObjectMeta{Name: "debian-2"}, Status: v1alpha1.QueuedBuildStatus{Position: 2}},
	}}
	mixed := &corev1.List{TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "List"}, Items: []runtime.RawExtension{{Object: channels}}}
	for _, test := range []struct {
		format Format
		object runtime.Object
		want   string
	}{
		{Name, channels, "imagechannels.images.goldsmith.dev/debian\n"},
		{Name, queued, "queuedbuild.images.goldsmith.dev/debian-1\nqueuedbuild.images.goldsmith.dev/debian-2\n"},
		{Name, mixed, "imagechannels.images.goldsmith.dev/debian\n"},
		{Name, &v1alpha1.QueuedBuildList{}, ""},
		{YAML, channels, "apiVersion: images.goldsmith.dev/v1alpha1\nkind: ImageChannels\nmetadata:\n  name: debian\n"},
		{YAML, mixed, `apiVersion: v1
items:
- apiVersion: images.goldsmith.dev/v1alpha1
  kind: ImageChannels
  metadata:
    name: debian
kind: List
metadata: {}
`},
		{JSON, channels, `{
    "kind": "ImageChannels",
    "apiVersion": "images.goldsmith.dev/v1alpha1",
    "metadata": {
        "name": "debian"
    }
}
`},
		{YAML, queued, `apiVersion: images.goldsmith.dev/v1alpha1
items:
- apiVersion: images.goldsmith.dev/v1alpha1
  kind: QueuedBuild
  metadata:
    name: debian-1
  status:
    position: 1
- apiVersion: images.goldsmith.dev/v1alpha1
  kind: QueuedBuild
  metadata:
    name: debian-2
  status:
    position: 2
kind: QueuedBuildList
metadata: {}
`},
		{Name, &v1alpha1.ImageChanges{ObjectMeta: metav1.ObjectMeta{Name: "debian"}, Items: []v1alpha1.ImageChange{{User: "jane"}}}, "imagechanges.images.goldsmith.dev/debian\n"},
		{YAML, &v1alpha1.ImageHistory{Items: []v1alpha1.BuildRecord{{Name: "debian-1", UID: "a"}}}, `apiVersion: images.goldsmith.dev/v1alpha1
items:
- name: debian-1
  uid: a
kind: ImageHistory
metadata: {}
`},
		{"jsonpath={.items[*].metadata.name}", queued, "debian-1 debian-2"},
		{"jsonpath={.kind}/{.metadata.name}", channels, "ImageChannels/debian"},
		{"go-template={{range .items}}{{.status.position}},{{end}}", queued, "1,2,"},
		{"custom-columns=NAME:.metadata.name,KIND:.kind,AT:.status.position", queued, "NAME       KIND          AT\ndebian-1   QueuedBuild   1\ndebian-2   QueuedBuild   2\n"},
		{"custom-columns=NAME:.metadata.name", channels, "NAME\ndebian\n"},
		{"custom-columns=NAME:.metadata.name", mixed, "NAME\ndebian\n"},
		{"custom-columns=NAME:.name,UID:.uid", &v1alpha1.ImageHistory{Items: []v1alpha1.BuildRecord{{Name: "debian-1", UID: "a"}}}, "NAME       UID\ndebian-1   a\n"},
		{"custom-columns=NAME:.name", &v1alpha1.ImageHistory{Items: []v1alpha1.BuildRecord{}}, "NAME\n"},
	} {
		var out bytes.Buffer
		if err := test.format.Print(test.object, &out); err != nil || out.String() != test.want {
			t.Errorf("%T as %s: got error %v and\n%s\nwant\n%s", test.object, test.format, err, &out, test.want)
		}
	}
	if channels.Kind != "" || len(channels.ManagedFields) == 0 || queued.Items[0].Kind != "" {
		t.Error("printing has changed what it printed")
	}
}

func TestWhatIsNoFormatIsRefused(t *testing.T) {
	for _, text := range []string{"", "JSON", "table", "jsonpath", "jsonpath=", "jsonpath={.a", "go-template={{", "custom-columns=", "custom-columns=NAME"} {
		format := Format(YAML)
		if err := format.Set(text); err == nil || format != YAML {
			t.Errorf("%q: got %q, error %v", text, format, err)
		}
	}
	for _, text := range append([]string{"jsonpath={.a}", "go-template={{.a}}", "custom-columns=A:.a"}, formats...) {
		format := Format("")
		if err := format.Set(text); err != nil || string(format) != text {
			t.Errorf("%q: got %q, error %v", text, format, err)
		}
	}
}

func TestFormatsAreCompleted(t *testing.T) {
	for begun, want := range map[string]struct {
		formats   []string
		directive cobra.ShellCompDirective
	}{
		"":    {[]string{"json", "yaml", "name", "wide", "jsonpath=", "go-template=", "custom-columns="}, cobra.ShellCompDirectiveNoFileComp},
		"js":  {[]string{"json", "jsonpath="}, cobra.ShellCompDirectiveNoFileComp},
		"cus": {[]string{"custom-columns="}, cobra.ShellCompDirectiveNoFileComp | cobra.ShellCompDirectiveNoSpace},
		"t":   {nil, cobra.ShellCompDirectiveNoFileComp},
	} {
		if formats, directive := completeFormat(nil, nil, begun); !slices.Equal(formats, want.formats) || directive != want.directive {
			t.Errorf("%q: got %q, %d, want %q, %d", begun, formats, directive, want.formats, want.directive)
		}
	}
}

func TestWhatHasNoNameIsNotPrintedAsOne(t *testing.T) {
	format := Format(Name)
	for _, object := range []runtime.Object{
		&v1alpha1.ImageStats{},
		&v1alpha1.ImageChanges{Items: []v1alpha1.ImageChange{{User: "jane"}}},
		&v1alpha1.ImageNoteList{Items: []v1alpha1.ImageNote{{}}},
	} {
		var out bytes.Buffer
		if err := format.Print(object, &out); err == nil || !strings.HasSuffix(err.Error(), " has no name to print: use -o json or -o yaml") || out.Len() > 0 {
			t.Errorf("%T: got %q, error %v", object, &out, err)
		}
	}
}

func TestPrintingNeedsAFormatAndAKindThatIsKnown(t *testing.T) {
	yaml := Format(YAML)
	for _, format := range []Format{"", Wide} {
		if err := format.Print(&v1alpha1.Image{}, &bytes.Buffer{}); err == nil {
			t.Errorf("format %q: no error", format)
		}
	}
	if err := yaml.Print(&corev1.Pod{}, &bytes.Buffer{}); err == nil {
		t.Error("of a Pod without a kind: no error")
	}
}

func TestObjectsForProgramsAreNotEscaped(t *testing.T) {
	note := &v1alpha1.ImageNote{ObjectMeta: metav1.ObjectMeta{Name: "debian"}, NoteRecord: v1alpha1.NoteRecord{Text: "a\u202eb"}}
	for _, format := range []Format{JSON, YAML} {
		var out, escaped bytes.Buffer
		require.NoError(t, format.Print(note, &out))
		if err := format.Print(note, NewEscaping(&escaped)); err != nil || escaped.String() != out.String() {
			t.Errorf("%s: %q, not %q: %v", format, &escaped, &out, err)
		}
	}
}
