// SPDX-License-Identifier: Apache-2.0

//go:build e2e

package images

import (
	"context"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"goldsmith.dev/goldsmith/e2e/deadline"
	"goldsmith.dev/goldsmith/e2e/require"
)

// manyPackages is how many packages the large image has at least: some 300.
const manyPackages = 290

var counted = regexp.MustCompile(`(?m)packages: (\d+)$`)

// TestALargeImageBootsWithSecureBoot builds a server with a Java runtime, a database and containers, and boots it.
func TestALargeImageBootsWithSecureBoot(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), deadline.DebianBuild.Deadline()+deadline.Boot.Deadline())
	defer cancel()
	s := startServer(t, startMirror(t))
	s.apply(t, string(require.Value(os.ReadFile("testdata/large.yaml"))(t)))
	log, err := s.follow(ctx, "large")
	if err != nil {
		t.Fatalf("the build did not succeed: %v\n%s", err, log)
	}
	if found := counted.FindStringSubmatch(log); found == nil {
		t.Errorf("the log does not tell the number of packages:\n%s", log)
	} else if count, _ := strconv.Atoi(found[1]); count < manyPackages {
		t.Errorf("the image has %d packages, want at least %d", count, manyPackages)
	}

	console, err := s.client(ctx, "boot", "large", "--firmware", "secureboot", "--until", "healthy.target", "--timeout", deadline.Boot.Deadline().String()).CombinedOutput()
	if err != nil {
		t.Fatalf("the image did not boot: %v\n%s", err, console)
	}
	for _, shown := range []string{"secureboot: Secure boot enabled", "failed units: none"} {
		if !strings.Contains(string(console), shown) {
			t.Errorf("the console has no %q:\n%s", shown, console)
		}
	}
}
