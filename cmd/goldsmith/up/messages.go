// SPDX-License-Identifier: Apache-2.0

package up

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"k8s.io/klog/v2"

	"goldsmith.dev/goldsmith/cmd/goldsmith/internal/shellword"
	"goldsmith.dev/goldsmith/cmd/goldsmith/up/systemd"
)

// nextSteps returns the next commands of a new user. They work in a second terminal, in any directory.
func nextSteps(kubeconfig string) string {
	return `In a second terminal:
  export KUBECONFIG=` + shellword.Quote(kubeconfig) + `
  goldsmith init web                    # write web.yaml, an image to start from
  goldsmith kubectl apply -f web.yaml   # create the image; its first build starts
  goldsmith build web -f                # build it again and follow the log
`
}

// notice tells the user a line, and logs it, unless the user reads both in the journal.
func (s *system) notice(ctx context.Context, line string) {
	if !s.options.Journal {
		klog.FromContext(ctx).Info(line)
	}
	_, _ = fmt.Fprintln(s.options.Notices, line) // a line that nobody can read is no failure
}

// problem tells the user a line as notice does, as an error.
func (s *system) problem(ctx context.Context, line string) {
	if s.options.Journal {
		line = fmt.Sprintf("<%d>%s", systemd.Error, line)
	}
	s.notice(ctx, line)
}

// announceStop tells the user what the stop does to running builds.
func (s *system) announceStop() {
	running := 0
	if agent := s.agent.agent.Load(); agent != nil {
		running = agent.Running()
	}
	// Without a receiver of SIGPIPE, writing to a closed terminal or pipe would end the process before its parts have stopped.
	closed := make(chan os.Signal, 1)
	signal.Notify(closed, syscall.SIGPIPE)
	defer signal.Stop(closed)
	line := stopNotice(running, s.options.Memory)
	s.options.Service.Stopping(line)
	if !s.options.Journal {
		line += " Press Ctrl-C again to stop at once."
	}
	_, _ = fmt.Fprintln(s.options.Notices, line) // a notice that nobody can read is no failure
}

// stopNotice returns the effect of a stop on running builds.
func stopNotice(running int, memory bool) string {
	builds := fmt.Sprintf("ending %d running builds", running)
	if running == 1 {
		builds = "ending 1 running build"
	}
	next := `, which the next "goldsmith up" starts again`
	switch {
	case running == 0:
		builds, next = "no build is running", ""
	case memory:
		next = ", whose data is lost, because the server stores all data in memory"
	}
	return "stopping: " + builds + next + "."
}
