// SPDX-License-Identifier: Apache-2.0

package rerun

import (
	"bytes"
	"errors"
	"io"
	"testing"

	"github.com/google/go-cmp/cmp"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	clienttesting "k8s.io/client-go/testing"

	"goldsmith.dev/goldsmith/apis/generated/clientset/versioned/fake"
	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/cmd/goldsmith/internal/client"
	"goldsmith.dev/goldsmith/cmd/goldsmith/internal/follow"
	"goldsmith.dev/goldsmith/cmd/goldsmith/internal/request"
)

func TestTheRequestIsWhatWasAskedFor(t *testing.T) {
	clients := fake.NewClientset()
	var got *v1alpha1.RerunRequest
	clients.PrependReactor("create", "imagebuilds/rerun", func(action clienttesting.Action) (bool, runtime.Object, error) {
		if name := action.(clienttesting.CreateActionImpl).Name; name != "debian-2" {
			t.Errorf("a rerun of %s", name)
		}
		got = action.(clienttesting.CreateAction).GetObject().(*v1alpha1.RerunRequest)
		return true, &v1alpha1.ImageBuild{ObjectMeta: metav1.ObjectMeta{Name: "debian-7"}}, nil
	})
	var out bytes.Buffer
	err := run(t.Context(), &client.Connection{Interface: clients, Namespace: "team"}, "debian-2", &options{Flags: request.Flags{ID: "again", Message: "why"}, uid: "a"}, follow.Options{Out: &out})
	if err != nil || out.String() != "debian-7\n" {
		t.Errorf("got %q, error %v", &out, err)
	}
	if diff := cmp.Diff(&v1alpha1.RerunRequest{ObjectMeta: metav1.ObjectMeta{UID: "a"}, RequestID: "again", Message: "why"}, got); diff != "" {
		t.Errorf("asked for something else (-want +got):\n%s", diff)
	}
}

func TestWhatTheServerRefusesIsSaid(t *testing.T) {
	for _, test := range []struct {
		answer error
		want   string
	}{
		{apierrors.NewNotFound(v1alpha1.Resource("imagebuilds"), "once"), "no build named once in namespace team"},
		{apierrors.NewNotFound(v1alpha1.Resource("images"), "debian"), `rerun build once: images.images.goldsmith.dev "debian" not found`},
		{errors.New("it has no image: create it again"), "rerun build once: it has no image: create it again"},
	} {
		clients := fake.NewClientset()
		clients.PrependReactor("create", "imagebuilds/rerun", func(clienttesting.Action) (bool, runtime.Object, error) { return true, nil, test.answer })
		err := run(t.Context(), &client.Connection{Interface: clients, Namespace: "team"}, "once", &options{}, follow.Options{Out: io.Discard})
		if err == nil || err.Error() != test.want {
			t.Errorf("got %v, want %q", err, test.want)
		}
	}
}
