// SPDX-License-Identifier: Apache-2.0

package suspend

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	clienttesting "k8s.io/client-go/testing"

	"goldsmith.dev/goldsmith/apis/generated/clientset/versioned/fake"
	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/cmd/goldsmith/internal/client"
	"goldsmith.dev/goldsmith/cmd/goldsmith/internal/output"
)

func TestSetsOneFieldUnlessItIsSetAlready(t *testing.T) {
	suspend, resume := &change{verb: "suspend", done: "suspended", suspend: true}, &change{verb: "resume", done: "resumed"}
	for name, test := range map[string]struct {
		wanted  *change
		image   string
		before  *bool
		format  output.Format
		refusal error
		patches []string
		want    string
	}{
		"suspends": {
			wanted: suspend, image: "web", before: new(false),
			patches: []string{`{"spec":{"suspend":true}}`}, want: "image web suspended\n",
		},
		"suspends an image without the field": {
			wanted: suspend, image: "web",
			patches: []string{`{"spec":{"suspend":true}}`}, want: "image web suspended\n",
		},
		"suspends a suspended image": {wanted: suspend, image: "web", before: new(true), want: "image web was suspended already\n"},
		"resumes": {
			wanted: resume, image: "web", before: new(true),
			patches: []string{`{"spec":{"suspend":false}}`}, want: "image web resumed\n",
		},
		"resumes an image that is not suspended":  {wanted: resume, image: "web", before: new(false), want: "image web was not suspended\n"},
		"resumes an image without the field":      {wanted: resume, image: "web", want: "image web was not suspended\n"},
		"prints the name of the image it changed": {wanted: resume, image: "web", before: new(true), format: output.Name, patches: []string{`{"spec":{"suspend":false}}`}, want: "image.images.goldsmith.dev/web\n"},
		"prints the name of the image it left":    {wanted: suspend, image: "web", before: new(true), format: output.Name, want: "image.images.goldsmith.dev/web\n"},
		"suspends no image that does not exist":   {wanted: suspend, image: "gone", want: "error: no image named gone in namespace team: it has web: `goldsmith kubectl get images,imagebuilds` lists all"},
		"resumes no image that does not exist":    {wanted: resume, image: "gone", want: "error: no image named gone in namespace team: it has web: `goldsmith kubectl get images,imagebuilds` lists all"},
		"reports a refusal": {
			wanted: suspend, image: "web", refusal: errors.New("forbidden"),
			patches: []string{`{"spec":{"suspend":true}}`}, want: "error: suspend image web: forbidden",
		},
	} {
		t.Run(name, func(t *testing.T) {
			clients := fake.NewClientset(&v1alpha1.Image{ObjectMeta: metav1.ObjectMeta{Namespace: "team", Name: "web"}, Spec: v1alpha1.ImageSpec{Suspend: test.before}})
			var patches []string
			clients.PrependReactor("patch", "images", func(action clienttesting.Action) (bool, runtime.Object, error) {
				patch := action.(clienttesting.PatchAction)
				if patch.GetPatchType() != types.MergePatchType {
					t.Errorf("the patch is a %s", patch.GetPatchType())
				}
				patches = append(patches, string(patch.GetPatch()))
				return true, &v1alpha1.Image{ObjectMeta: metav1.ObjectMeta{Name: patch.GetName()}}, test.refusal
			})
			var out bytes.Buffer
			err := test.wanted.run(t.Context(), &client.Connection{Interface: clients, Namespace: "team"}, test.image, test.format, &out)
			if diff := cmp.Diff(test.patches, patches); diff != "" {
				t.Errorf("patches (-want +got):\n%s", diff)
			}
			if message, isError := strings.CutPrefix(test.want, "error: "); isError {
				if err == nil || err.Error() != message || out.Len() > 0 {
					t.Errorf("got %q, error %v, want %q", &out, err, message)
				}
				return
			}
			if err != nil || out.String() != test.want {
				t.Errorf("got %q, error %v, want %q", &out, err, test.want)
			}
		})
	}
}
