// SPDX-License-Identifier: Apache-2.0

package logs

import (
	"bytes"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/watch"
	clienttesting "k8s.io/client-go/testing"

	"goldsmith.dev/goldsmith/apis/generated/clientset/versioned/fake"
	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/cmd/goldsmith/internal/client"
	"goldsmith.dev/goldsmith/e2e/require"
)

// tested returns a build with three tests, in a phase.
func tested(phase v1alpha1.BuildPhase, results ...v1alpha1.TestStatus) *v1alpha1.ImageBuild {
	build := standaloneBuild("web-3")
	build.Spec.Tests = []v1alpha1.ImageTest{{Name: "boots"}, {Name: "web"}, {Name: "ours", Runner: &v1alpha1.TestRunner{Name: "our-runner"}}}
	build.Status = v1alpha1.ImageBuildStatus{Phase: phase, Finished: phase.Finished(), Tests: results}
	return build
}

func TestTheLogOfATestIsThatOfItsAttempt(t *testing.T) {
	result := func(name string, attempt int32) v1alpha1.TestStatus {
		return v1alpha1.TestStatus{Name: name, Attempt: attempt}
	}
	again := tested(v1alpha1.BuildTesting, result("boots", 0), result("web", 0))
	again.Status.Attempts = []v1alpha1.BuildAttempt{{Number: 1}, {Number: 2, Tests: []string{"boots", "web"}}, {Number: 3, Tests: []string{"web"}}}
	withoutTests := standaloneBuild("web-3")
	for name, test := range map[string]struct {
		build *v1alpha1.ImageBuild
		line  string
		// later is the state of the build that the watch returns.
		later *v1alpha1.ImageBuild
		want  int32
		fails string
	}{
		"passed":                   {build: tested(v1alpha1.BuildSucceeded, result("boots", 2), result("web", 3)), line: "--test web", want: 3},
		"runs again":               {build: again, line: "--test web", want: 3},
		"ran, as another does":     {build: again, line: "--test boots", want: 2},
		"another attempt":          {build: again, line: "--test web --attempt 2", want: 2},
		"is awaited":               {build: tested(v1alpha1.BuildRunning), line: "--test web -f", later: again, want: 3},
		"never comes":              {build: tested(v1alpha1.BuildRunning), line: "--test web -f", later: tested(v1alpha1.BuildFailed), fails: "test web of build web-3 never ran: `goldsmith show web-3` shows why"},
		"has not begun":            {build: tested(v1alpha1.BuildTesting, result("web", 0)), line: "--test web", fails: "test web of build web-3 has not begun: use -f to wait for it"},
		"never ran":                {build: tested(v1alpha1.BuildFailed), line: "--test web -f", fails: "test web of build web-3 never ran"},
		"does not exist":           {build: again, line: "--test wob", fails: `build web-3 has no test "wob": its tests are boots, web, ours`},
		"is of another build":      {build: withoutTests, line: "--test web", fails: "build web-3 has no tests: declare them in spec.tests of the image, or omit --test"},
		"is of a deleted build":    {line: "--test web --uid 1 --attempt 2", want: 2},
		"lacks its attempt":        {line: "--test web --uid 1", fails: "--test needs --attempt with --uid"},
		"has no name":              {line: "--test=", fails: "--test: must be the name of a test"},
		"is followed from its end": {line: "--test web -f --tail 3", fails: "omit --tail or -f"},
	} {
		t.Run(name, func(t *testing.T) {
			asked := &flags{}
			command := NewCommand()
			command.ResetFlags()
			asked.addTo(command)
			require.NoError(t, command.ParseFlags(strings.Fields(test.line)))
			options, err := asked.options(command.Flags().Changed, time.Now())
			if err == nil {
				clients := fake.NewClientset()
				if test.build != nil {
					require.NoError(t, clients.Tracker().Add(test.build))
				}
				if test.later != nil {
					changes := watch.NewFakeWithOptions(watch.FakeOptions{ChannelSize: 1})
					changes.Modify(test.later)
					clients.PrependReactor("list", "imagebuilds", func(clienttesting.Action) (bool, runtime.Object, error) {
						return true, &v1alpha1.ImageBuildList{ListMeta: metav1.ListMeta{ResourceVersion: "1"}, Items: []v1alpha1.ImageBuild{*test.build}}, nil
					})
					clients.PrependWatchReactor("imagebuilds", clienttesting.DefaultWatchReactor(changes, nil))
				}
				var stderr bytes.Buffer
				_, err = asked.selectTest(t.Context(), options, &client.Connection{Interface: clients, Namespace: "team"}, "web-3", &stderr)
				if waits := stderr.String() == "waiting for test web of build web-3\n"; waits != (test.later != nil) {
					t.Errorf("stderr %q", &stderr)
				}
			}
			if test.fails != "" {
				if err == nil || !strings.Contains(err.Error(), test.fails) {
					t.Fatalf("got error %v, want %q", err, test.fails)
				}
				return
			}
			if err != nil || options.Attempt == nil || *options.Attempt != test.want {
				t.Errorf("got attempt %v, error %v, want %d", options.Attempt, err, test.want)
			}
		})
	}
}

func TestTheLinesOfATestOfARunnerMayHaveNoPrefix(t *testing.T) {
	clients := fake.NewClientset(tested(v1alpha1.BuildSucceeded, v1alpha1.TestStatus{Name: "web", Attempt: 2}, v1alpha1.TestStatus{Name: "ours", Attempt: 3}))
	for name, unprefixed := range map[string]bool{"web": false, "ours": true} {
		asked := &flags{test: name}
		options := &v1alpha1.ImageBuildLogOptions{TailLines: new(int64(7)), Timestamps: true}
		lines := require.Value(asked.selectTest(t.Context(), options, &client.Connection{Interface: clients, Namespace: "team"}, "web-3", nil))(t)
		if lines.Test != name || lines.Unprefixed != unprefixed || len(lines.Others) != 2 || lines.Tail == nil || *lines.Tail != 7 || !lines.Timestamps || options.TailLines != nil {
			t.Errorf("test %s: got %+v, and %+v for the server", name, lines, options)
		}
	}
	names := require.Value(completeTests(t.Context(), &client.Connection{Interface: clients, Namespace: "team"}, []string{"web-3"}))(t)
	if got := strings.Join(names, " "); got != "boots web ours" {
		t.Errorf("got the tests %q", got)
	}
}
