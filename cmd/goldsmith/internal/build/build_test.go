// SPDX-License-Identifier: Apache-2.0

package build

import (
	"bytes"
	"errors"
	"io"
	"strings"
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

func TestParametersAreNamesAndValues(t *testing.T) {
	for _, test := range []struct {
		written []string
		want    []v1alpha1.Parameter
		err     string
	}{
		{written: nil},
		{written: []string{"edition=12", "flags=a=b,c"}, want: []v1alpha1.Parameter{{Name: "edition", Value: "12"}, {Name: "flags", Value: "a=b,c"}}},
		{written: []string{"empty="}, want: []v1alpha1.Parameter{{Name: "empty"}}},
		{written: []string{"edition"}, err: `--parameter "edition": must be NAME=VALUE, such as edition=12`},
		{written: []string{"=12"}, err: `"=12": must be`},
		{written: []string{""}, err: `"": must be`},
		{written: []string{"a=1", "a=2"}, err: `--parameter "a": name is set twice`},
	} {
		got, err := parseParameters(test.written)
		if test.err != "" {
			if err == nil || !strings.Contains(err.Error(), test.err) {
				t.Errorf("%q: got error %v, want %q", test.written, err, test.err)
			}
			continue
		}
		if err != nil || cmp.Diff(test.want, got) != "" {
			t.Errorf("%q: got %v, error %v", test.written, got, err)
		}
	}
}

func TestTheRequestIsWhatWasAskedFor(t *testing.T) {
	clients := fake.NewClientset()
	var got *v1alpha1.BuildRequest
	clients.PrependReactor("create", "images/instantiate", func(action clienttesting.Action) (bool, runtime.Object, error) {
		got = action.(clienttesting.CreateAction).GetObject().(*v1alpha1.BuildRequest)
		return true, &v1alpha1.ImageBuild{ObjectMeta: metav1.ObjectMeta{Name: "debian-7"}}, nil
	})
	parameters := []v1alpha1.Parameter{{Name: "edition", Value: "13"}}
	var out bytes.Buffer
	err := run(t.Context(), &client.Connection{Interface: clients, Namespace: "team"}, "debian", parameters, &request.Flags{ID: "nightly", Message: "why"}, follow.Options{Out: &out})
	if err != nil || out.String() != "debian-7\n" {
		t.Errorf("got %q, error %v", &out, err)
	}
	if diff := cmp.Diff(&v1alpha1.BuildRequest{RequestID: "nightly", Message: "why", Parameters: parameters}, got); diff != "" {
		t.Errorf("asked for something else (-want +got):\n%s", diff)
	}
}

func TestWhatTheServerRefusesIsSaid(t *testing.T) {
	for _, test := range []struct {
		answer error
		want   string
	}{
		{apierrors.NewNotFound(v1alpha1.Resource("images"), "debian"), "no image named debian in namespace team"},
		{apierrors.NewNotFound(v1alpha1.Resource("images"), "other"), `build image debian: images.images.goldsmith.dev "other" not found`},
		{errors.New("parameters[0].name: Invalid value"), "build image debian: parameters[0].name: Invalid value"},
	} {
		clients := fake.NewClientset()
		clients.PrependReactor("create", "images/instantiate", func(clienttesting.Action) (bool, runtime.Object, error) { return true, nil, test.answer })
		err := run(t.Context(), &client.Connection{Interface: clients, Namespace: "team"}, "debian", nil, &request.Flags{}, follow.Options{Out: io.Discard})
		if err == nil || err.Error() != test.want {
			t.Errorf("got %v, want %q", err, test.want)
		}
	}
}
