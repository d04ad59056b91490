// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"regexp"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"sigs.k8s.io/yaml"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/cmd/goldsmith/internal/client"
	"goldsmith.dev/goldsmith/cmd/goldsmith/internal/exit"
	"goldsmith.dev/goldsmith/e2e/require"
)

// session runs command lines against a server, as a shell does.
type session struct {
	t          *testing.T
	ctx        context.Context
	kubeconfig string
}

// types returns a command line. The first check of its result runs the command.
func (s *session) types(args ...string) *line {
	return &line{session: s, args: args}
}

// line is a command line with its result.
type line struct {
	*session
	args         []string
	input, until string

	ran             bool
	out, complaints string
	code            int
}

// given sets the input of the command.
func (l *line) given(input string) *line {
	l.input = input
	return l
}

// stopsAt interrupts the command once it has written the text.
func (l *line) stopsAt(text string) *line {
	l.until = text
	return l
}

// says runs the command, which must succeed and write all parts.
func (l *line) says(parts ...string) {
	l.t.Helper()
	l.run()
	if l.code != exit.Success {
		l.t.Errorf("goldsmith %s: exit code %d: %s", strings.Join(l.args, " "), l.code, l.complaints)
	}
	for _, part := range parts {
		if !strings.Contains(l.out, part) {
			l.t.Errorf("goldsmith %s: no %q in\n%s(%s)", strings.Join(l.args, " "), part, l.out, l.complaints)
		}
	}
}

// matches runs the command, which must succeed and write text that matches the regular expression.
func (l *line) matches(expression string) {
	l.t.Helper()
	if l.says(); !regexp.MustCompile(expression).MatchString(l.out) {
		l.t.Errorf("goldsmith %s: got\n%swant %s", strings.Join(l.args, " "), l.out, expression)
	}
}

// reads runs the command, which must succeed, and decodes its output into the object.
func (l *line) reads(object any) {
	l.t.Helper()
	l.says()
	if err := json.Unmarshal([]byte(l.out), object); err != nil {
		l.t.Fatalf("goldsmith %s: %v in\n%s", strings.Join(l.args, " "), err, l.out)
	}
}

// fails runs the command, which must end with the exit code and write all parts on stderr.
func (l *line) fails(code int, parts ...string) {
	l.t.Helper()
	if l.run(); l.code != code {
		l.t.Errorf("goldsmith %s: exit code %d, want %d: %s%s", strings.Join(l.args, " "), l.code, code, l.out, l.complaints)
	}
	for _, part := range parts {
		if !strings.Contains(l.complaints, part) {
			l.t.Errorf("goldsmith %s: no %q in\n%s", strings.Join(l.args, " "), part, l.complaints)
		}
	}
}

// tells runs the command, which must succeed and write exactly the text on stderr, and nothing on stdout.
func (l *line) tells(text string) {
	l.t.Helper()
	if l.says(); l.out != "" || l.complaints != text {
		l.t.Errorf("goldsmith %s: got %q and %q, want %q", strings.Join(l.args, " "), l.out, l.complaints, text)
	}
}

func (l *line) run() {
	if l.ran {
		return
	}
	ctx, stop := context.WithCancel(l.ctx)
	defer stop()
	out, complaints := &watched{until: l.until, stop: stop}, &bytes.Buffer{}
	root := newRootCommand()
	root.SetIn(strings.NewReader(l.input))
	root.SetOut(out)
	root.SetErr(complaints)
	root.SetArgs(append(l.args, "--kubeconfig", l.kubeconfig))
	if strings.HasPrefix(l.args[0], "__complete") { // the argument to complete is the last argument
		root.SetArgs(append([]string{l.args[0], l.args[1], "--kubeconfig", l.kubeconfig}, l.args[2:]...))
	}
	l.code, l.ran = execute(ctx, root), true
	l.out, l.complaints = out.String(), complaints.String()
}

// watched is the output of a command. It stops the command once the output contains a certain text.
type watched struct {
	bytes.Buffer
	until string
	stop  func()
}

func (w *watched) Write(text []byte) (int, error) {
	written, err := w.Buffer.Write(text)
	if w.until != "" && strings.Contains(w.String(), w.until) {
		w.stop()
	}
	return written, err
}

// apply creates an Image, and returns once the Image's first build has succeeded.
func (s *session) apply(manifest string) {
	s.t.Helper()
	image := s.create(manifest)
	s.types("logs", image.Name, "-f").says("step 1/1")
	s.waits(image.Name+"-1", v1alpha1.BuildSucceeded)
}

// create creates an Image.
func (s *session) create(manifest string) *v1alpha1.Image {
	s.t.Helper()
	image := &v1alpha1.Image{}
	if err := yaml.UnmarshalStrict([]byte(manifest), image); err != nil {
		s.t.Fatal(err)
	}
	connection := s.connect()
	if _, err := connection.ImagesV1alpha1().Images(connection.Namespace).Create(s.ctx, image, metav1.CreateOptions{}); err != nil {
		s.t.Fatal(err)
	}
	return image
}

// waits returns once a build is in a phase.
func (s *session) waits(build string, phase v1alpha1.BuildPhase) {
	s.t.Helper()
	_, err := s.connect().WaitForBuild(s.ctx, fields.OneTermEqualSelector("metadata.name", build), func(build *v1alpha1.ImageBuild) bool {
		return build.Status.Phase == phase
	})
	if err != nil {
		s.t.Fatalf("wait until build %s is %s: %v", build, phase, err)
	}
}

// waitsForRecord returns once a finished build is recorded.
func (s *session) waitsForRecord(name string) (uid string) {
	s.t.Helper()
	build, err := s.connect().WaitForBuild(s.ctx, fields.OneTermEqualSelector("metadata.name", name), func(build *v1alpha1.ImageBuild) bool {
		return meta.IsStatusConditionTrue(build.Status.Conditions, v1alpha1.BuildRecorded)
	})
	if err != nil {
		s.t.Fatalf("wait until build %s is recorded: %v", name, err)
	}
	return string(build.UID)
}

func (s *session) connect() *client.Connection {
	s.t.Helper()
	connection, err := (&client.Flags{Kubeconfig: s.kubeconfig}).Connect(io.Discard)
	require.NoError(s.t, err)
	return connection
}
