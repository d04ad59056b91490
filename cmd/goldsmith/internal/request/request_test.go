// SPDX-License-Identifier: Apache-2.0

package request

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/spf13/cobra"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"

	"goldsmith.dev/goldsmith/apis/generated/clientset/versioned"
	"goldsmith.dev/goldsmith/apis/generated/clientset/versioned/fake"
	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/cmd/goldsmith/internal/client"
	"goldsmith.dev/goldsmith/cmd/goldsmith/internal/exit"
	"goldsmith.dev/goldsmith/cmd/goldsmith/internal/follow"
	"goldsmith.dev/goldsmith/e2e/require"
)

// patience is how long a test waits for an expected event.
const patience = 20 * time.Second

func TestABuildIsShownAsAsked(t *testing.T) {
	for line, want := range map[string]string{
		"":                      "debian-1\n",
		"-o name":               "imagebuild.images.goldsmith.dev/debian-1\n",
		"-o json":               `"phase": "Pending"`,
		"-o yaml":               "phase: Pending",
		"--wait":                "debian-1\n",
		"--wait -o name":        "imagebuild.images.goldsmith.dev/debian-1\n",
		"--wait --output json":  `"phase": "Succeeded"`,
		"--wait --output=yaml":  "phase: Succeeded",
		"--message m --wait -o": "error: flag needs an argument",
		"-o wide":               "debian-1\n",
		"-o table":              "error: must be json, yaml, name, wide, jsonpath=TEMPLATE",
		"-o jsonpath={.kind}":   "ImageBuild",
		"-f -o jsonpath={.a}":   "error: -o jsonpath={.a} and -f would mix the build with its log: use --wait",
		"--wait -o go-template={{.status.phase}}": "Succeeded",
		"-f -o json": "error: -o json and -f would mix the build with its log: use --wait",
		"-f -o yaml": "error: -o yaml and -f would mix the build with its log: use --wait",
	} {
		t.Run(line, func(t *testing.T) {
			flags, err := parsed(line)
			if err == nil {
				err = flags.Check()
			}
			var out bytes.Buffer
			if err == nil {
				connection := &client.Connection{Interface: fake.NewClientset(build(v1alpha1.BuildSucceeded)), Namespace: "team"}
				err = flags.Show(limited(t), connection, build(v1alpha1.BuildPending), follow.Options{Out: &out})
			}
			if message, isError := strings.CutPrefix(want, "error: "); isError {
				if err == nil || !strings.Contains(err.Error(), message) {
					t.Errorf("got error %v, want %q", err, message)
				}
				return
			}
			if err != nil || !strings.Contains(out.String(), want) || strings.HasSuffix(want, "\n") && out.String() != want {
				t.Errorf("got %q, error %v, want %q", &out, err, want)
			}
			if strings.HasSuffix(line, "json") && !json.Valid(out.Bytes()) {
				t.Errorf("no JSON: %s", &out)
			}
		})
	}
}

func TestWaitingEndsWithTheOutcomeOfTheBuild(t *testing.T) {
	failed := build(v1alpha1.BuildFailed)
	failed.Status.Failure = &v1alpha1.BuildFailure{Class: v1alpha1.FailureUser, Reason: v1alpha1.ReasonBuilderFailed, Message: "no disk"}
	for _, test := range []struct {
		build *v1alpha1.ImageBuild
		code  int
		want  string
	}{
		{build(v1alpha1.BuildSucceeded), exit.Success, "✓ build debian-1 succeeded\n"},
		{failed, exit.BuildFailed, "✗ build debian-1 failed: User/BuilderFailed: no disk\n  next: "},
		{build(v1alpha1.BuildCancelled), exit.BuildCancelled, "✗ build debian-1 was cancelled\n"},
	} {
		for _, line := range []string{"--wait", "--wait -o json"} {
			flags, err := parsed(line)
			require.NoError(t, err)
			var out, stderr bytes.Buffer
			connection := &client.Connection{Interface: fake.NewClientset(test.build), Namespace: "team"}
			err = flags.Show(limited(t), connection, build(v1alpha1.BuildPending), follow.Options{Out: &out, Stderr: &stderr})
			if code := exit.Code(t.Context(), err); code != test.code {
				t.Errorf("%s, %s: got exit code %d, want %d", test.build.Status.Phase, line, code, test.code)
			}
			if !strings.HasPrefix(stderr.String(), test.want) || (err != nil) != exit.IsShown(err) {
				t.Errorf("%s, %s: stderr %q and error %v, want %q", test.build.Status.Phase, line, &stderr, err, test.want)
			}
			if !strings.Contains(out.String(), "debian-1") {
				t.Errorf("%s, %s: printed %q", test.build.Status.Phase, line, &out)
			}
		}
	}
}

func TestABuildThatIsNotThereAnyMoreIsNotWaitedFor(t *testing.T) {
	flags, err := parsed("--wait")
	require.NoError(t, err)
	connection := &client.Connection{Interface: fake.NewClientset(), Namespace: "team"}
	err = flags.Show(limited(t), connection, build(v1alpha1.BuildPending), follow.Options{Out: io.Discard})
	if !errors.Is(err, client.ErrBuildDeleted) || exit.Code(t.Context(), err) != exit.Failure {
		t.Errorf("got error %v", err)
	}
}

func TestFollowShowsTheNameThenTheLogThenTheOutcome(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(writer http.ResponseWriter, request *http.Request) {
		path := "/apis/images.goldsmith.dev/v1alpha1/namespaces/team/imagebuilds"
		switch {
		case request.URL.Path == path+"/debian-1/log" && request.URL.Query().Get("follow") == "true":
			_, _ = io.WriteString(writer, "the log\n")
		case request.URL.Path == path && request.URL.Query().Get("watch") == "":
			cancelled := build(v1alpha1.BuildCancelled)
			cancelled.Status.CurrentAttempt = 1
			list := &v1alpha1.ImageBuildList{Items: []v1alpha1.ImageBuild{*cancelled}}
			list.APIVersion, list.Kind = v1alpha1.SchemeGroupVersion.String(), "ImageBuildList"
			writer.Header().Set("Content-Type", "application/json")
			_ = json.NewEncoder(writer).Encode(list)
		case request.URL.Path == path && request.URL.Query().Get("sendInitialEvents") == "":
			<-request.Context().Done()
		default: // the server has no watch-list: the client lists instead
			http.Error(writer, request.URL.String(), http.StatusNotFound)
		}
	}))
	t.Cleanup(server.Close)
	flags, err := parsed("-f")
	require.NoError(t, err)
	clients, err := versioned.NewForConfig(&rest.Config{Host: server.URL})
	require.NoError(t, err)
	var out, stderr bytes.Buffer
	err = flags.Show(limited(t), &client.Connection{Interface: clients, Namespace: "team"}, build(v1alpha1.BuildPending), follow.Options{Out: &out, Stderr: &stderr})
	if code := exit.Code(t.Context(), err); code != exit.BuildCancelled || !exit.IsShown(err) {
		t.Errorf("got error %v, exit code %d", err, code)
	}
	if out.String() != "debian-1\nthe log\n" || stderr.String() != "• build debian-1, attempt 1\n✗ build debian-1 was cancelled\n" {
		t.Errorf("got %q and %q", &out, &stderr)
	}
}

func parsed(line string) (*Flags, error) {
	flags, command := &Flags{}, &cobra.Command{}
	flags.AddTo(command)
	return flags, command.ParseFlags(strings.Fields(line))
}

func limited(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	t.Cleanup(cancel)
	return ctx
}

func build(phase v1alpha1.BuildPhase) *v1alpha1.ImageBuild {
	return &v1alpha1.ImageBuild{
		ObjectMeta: metav1.ObjectMeta{Namespace: "team", Name: "debian-1"},
		Status:     v1alpha1.ImageBuildStatus{Phase: phase, Finished: phase.Finished()},
	}
}
