// SPDX-License-Identifier: Apache-2.0

package logs

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/spf13/cobra"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/rest"
	clienttesting "k8s.io/client-go/testing"
	"k8s.io/utils/clock"
	testclock "k8s.io/utils/clock/testing"

	"goldsmith.dev/goldsmith/apis/generated/clientset/versioned"
	"goldsmith.dev/goldsmith/apis/generated/clientset/versioned/fake"
	"goldsmith.dev/goldsmith/apis/generated/clientset/versioned/scheme"
	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/apis/notfound"
	"goldsmith.dev/goldsmith/cmd/goldsmith/internal/client"
	"goldsmith.dev/goldsmith/cmd/goldsmith/internal/follow"
	"goldsmith.dev/goldsmith/e2e/require"
)

func TestFlagsBecomeQueryParametersOnlyIfGiven(t *testing.T) {
	for line, want := range map[string]string{
		"":                                  "",
		"-f":                                "follow=true",
		"--tail 0":                          "tailLines=0",
		"--tail 5 --limit-bytes 9":          "limitBytes=9&tailLines=5",
		"--timestamps --attempt 2":          "attempt=2&timestamps=true",
		"--since-time 2026-01-02T03:04:05Z": "sinceTime=2026-01-02T03%3A04%3A05Z",
		"--since-time yesterday":            "error: --since-time",
		"--since 10m":                       "sinceTime=2026-01-02T11%3A50%3A00Z",
		"--since 2d":                        "sinceTime=2025-12-31T12%3A00%3A00Z",
		"--since 1d12h":                     "sinceTime=2026-01-01T00%3A00%3A00Z",
		"--since 2026-01-02T03:04:05Z":      "sinceTime=2026-01-02T03%3A04%3A05Z",
		"--since yesterday":                 "error: : must be a duration",
		"--since 0s":                        "error: : must be a duration",
		"--since=-1h":                       "error: : must be a duration",
		"--since=-1d":                       "error: : must be a duration",
	} {
		asked := &flags{}
		command := &cobra.Command{}
		asked.addTo(command)
		require.NoError(t, command.ParseFlags(strings.Fields(line)))
		options, err := asked.options(command.Flags().Changed, time.Date(2026, 1, 2, 12, 0, 0, 0, time.UTC))
		if message, isError := strings.CutPrefix(want, "error: "); isError {
			if err == nil || !strings.Contains(err.Error(), message) {
				t.Errorf("%q: got error %v, want %q", line, err, message)
			}
			continue
		}
		if err != nil {
			t.Errorf("%q: %v", line, err)
			continue
		}
		query, err := scheme.ParameterCodec.EncodeParameters(options, v1alpha1.SchemeGroupVersion)
		require.NoError(t, err)
		if got := query.Encode(); got != want {
			t.Errorf("%q: got %q, want %q", line, got, want)
		}
	}
}

func TestSinceTimeIsSentToTheNanosecond(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(out http.ResponseWriter, in *http.Request) {
		_, _ = io.WriteString(out, in.URL.String()) // the client compares what arrives
	}))
	defer server.Close()
	clients, err := versioned.NewForConfig(&rest.Config{Host: server.URL})
	require.NoError(t, err)
	since := metav1.NewTime(time.Date(2026, 3, 1, 12, 0, 0, 123456789, time.UTC))
	var got strings.Builder
	connection := &client.Connection{Interface: clients, Namespace: "team"}
	err = follow.Copy(t.Context(), connection.Log("web-1", v1alpha1.ImageBuildLogOptions{SinceTime: &since, Timestamps: true}), "build web-1", nil, &got)
	const want = "/apis/images.goldsmith.dev/v1alpha1/namespaces/team/imagebuilds/web-1/log?sinceTime=2026-03-01T12%3A00%3A00.123456789Z&timestamps=true"
	if err != nil || got.String() != want {
		t.Errorf("got %q, %v, want %q", got.String(), err, want)
	}
}

func TestTheLogOfATestedBuildBeginsWithThatOfItsArtifacts(t *testing.T) {
	build := &v1alpha1.ImageBuild{TypeMeta: metav1.TypeMeta{APIVersion: "images.goldsmith.dev/v1alpha1", Kind: "ImageBuild"}, ObjectMeta: metav1.ObjectMeta{Name: "web-1"}}
	build.Status.CurrentAttempt, build.Status.Attempts = 3, []v1alpha1.BuildAttempt{{Number: 1}, {Number: 2}, {Number: 3, Tests: []string{"boots"}}}
	server := httptest.NewServer(http.HandlerFunc(func(out http.ResponseWriter, in *http.Request) {
		if !strings.HasSuffix(in.URL.Path, "/log") {
			out.Header().Set("Content-Type", "application/json")
			_ = json.NewEncoder(out).Encode(build)
			return
		}
		_, _ = io.WriteString(out, "log of attempt "+in.URL.Query().Get("attempt")+"\n")
	}))
	defer server.Close()
	clients, err := versioned.NewForConfig(&rest.Config{Host: server.URL})
	require.NoError(t, err)
	for want, options := range map[string]v1alpha1.ImageBuildLogOptions{
		"log of attempt 2\n": {Timestamps: true}, "": {TailLines: new(int64(5))}, " ": {Attempt: new(int32(3))},
	} {
		var got strings.Builder
		err := copyBefore(t.Context(), &options, &client.Connection{Interface: clients, Namespace: "team"}, "web-1", &got)
		if err != nil || got.String() != strings.TrimSpace(want)+strings.Repeat("\n", strings.Count(want, "\n")) {
			t.Errorf("%+v: got %q, %v", options, got.String(), err)
		}
	}
}

func TestANameMeansABuildOrTheLatestBuildOfAnImage(t *testing.T) {
	for _, test := range []struct {
		name, want, stderr string
		kind               client.Kind
	}{
		{name: "debian-2", want: "debian-2"},
		{name: "debian", want: "debian-10", stderr: "debian-10"},
		{name: "both", want: "both"},
		{name: "both", kind: client.ImageBuild, want: "both"},
		{name: "both", kind: client.Image, want: "both-1", stderr: "both-1"},
		{name: "debian-2", kind: client.Image, want: "error: no image named debian-2 in namespace team"},
		{name: "debian", kind: client.ImageBuild, want: "error: no build named debian in namespace team"},
		{name: "fresh", want: "error: image fresh has no build yet"},
		{name: "nothing", want: "error: no image or build named nothing in namespace team"},
	} {
		t.Run(string(test.kind)+"/"+test.name, func(t *testing.T) {
			objects := []runtime.Object{image("debian"), image("both"), image("fresh"), standaloneBuild("both")}
			switch test.name { // the fake client ignores field selectors
			case "both":
				objects = append(objects, build("both", 1))
			case "debian", "debian-2":
				objects = append(objects, build("debian", 2), build("debian", 10), build("debian", 9))
			}
			connection := &client.Connection{Interface: fake.NewClientset(objects...), Namespace: "team"}
			var stderr bytes.Buffer
			got, err := (&wanted{name: test.name, kind: cmp.Or(test.kind, client.Either)}).find(t.Context(), connection, false, &stderr)
			if message, isError := strings.CutPrefix(test.want, "error: "); isError {
				if err == nil || !strings.Contains(err.Error(), message) {
					t.Errorf("got %q, error %v, want error %q", got, err, message)
				}
				return
			}
			if err != nil || got != test.want {
				t.Errorf("got %q, error %v, want %q", got, err, test.want)
			}
			if !strings.Contains(stderr.String(), test.stderr) || (test.stderr == "") != (stderr.Len() == 0) {
				t.Errorf("stderr %q, want %q", &stderr, test.stderr)
			}
		})
	}
}

func TestAStalledImageIsNotWaitedFor(t *testing.T) {
	stall := func(image *v1alpha1.Image, generation int64) *v1alpha1.Image {
		image.Generation = 2
		image.Status.Conditions = []metav1.Condition{{
			Type: v1alpha1.ImageStalled, Status: metav1.ConditionTrue, ObservedGeneration: generation, Reason: "BuilderNotFound", Message: "no builder is registered",
		}}
		return image
	}
	const want = "image fresh has no build and is stalled: BuilderNotFound: no builder is registered"
	for _, wait := range []bool{false, true} {
		connection := &client.Connection{Interface: fake.NewClientset(stall(image("fresh"), 2)), Namespace: "team"}
		if build, err := (&wanted{name: "fresh", kind: client.Either}).find(t.Context(), connection, wait, io.Discard); err == nil || err.Error() != want {
			t.Errorf("wait %t: got %q, error %v, want error %q", wait, build, err, want)
		}
	}
	condition := func(name, reason string) v1alpha1.Image {
		image := image("fresh")
		image.Generation = 2
		image.Status.Conditions = []metav1.Condition{{
			Type: name, Status: metav1.ConditionFalse, ObservedGeneration: 2, Reason: reason, Message: "it is missing",
		}}
		return *image
	}
	with := func(image v1alpha1.Image, name string, status metav1.ConditionStatus, reason string) v1alpha1.Image {
		image.Status.Conditions = append(image.Status.Conditions, metav1.Condition{
			Type: name, Status: status, ObservedGeneration: 2, Reason: reason, Message: "the reason why",
		})
		return image
	}
	noBase := condition(v1alpha1.ImageInputsResolved, string(v1alpha1.ReasonBaseNotFound))
	for name, test := range map[string]struct {
		images []v1alpha1.Image
		builds []v1alpha1.ImageBuild
		want   string
		stderr string
		later  bool // the build comes after the image has told why it has none
	}{
		"has no source": {
			images: []v1alpha1.Image{condition(v1alpha1.ImageInputsResolved, "SourceNotFound")}, stderr: "SourceNotFound: it is missing\n",
			want: "error: wait for a build of image fresh: image fresh has no build: SourceNotFound: it is missing",
		},
		"has no base": {
			images: []v1alpha1.Image{with(noBase, v1alpha1.ImageReconciling, metav1.ConditionTrue, string(v1alpha1.ReasonBaseNotFound))}, stderr: "BaseNotFound: it is missing\n",
			want: "error: wait for a build of image fresh: image fresh has no build: BaseNotFound: it is missing",
		},
		"has a base that is being built": {
			images: []v1alpha1.Image{with(noBase, v1alpha1.ImageReconciling, metav1.ConditionTrue, v1alpha1.ReasonWaitingForBase)}, stderr: "BaseNotFound: it is missing\n",
			builds: []v1alpha1.ImageBuild{*build("fresh", 1)}, later: true, want: "fresh-1",
		},
		"has a base that is not built any more": {
			images: []v1alpha1.Image{
				with(noBase, v1alpha1.ImageReconciling, metav1.ConditionTrue, v1alpha1.ReasonWaitingForBase),
				with(noBase, v1alpha1.ImageReconciling, metav1.ConditionTrue, string(v1alpha1.ReasonBaseNotFound)),
			},
			want: "error: wait for a build of image fresh: image fresh has no build: BaseNotFound: it is missing",
		},
		"has no quota": {
			images: []v1alpha1.Image{with(condition(v1alpha1.ImageStalled, v1alpha1.ReasonBuildRefused), v1alpha1.ImageReconciling, metav1.ConditionTrue, v1alpha1.ReasonBuildRefused)},
			stderr: "BuildRefused: the reason why\n",
			want:   "error: wait for a build of image fresh: image fresh has no build: BuildRefused: the reason why",
		},
		"waits for its schedule": {
			images: []v1alpha1.Image{with(condition(v1alpha1.ImageStalled, v1alpha1.ReasonProgressing), v1alpha1.ImageReconciling, metav1.ConditionTrue, v1alpha1.ReasonScheduled)},
			stderr: "Scheduled: the reason why\n",
			builds: []v1alpha1.ImageBuild{*build("fresh", 1)}, later: true, want: "fresh-1",
		},
		"is being deleted": {
			images: []v1alpha1.Image{func() v1alpha1.Image {
				image := *image("fresh")
				image.DeletionTimestamp = &metav1.Time{}
				return image
			}()},
			want: "error: wait for a build of image fresh: image fresh has no build: the image is being deleted",
		},
		"is suspended": {
			images: []v1alpha1.Image{condition(v1alpha1.ImageStalled, v1alpha1.ReasonSuspended)},
			want: "error: wait for a build of image fresh: image fresh has no build, because its triggers are off: " +
				"run `goldsmith build fresh`, or `goldsmith resume fresh` if the image is suspended",
		},
		"stalls":                          {images: []v1alpha1.Image{*stall(image("fresh"), 2)}, want: "error: wait for a build of image fresh: " + want},
		"is deleted":                      {want: "error: wait for a build of image fresh: fresh: the image was deleted"},
		"stalls because its build failed": {images: []v1alpha1.Image{*stall(image("fresh"), 2)}, builds: []v1alpha1.ImageBuild{*build("fresh", 1)}, want: "fresh-1"},
	} {
		t.Run(name+" while it is waited for", func(t *testing.T) {
			clients := fake.NewClientset(stall(image("fresh"), 1))
			clients.PrependReactor("list", "images", func(clienttesting.Action) (bool, runtime.Object, error) {
				return true, &v1alpha1.ImageList{ListMeta: metav1.ListMeta{ResourceVersion: "2"}, Items: test.images[:min(len(test.images), 1)]}, nil
			})
			changes := watch.NewFakeWithOptions(watch.FakeOptions{ChannelSize: len(test.images)})
			for i := 1; i < len(test.images); i++ {
				changes.Modify(&test.images[i])
			}
			clients.PrependWatchReactor("images", clienttesting.DefaultWatchReactor(changes, nil))
			stderr := &awaited{text: test.stderr, written: make(chan struct{})}
			var listed atomic.Bool // true after the first list, which precedes the wait
			clients.PrependReactor("list", "imagebuilds", func(clienttesting.Action) (bool, runtime.Object, error) {
				if !listed.Swap(true) || test.later {
					return true, &v1alpha1.ImageBuildList{}, nil
				}
				return true, &v1alpha1.ImageBuildList{Items: test.builds}, nil
			})
			if test.later {
				created := watch.NewFake()
				clients.PrependWatchReactor("imagebuilds", clienttesting.DefaultWatchReactor(created, nil))
				go func() {
					<-stderr.written
					created.Add(&test.builds[0])
				}()
			}
			wanted := &wanted{name: "fresh", kind: client.Either, clock: impatient{testclock.NewFakeClock(time.Now())}}
			got, err := wanted.find(t.Context(), &client.Connection{Interface: clients, Namespace: "team"}, true, stderr)
			if err != nil {
				got = "error: " + err.Error()
			}
			if got != test.want || !strings.Contains(stderr.String(), test.stderr) {
				t.Errorf("got %q, stderr %q, want %q, stderr %q", got, stderr, test.want, test.stderr)
			}
		})
	}
}

// awaited is a writer that closes a channel when a text is written.
type awaited struct {
	bytes.Buffer
	text    string
	written chan struct{}
}

func (a *awaited) Write(text []byte) (int, error) {
	if a.text != "" && string(text) == a.text {
		close(a.written)
	}
	return a.Buffer.Write(text)
}

// impatient is a clock whose delays are over at once.
type impatient struct{ *testclock.FakeClock }

func (i impatient) AfterFunc(_ time.Duration, f func()) clock.Timer {
	go f()
	return i.NewTimer(0)
}

func TestAnErrorOfAServerWithoutTheAPIIsReported(t *testing.T) {
	for _, resource := range []string{"imagebuilds", "images"} {
		t.Run(resource, func(t *testing.T) {
			clients := fake.NewClientset()
			clients.PrependReactor("get", resource, func(action clienttesting.Action) (bool, runtime.Object, error) {
				return true, nil, apierrors.NewGenericServerResponse(http.StatusNotFound, "GET", action.GetResource().GroupResource(), "debian", "404 page not found", 0, true)
			})
			connection := &client.Connection{Interface: clients, Namespace: "team"}
			_, err := (&wanted{name: "debian", kind: client.Either}).find(t.Context(), connection, false, io.Discard)
			if !notfound.API(err) || strings.Contains(err.Error(), "no image or build named") {
				t.Errorf("got error %v, want the server's answer", err)
			}
		})
	}
}

func image(name string) *v1alpha1.Image {
	return &v1alpha1.Image{ObjectMeta: metav1.ObjectMeta{Namespace: "team", Name: name}}
}

func standaloneBuild(name string) *v1alpha1.ImageBuild {
	return &v1alpha1.ImageBuild{ObjectMeta: metav1.ObjectMeta{Namespace: "team", Name: name}}
}

func build(image string, number int64) *v1alpha1.ImageBuild {
	build := standaloneBuild(fmt.Sprintf("%s-%d", image, number))
	build.Spec.ImageRef = &v1alpha1.ImageReference{Name: image}
	build.Spec.Number = &number
	return build
}
