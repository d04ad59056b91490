// SPDX-License-Identifier: Apache-2.0

package promote

import (
	"bytes"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/validation/field"
	clienttesting "k8s.io/client-go/testing"

	"goldsmith.dev/goldsmith/apis/generated/clientset/versioned/fake"
	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/cmd/goldsmith/internal/client"
	"goldsmith.dev/goldsmith/e2e/require"
)

// image serves the channels of an Image that other users may change at the same time.
type image struct {
	version  string
	channels []v1alpha1.ImageChannel
	// meanwhile has changes by other users. Before each update, the server makes the next change.
	meanwhile []func(*image)
	// refusal is the answer to every update, unless it is nil.
	refusal error
	updates int
}

func (i *image) serve(clients *fake.Clientset) {
	clients.PrependReactor("get", "images/channels", func(clienttesting.Action) (bool, runtime.Object, error) {
		answer := &v1alpha1.ImageChannels{ObjectMeta: metav1.ObjectMeta{Name: "debian", Namespace: "team", ResourceVersion: i.version}}
		return true, (&v1alpha1.ImageChannels{ObjectMeta: answer.ObjectMeta, Channels: i.channels}).DeepCopy(), nil
	})
	clients.PrependReactor("update", "images/channels", func(action clienttesting.Action) (bool, runtime.Object, error) {
		i.updates++
		if len(i.meanwhile) > 0 {
			i.meanwhile[0](i)
			i.meanwhile = i.meanwhile[1:]
		}
		sent := action.(clienttesting.UpdateAction).GetObject().(*v1alpha1.ImageChannels)
		if sent.ResourceVersion != i.version {
			return true, nil, apierrors.NewConflict(v1alpha1.Resource("images"), "debian", errors.New("it has changed"))
		}
		if i.refusal != nil {
			return true, nil, i.refusal
		}
		i.channels, i.version = sent.Channels, i.version+"0"
		return true, sent, nil
	})
}

var noon = metav1.Date(2026, time.May, 1, 12, 0, 0, 0, time.UTC)

func TestMovesAChannel(t *testing.T) {
	touch := func(i *image) { i.version += "1" }
	moveTo := func(build string) func(*image) {
		return func(i *image) {
			i.version += "1"
			i.channels = []v1alpha1.ImageChannel{{Name: "stable", Build: build, By: "eve", Time: noon}}
		}
	}
	remove := func(i *image) { i.version, i.channels = i.version+"1", nil }
	five, seven, none := "debian-5", "debian-7", ""
	for _, test := range []struct {
		name      string
		before    string // build that the channel names before the test; empty for no channel
		from      *string
		meanwhile []func(*image)
		refusal   error
		want      string
		updates   int
	}{
		{name: "from another build", before: five, want: "channel stable of image debian: debian-5 → debian-7\n", updates: 1},
		{name: "that is new", want: "channel stable of image debian: none → debian-7\n", updates: 1},
		{name: "that is there already", before: seven, want: "channel stable of image debian is debian-7 already\n"},
		{name: "that is there already, whatever it was", before: seven, from: &five, want: "channel stable of image debian is debian-7 already\n"},
		{name: "from the build that was said", before: five, from: &five, want: "debian-5 → debian-7\n", updates: 1},
		{name: "that was said to be new", from: &none, want: "none → debian-7\n", updates: 1},
		{name: "from another build than was said", before: "debian-6", from: &five,
			want: "error: move channel stable of image debian to debian-7: channel was expected to name debian-5, but names debian-6, moved by ann at 2026-05-01T12:00:00Z"},
		{name: "that was said to be new and is not", before: five, from: &none, want: "error: channel was expected to name none, but names debian-5"},
		{name: "that was said to be and is not", from: &five, want: "error: channel was expected to name debian-5, but names none"},
		{name: "of an Image that changes", before: five, meanwhile: []func(*image){touch, touch}, want: "debian-5 → debian-7\n", updates: 3},
		{name: "of an Image that changes all the time", before: five, meanwhile: []func(*image){touch, touch, touch, touch, touch},
			want: "error: it has changed", updates: 4},
		{name: "that somebody else moves", before: five, meanwhile: []func(*image){moveTo("debian-6")},
			want: "error: channel was expected to name debian-5, but names debian-6, moved by eve at 2026-05-01T12:00:00Z", updates: 1},
		{name: "that somebody else moves to the same", before: five, meanwhile: []func(*image){moveTo(seven)},
			want: "channel stable of image debian is debian-7 already\n", updates: 1},
		{name: "that somebody else removes", before: five, meanwhile: []func(*image){remove}, want: "error: channel was expected to name debian-5, but names none", updates: 1},
		{name: "to a build that failed", before: five, refusal: errors.New("channels[0].build: Invalid value: it is Failed"),
			want: "error: move channel stable of image debian to debian-7: channels[0].build: Invalid value: it is Failed", updates: 1},
	} {
		t.Run(test.name, func(t *testing.T) {
			served := &image{version: "1", meanwhile: test.meanwhile, refusal: test.refusal}
			if test.before != "" {
				served.channels = []v1alpha1.ImageChannel{{Name: "beta", Build: "debian-9"}, {Name: "stable", Build: test.before, By: "ann", Time: noon}}
			}
			clients := fake.NewClientset(build("debian-7", "debian"))
			served.serve(clients)
			var out bytes.Buffer
			err := run(t.Context(), &client.Connection{Interface: clients, Namespace: "team"},
				&move{build: "debian-7", channel: "stable", from: test.from}, &out)
			if served.updates != test.updates {
				t.Errorf("%d updates, want %d", served.updates, test.updates)
			}
			if message, isError := strings.CutPrefix(test.want, "error: "); isError {
				if err == nil || !strings.Contains(err.Error(), message) || out.Len() > 0 {
					t.Errorf("got %q, error %v, want %q", &out, err, message)
				}
				return
			}
			if err != nil || !strings.HasSuffix(out.String(), test.want) {
				t.Errorf("got %q, error %v, want %q", &out, err, test.want)
			}
			if len(served.channels) == 0 || served.channels[len(served.channels)-1].Build != "debian-7" {
				t.Errorf("left %v", served.channels)
			}
		})
	}
}

func TestOtherChannelsStayAsTheyAre(t *testing.T) {
	served := &image{version: "1", channels: []v1alpha1.ImageChannel{{Name: "beta", Build: "debian-9"}, {Name: "stable", Build: "debian-5"}}}
	clients := fake.NewClientset(build("debian-7", "debian"))
	served.serve(clients)
	require.NoError(t, run(t.Context(), &client.Connection{Interface: clients, Namespace: "team"}, &move{build: "debian-7", channel: "stable"}, &bytes.Buffer{}))
	want := []v1alpha1.ImageChannel{{Name: "beta", Build: "debian-9"}, {Name: "stable", Build: "debian-7"}}
	if diff := cmp.Diff(want, served.channels); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestEverythingThatIsMissingIsListed(t *testing.T) {
	path := field.NewPath("channels").Index(1).Child("build")
	refusal := apierrors.NewInvalid(v1alpha1.Kind("ImageChannels").GroupKind(), "debian", field.ErrorList{
		field.Forbidden(path, "debian-7 failed test web: correct the image"), field.Forbidden(path, "the artifacts of debian-7 are not signed"),
	})
	clients := fake.NewClientset(build("debian-7", "debian"))
	(&image{version: "1", refusal: refusal}).serve(clients)
	err := run(t.Context(), &client.Connection{Interface: clients, Namespace: "team"}, &move{build: "debian-7", channel: "stable"}, &bytes.Buffer{})
	const want = `channel stable of image debian does not move to debian-7:
  - debian-7 failed test web: correct the image
  - the artifacts of debian-7 are not signed
to move it anyway, tell why with --override REASON, which needs the role admin`
	if err == nil || err.Error() != want {
		t.Errorf("got %v", err)
	}
}

func TestAnOverrideIsForOneMove(t *testing.T) {
	earlier, wanted := &v1alpha1.ChannelOverride{Reason: "burned down", By: "ann"}, &v1alpha1.ChannelOverride{Reason: "flooded"}
	for _, override := range []*v1alpha1.ChannelOverride{nil, wanted} {
		served := &image{version: "1", channels: []v1alpha1.ImageChannel{{Name: "stable", Build: "debian-5", Override: earlier}}}
		clients := fake.NewClientset(build("debian-7", "debian"))
		served.serve(clients)
		require.NoError(t, run(t.Context(), &client.Connection{Interface: clients, Namespace: "team"},
			&move{build: "debian-7", channel: "stable", override: override}, &bytes.Buffer{}))
		if diff := cmp.Diff([]v1alpha1.ImageChannel{{Name: "stable", Build: "debian-7", Override: override}}, served.channels); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	}
}

func TestOnlyBuildsOfAnImageArePromoted(t *testing.T) {
	for name, want := range map[string]string{
		"alone": "build alone has no image",
		"gone":  "no build named gone in namespace team",
	} {
		clients := fake.NewClientset(build("alone", ""))
		err := run(t.Context(), &client.Connection{Interface: clients, Namespace: "team"}, &move{build: name, channel: "stable"}, &bytes.Buffer{})
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got error %v, want %q", name, err, want)
		}
	}
}

func build(name, image string) *v1alpha1.ImageBuild {
	build := &v1alpha1.ImageBuild{ObjectMeta: metav1.ObjectMeta{Namespace: "team", Name: name}}
	if image != "" {
		build.Spec.ImageRef = &v1alpha1.ImageReference{Name: image}
	}
	return build
}
