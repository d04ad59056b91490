// SPDX-License-Identifier: Apache-2.0

//go:build e2e

package proof_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"goldsmith.dev/goldsmith/e2e/require"
)

// release is a directory with files, their checksums and the signatures of these, as `make release` leaves it to a reader who has the public key.
type release struct {
	*published
	t *testing.T
}

// newRelease makes the key as the page on releases does, and signs as the release does.
func newRelease(t *testing.T) *release {
	t.Helper()
	r := &release{&published{directory: t.TempDir()}, t}
	programs := filepath.Join(r.directory, "bin")
	build := exec.CommandContext(t.Context(), "go", "build", "-o", filepath.Join(programs, "goldsmith"), "./cmd/goldsmith")
	build.Dir = filepath.Join("..", "..", "..") // the module of Goldsmith
	if output, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build goldsmith: %v: %s", err, output)
	}
	for name, variable := range map[string]string{"cosign": "COSIGN", "cosign2": "COSIGN_2"} {
		require.NoError(t, os.Symlink(os.Getenv(variable), filepath.Join(programs, name)))
	}
	t.Setenv("PATH", programs+":"+os.Getenv("PATH"))
	t.Setenv("SHELL", "/bin/sh")
	t.Setenv("COSIGN_PASSWORD", "")
	r.write(t, "goldsmith.tar.gz", []byte("an archive"))
	r.does("", pageOnReleases(t)[0])
	r.does("", "sha256sum goldsmith.tar.gz >SHA256SUMS\ngoldsmith keys sign SHA256SUMS --key release.pem\ngoldsmith keys sign SHA256SUMS --key release.pem --format der\n")
	return r
}

// pageOnReleases returns the commands of the page on releases: those that make the key, and those that verify.
func pageOnReleases(t *testing.T) [2]string {
	t.Helper()
	page := string(require.Value(os.ReadFile("../../../docs/releasing.md"))(t))
	found := regexp.MustCompile("(?s)```sh cosign\n(.*?)```").FindAllStringSubmatch(page, -1)
	if len(found) != 2 {
		t.Fatalf("docs/releasing.md has %d blocks of commands of cosign", len(found))
	}
	return [2]string{found[0][1], found[1][1]}
}

// does runs each line of a shell. It expects that each succeeds or, with a refusal, that none does, and that one of their outputs has the refusal.
func (r *release) does(refusal, lines string) {
	r.t.Helper()
	all := ""
	for line := range strings.Lines(lines) {
		output, ok := r.run(r.t, "SHELL", "-c", line)
		if ok != (refusal == "") {
			r.t.Errorf("%s: succeeded is %t: %s", line, ok, output)
		}
		all += output
	}
	if !strings.Contains(all, refusal) {
		r.t.Errorf("no %q in %s", refusal, all)
	}
}

func TestTheCommandsOfTheDocsVerifyARelease(t *testing.T) {
	r := newRelease(t)
	verifying := pageOnReleases(t)[1]
	const older = "cosign2 verify-blob --insecure-ignore-tlog=true --key release.pub --signature SHA256SUMS.sig SHA256SUMS\n"
	r.does("", verifying+older)
	signed, checks, _ := strings.Cut(verifying, "sha256sum")
	checks = "sha256sum" + checks
	for name, change := range map[string]struct{ by, refusal, lines string }{
		"another file":      {"echo changed >goldsmith.tar.gz", "goldsmith.tar.gz: FAILED", checks},
		"another key":       {"openssl ecparam -name prime256v1 -genkey -noout | openssl ec -pubout >release.pub", "another key signed it: sha256:", signed + older},
		"other checksums":   {"sha256sum release.pub >SHA256SUMS", "the statement is about another artifact: sha256:", signed + older},
		"another signature": {"cp other.sig SHA256SUMS.sig && cp other.sigstore.json SHA256SUMS.sigstore.json", "the statement is about another artifact: sha256:", signed + older},
	} {
		t.Run(name, func(t *testing.T) {
			r.t = t
			r.does("", "rm -rf kept && mkdir kept && cp *.* SHA256SUMS kept && echo other >other\n"+
				"goldsmith keys sign other --key release.pem && goldsmith keys sign other --key release.pem --format der\n"+change.by)
			r.does(change.refusal, change.lines)
			r.does("", "cp kept/* .")
		})
	}
}

// What cosign signs as a file, goldsmith verifies: both write the same bundle, but for the random signature of cosign.
func TestGoldsmithVerifiesWhatCosignSigns(t *testing.T) {
	r := newRelease(t)
	r.does("", "cosign import-key-pair --yes --key release.pem --output-key-prefix cosign\n"+
		"cosign sign-blob --yes --key cosign.key --use-signing-config=false --tlog-upload=false --bundle cosign.json SHA256SUMS\n"+
		"goldsmith verify --offline --file-key cosign.pub --bundle cosign.json ./SHA256SUMS\n")
	signature := regexp.MustCompile(`"signature":"[^"]*"`)
	ours, theirs := require.Value(os.ReadFile(filepath.Join(r.directory, "SHA256SUMS.sigstore.json")))(t), require.Value(os.ReadFile(filepath.Join(r.directory, "cosign.json")))(t)
	if got, want := signature.ReplaceAllString(string(ours), ""), signature.ReplaceAllString(strings.TrimSpace(string(theirs)), ""); got != want {
		t.Errorf("the bundle is %s, that of cosign %s", got, want)
	}
}
