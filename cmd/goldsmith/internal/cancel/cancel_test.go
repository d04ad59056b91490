// SPDX-License-Identifier: Apache-2.0

package cancel

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime"
	clienttesting "k8s.io/client-go/testing"

	"goldsmith.dev/goldsmith/apis/generated/clientset/versioned/fake"
	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/cmd/goldsmith/internal/client"
)

func TestSaysWhatBecameOfTheBuild(t *testing.T) {
	running := &v1alpha1.ImageBuild{Status: v1alpha1.ImageBuildStatus{Phase: v1alpha1.BuildRunning}}
	finished := &v1alpha1.ImageBuild{Status: v1alpha1.ImageBuildStatus{Phase: v1alpha1.BuildSucceeded, Finished: true}}
	for _, test := range []struct {
		answer  runtime.Object
		refusal error
		want    string
	}{
		{answer: running, want: "once is being cancelled\n"},
		{answer: finished, want: "once had finished already: Succeeded\n"},
		{refusal: apierrors.NewNotFound(v1alpha1.Resource("imagebuilds"), "once"), want: "error: no build named once in namespace team"},
		{refusal: errors.New("reason: Too long"), want: "error: cancel build once: reason: Too long"},
	} {
		clients := fake.NewClientset()
		clients.PrependReactor("create", "imagebuilds/cancel", func(action clienttesting.Action) (bool, runtime.Object, error) {
			if reason := action.(clienttesting.CreateAction).GetObject().(*v1alpha1.CancelRequest).Reason; reason != "why" {
				t.Errorf("the reason is %q", reason)
			}
			return true, test.answer, test.refusal
		})
		var out bytes.Buffer
		err := run(t.Context(), &client.Connection{Interface: clients, Namespace: "team"}, "once", "why", &out)
		if message, isError := strings.CutPrefix(test.want, "error: "); isError {
			if err == nil || err.Error() != message {
				t.Errorf("got error %v, want %q", err, message)
			}
			continue
		}
		if err != nil || out.String() != test.want {
			t.Errorf("got %q, error %v, want %q", &out, err, test.want)
		}
	}
}
