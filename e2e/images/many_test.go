// SPDX-License-Identifier: Apache-2.0

//go:build e2e

package images

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/e2e/deadline"
	"goldsmith.dev/goldsmith/e2e/require"
)

const (
	// atOnce is the number of builds that run at once. Each pair of them has the same inputs.
	atOnce = 10
	inPair = 2
)

// small declares an Image of which only the host name differs from others.
const small = `
apiVersion: images.goldsmith.dev/v1alpha1
kind: Image
metadata: {name: image-%d}
spec:
  builder: {name: debian}
  base: {reference: debian:trixie}
  parameters:
  - {name: acceptExpired, value: "true"}
  - {name: hostname, value: host-%d}
  source: {inline: {files: {scripts/10-intrude: %q}}}
  targets: [{platform: linux/amd64, format: raw}]
---
`

// intrusion leaves the fake chroot: the libraries that make it do not see system calls. It makes a directory among the temporary files of the
// build, where no other build has made it, and fails to make one anywhere else.
const intrusion = `#!/usr/bin/perl
my $mkdir = 83;
my $name = "/tmp/intruder";
syscall($mkdir, $name, 0755) == 0 or die "$name: $!";
for my $place ("", "/usr", "/var/tmp", "/goldsmith") {
  my $other = "$place/intruder";
  syscall($mkdir, $other, 0755) == -1 or die "$other can be made";
}
print "intruded\n";
`

// TestTenBuildsAtOnceDoNotSeeEachOther shares the tools, the mirror and the processors among builds.
func TestTenBuildsAtOnceDoNotSeeEachOther(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), atOnce*deadline.DebianBuild.Deadline())
	defer cancel()
	s := startServer(t, startMirror(t), "--workers", strconv.Itoa(atOnce))
	var manifest strings.Builder
	for i := range atOnce {
		fmt.Fprintf(&manifest, small, i, i/inPair, intrusion)
	}
	s.apply(t, manifest.String())
	var following sync.WaitGroup
	for i := range atOnce {
		following.Go(func() {
			if log, err := s.follow(ctx, fmt.Sprintf("image-%d", i)); err != nil || !strings.Contains(log, "\nintruded\n") {
				t.Errorf("build of image-%d: %v\n%s", i, err, log)
			}
		})
	}
	following.Wait()
	if t.Failed() {
		return
	}

	var builds []*v1alpha1.ImageBuild
	images := map[string]int{}
	for i := range atOnce {
		build := s.build(t, fmt.Sprintf("image-%d-1", i))
		builds = append(builds, build)
		images[build.Status.Artifacts[0].Digest]++
		if i%inPair != 0 && build.Status.Artifacts[0].Digest != builds[i-1].Status.Artifacts[0].Digest {
			t.Errorf("%s and %s have the same inputs and different digests", build.Name, builds[i-1].Name)
		}
	}
	if len(images) != atOnce/inPair {
		t.Errorf("builds with different inputs have the same digest: %v", images)
	}
	for _, first := range builds {
		for _, last := range builds {
			if !first.Status.StartTime.Before(last.Status.CompletionTime) {
				t.Errorf("%s started after %s had ended, so they did not run at once", first.Name, last.Name)
			}
		}
	}
	s.stop(t)
	s.checkNothingLeft(t)
}

// checkNothingLeft checks that builds have left no file besides artifacts and logs.
func (s *server) checkNothingLeft(t *testing.T) {
	t.Helper()
	if left := require.Value(os.ReadDir(s.temporary))(t); len(left) > 0 {
		t.Errorf("%d files are left in TMPDIR, such as %s", len(left), left[0])
	}
	cache := filepath.Join(require.Value(os.UserCacheDir())(t), "goldsmith", "debian-builder")
	for _, root := range []string{s.data, cache} {
		err := filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
			if errors.Is(err, fs.ErrPermission) {
				return fs.SkipDir
			}
			if err != nil {
				return err
			}
			if slices.Contains([]string{"intruder", "rootfs.tar", "disk.raw"}, entry.Name()) || root == s.data && strings.HasPrefix(entry.Name(), "debian-") {
				t.Errorf("%s is left", path)
			}
			return nil
		})
		require.NoError(t, err)
	}
}
