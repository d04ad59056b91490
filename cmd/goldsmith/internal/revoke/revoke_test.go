// SPDX-License-Identifier: Apache-2.0

package revoke

import (
	"bytes"
	"errors"
	"strings"
	"testing"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	clienttesting "k8s.io/client-go/testing"
	testingclock "k8s.io/utils/clock/testing"

	"goldsmith.dev/goldsmith/apis/generated/clientset/versioned/fake"
	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/cmd/goldsmith/internal/client"
)

var noon = time.Date(2026, time.May, 1, 12, 0, 0, 0, time.UTC)

// build returns a successful build, perhaps based on another.
func build(name, base string, revoked *v1alpha1.Revocation) *v1alpha1.ImageBuild {
	build := &v1alpha1.ImageBuild{ObjectMeta: metav1.ObjectMeta{Namespace: "team", Name: name}}
	build.Status = v1alpha1.ImageBuildStatus{Phase: v1alpha1.BuildSucceeded, Finished: true, Revoked: revoked, Resolved: &v1alpha1.ResolvedInputs{}}
	if base != "" {
		build.Status.Resolved.Base = &v1alpha1.BaseBuild{Name: base}
	}
	return build
}

func TestTellsWhatIsRevokedAndWhatIsBasedOnIt(t *testing.T) {
	now, later := &v1alpha1.Revocation{Reason: "why"}, &v1alpha1.Revocation{Reason: "why", EffectiveTime: new(metav1.NewTime(noon.Add(time.Hour)))}
	with := &v1alpha1.Revocation{Reason: "why", Origin: "once"}
	afterwards := &v1alpha1.Revocation{Reason: "why", EffectiveTime: new(metav1.NewTime(noon.Add(2 * time.Hour)))}
	for title, test := range map[string]struct {
		answer      runtime.Object
		refusal     error
		descendants bool
		dryRun      bool
		based       []runtime.Object
		revokes     []v1alpha1.ImageBuild // the builds after the request
		want        string
	}{
		"nothing is based on it": {answer: build("once", "", now), want: "once is revoked\n"},
		"it is revoked already":  {answer: build("once", "", &v1alpha1.Revocation{By: "anna", Reason: "wrong key"}), want: "once was revoked before: it was revoked by anna: wrong key\n"},
		"it is scheduled":        {answer: build("once", "", later), want: "once will be revoked at 2026-05-01T13:00:00Z\n"},
		"builds are based on it": {
			answer: build("once", "", now), based: []runtime.Object{build("web-1", "once", nil), build("shop-1", "web-1", nil), build("old-1", "once", now), build("other-1", "debian-6", nil)},
			want: "once is revoked\nbased on it, and not revoked: shop-1, web-1; --descendants revokes them, too\n",
		},
		"what is based on it is scheduled, too, or for later": {
			answer: build("once", "", later), based: []runtime.Object{build("web-1", "once", later), build("web-2", "once", afterwards)},
			want: "once will be revoked at 2026-05-01T13:00:00Z\nbased on it, and not revoked: web-2; --descendants revokes them, too\n",
		},
		"builds began in between": {
			answer: build("once", "", now), based: []runtime.Object{build("once", "", nil), build("web-1", "once", nil)}, descendants: true,
			want: "based on it, and to be revoked: web-1\nonce is revoked\nbased on it, and not revoked: web-1\n",
		},
		"what is based on it is revoked with it": {
			answer: build("once", "", now), based: []runtime.Object{build("once", "", nil), build("web-1", "once", nil), build("web-2", "once", nil)}, descendants: true,
			revokes: []v1alpha1.ImageBuild{*build("web-1", "once", with), *build("web-2", "once", with)},
			want:    "based on it, and to be revoked: web-1, web-2\nonce is revoked\nrevoked with it: web-1, web-2\n",
		},
		"a dry run": {
			answer: build("once", "", now), based: []runtime.Object{build("once", "", nil), build("web-1", "once", nil)}, descendants: true, dryRun: true,
			want: "based on it, and to be revoked: web-1\nonce is not revoked: --dry-run revokes nothing\n",
		},
		"what is based on a build that does not exist": {descendants: true, want: "error: no build named once in namespace team"},
		"there is no such build":                       {refusal: apierrors.NewNotFound(v1alpha1.Resource("imagebuilds"), "once"), want: "error: no build named once in namespace team"},
		"it is forbidden":                              {refusal: errors.New("forbidden"), want: "error: revoke build once: forbidden"},
	} {
		clients := fake.NewClientset(test.based...)
		clients.PrependReactor("create", "imagebuilds/revoke", func(action clienttesting.Action) (bool, runtime.Object, error) {
			if request := action.(clienttesting.CreateAction).GetObject().(*v1alpha1.RevokeRequest); request.Reason != "why" {
				t.Errorf("%s: the request is %+v", title, request)
			}
			dryRun := action.(clienttesting.CreateActionImpl).CreateOptions.DryRun
			if (len(dryRun) > 0) != test.dryRun {
				t.Errorf("%s: dry run %q", title, dryRun)
			}
			if test.revokes != nil {
				clients.PrependReactor("list", "imagebuilds", func(clienttesting.Action) (bool, runtime.Object, error) {
					return true, &v1alpha1.ImageBuildList{Items: test.revokes}, nil
				})
			}
			return true, test.answer, test.refusal
		})
		var out bytes.Buffer
		err := revoke(t.Context(), &client.Connection{Interface: clients, Namespace: "team"}, "once",
			&options{request: v1alpha1.RevokeRequest{Reason: "why", Descendants: test.descendants}, dryRun: test.dryRun}, testingclock.NewFakePassiveClock(noon), &out)
		check(t, title, out.String(), err, test.want)
	}
}

func TestTellsThatABuildIsRestored(t *testing.T) {
	for want, refusal := range map[string]error{
		"once is not revoked\nbased on it, and still revoked: web-1\n":                                                            nil,
		"error: no build named once in namespace team: it has web-1, web-2: `goldsmith kubectl get images,imagebuilds` lists all": apierrors.NewNotFound(v1alpha1.Resource("imagebuilds"), "once"),
		"error: restore build once: forbidden":                                                                                    errors.New("forbidden"),
	} {
		clients := fake.NewClientset(build("web-1", "once", &v1alpha1.Revocation{Reason: "why"}), build("web-2", "once", nil))
		clients.PrependReactor("create", "imagebuilds/restore", func(clienttesting.Action) (bool, runtime.Object, error) {
			return true, build("once", "", nil), refusal
		})
		var out bytes.Buffer
		err := restore(t.Context(), &client.Connection{Interface: clients, Namespace: "team"}, "once", &v1alpha1.RestoreRequest{}, &out)
		check(t, want, out.String(), err, want)
	}
}

func check(t *testing.T, title, out string, err error, want string) {
	t.Helper()
	if message, isError := strings.CutPrefix(want, "error: "); isError {
		if err == nil || err.Error() != message {
			t.Errorf("%s: got error %v, want %q", title, err, message)
		}
		return
	}
	if err != nil || out != want {
		t.Errorf("%s: got %q, error %v, want %q", title, out, err, want)
	}
}
