// SPDX-License-Identifier: Apache-2.0

//go:build e2e

package images

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"goldsmith.dev/goldsmith/e2e/deadline"
)

// TestAnImageOfKeptPackagesHasTheSameBytes repairs a script: the second build installs nothing. It compares its image with one of a server that keeps
// nothing.
func TestAnImageOfKeptPackagesHasTheSameBytes(t *testing.T) {
	const (
		broken   = "#!/bin/sh\nexit 7\n"
		repaired = "#!/bin/sh\nset -e\napt-get install --yes hello\nls /run >/etc/listing\n"
		taken    = "the packages are those that an earlier build has kept, sha256:"
	)
	ctx, cancel := context.WithTimeout(t.Context(), 3*deadline.DebianBuild.Deadline())
	defer cancel()
	proxy := startMirror(t)
	// build returns the digest of the repaired image, and the log of its build.
	build := func(s *server) (digest, log string) {
		s.apply(t, fmt.Sprintf(small, 1, 0, repaired))
		log, err := s.follow(ctx, "image-1")
		if err != nil {
			t.Fatalf("the build did not succeed: %v\n%s", err, log)
		}
		return s.build(t, "image-1-1").Status.Artifacts[0].Digest, log
	}
	keeping := startServer(t, proxy)
	keeping.apply(t, fmt.Sprintf(small, 0, 0, broken))
	if log, err := keeping.follow(ctx, "image-0"); err == nil || !strings.Contains(log, "the packages are kept for later builds, sha256:") {
		t.Fatalf("the broken build: %v\n%s", err, log)
	}
	with, log := build(keeping)
	if !strings.Contains(log, taken) {
		t.Errorf("the repaired build installs packages again:\n%s", log)
	}
	keeping.stop(t)
	without, log := build(startServer(t, proxy, "--builder-cache-max", "0"))
	if strings.Contains(log, taken) || strings.Contains(log, "are kept") {
		t.Errorf("a server without a cache keeps packages:\n%s", log)
	}
	if with != without {
		t.Errorf("with kept packages the image has digest %s, without %s", with, without)
	}
}
