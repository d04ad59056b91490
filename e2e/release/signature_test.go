//go:build e2e

// SPDX-License-Identifier: Apache-2.0

package release

import (
	"os"
	"path/filepath"
	"runtime"
	"testing"
)

// TestAReleaseIsSigned verifies the signatures of $RELEASE by the public key in the file $RELEASE_KEY: with the program of the release, and with
// openssl.
func TestAReleaseIsSigned(t *testing.T) {
	dist, key := directoryOf(t, "RELEASE"), os.Getenv("RELEASE_KEY")
	archives, err := filepath.Glob(filepath.Join(dist, "goldsmith_*_linux_"+runtime.GOARCH+".tar.gz"))
	if err != nil || len(archives) != 1 {
		t.Fatalf("the archives for this machine are %v: %v", archives, err)
	}
	programs, sums := t.TempDir(), filepath.Join(dist, "SHA256SUMS")
	mustRun(t, "tar", "--extract", "--gzip", "--file="+archives[0], "--directory="+programs, "goldsmith")
	mustRun(t, filepath.Join(programs, "goldsmith"), "verify", "--offline", "--file-key="+key, sums)
	mustRun(t, "openssl", "dgst", "-sha256", "-verify", key, "-signature", sums+".sig", sums)
}
