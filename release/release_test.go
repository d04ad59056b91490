// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"goldsmith.dev/goldsmith/release/output"
	"goldsmith.dev/goldsmith/release/program"
)

// command is a program that writes what goldsmith writes for a release.
const command = `package main

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/sha256"
	"fmt"
	"os"
	"strings"
)

var version string

// sign answers: keys sign FILE --key=KEY --format=FORMAT --output=-. KEY has the number of a private key, and a bundle has its format before the signature.
func sign(file, keyFile, format string) {
	content, err := os.ReadFile(file)
	if err != nil {
		panic(err)
	}
	number, err := os.ReadFile(strings.TrimPrefix(keyFile, "--key="))
	if err != nil {
		panic(err)
	}
	key, err := ecdsa.ParseRawPrivateKey(elliptic.P256(), number)
	if err != nil {
		fmt.Fprintln(os.Stderr, "Error: --key:", err)
		os.Exit(1)
	}
	sum := sha256.Sum256(content)
	signature, err := key.Sign(nil, sum[:], crypto.SHA256)
	if err != nil {
		panic(err)
	}
	fmt.Fprintln(os.Stderr, "signed by key sha256:00")
	fmt.Print(strings.TrimSuffix(strings.TrimPrefix(format, "--format="), "der"), string(signature))
}

func main() {
	if len(os.Args) > 3 && os.Args[2] == "sign" {
		sign(os.Args[3], os.Args[4], os.Args[5])
		return
	}
	if len(os.Args) > 2 && os.Args[1] == "manual" {
		if err := os.WriteFile(os.Args[2]+"/goldsmith.1", []byte(".TH goldsmith 1"), 0o600); err != nil {
			panic(err)
		}
		return
	}
	fmt.Println(version, os.Args[1:])
}
`

// checkoutOf returns a checkout whose only commit has the command, and what packages take from this repository.
func checkoutOf(t *testing.T) string {
	t.Helper()
	directory := t.TempDir()
	write := func(name, content string) {
		path := filepath.Join(directory, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("go.mod", "module example.com/goldsmith\n\ngo 1.26.0\n")
	write("LICENSE", "the licence")
	write("cmd/goldsmith/main.go", command)
	write("cmd/builder/main.go", "package main\n\nfunc main() {}\n")
	units, err := os.ReadDir("systemd")
	if err != nil {
		t.Fatal(err)
	}
	for _, unit := range units {
		content, err := os.ReadFile(filepath.Join("systemd", unit.Name()))
		if err != nil {
			t.Fatal(err)
		}
		write("release/systemd/"+unit.Name(), string(content))
	}
	git(t, directory, "init", "--quiet")
	commit(t, directory)
	return directory
}

func git(t *testing.T, directory string, arguments ...string) {
	t.Helper()
	command := exec.Command("git", append([]string{"-C", directory, "-c", "user.name=a", "-c", "user.email=a@example.com"}, arguments...)...)
	if out, err := command.CombinedOutput(); err != nil {
		t.Fatalf("git %v: %v: %s", arguments, err, out)
	}
}

func commit(t *testing.T, directory string) {
	t.Helper()
	git(t, directory, "add", "--all")
	git(t, directory, "commit", "--quiet", "--message=a commit")
}

func small() plan {
	here := program.Platform{OS: "linux", Architecture: "amd64"}
	return plan{
		command: "goldsmith", archives: []program.Platform{here, {OS: "windows", Architecture: "amd64"}},
		images: map[string][]program.Platform{"builder": {here, {OS: "linux", Architecture: "arm64"}}}, documented: true,
	}
}

// filesOf returns the contents of the files of a directory.
func filesOf(t *testing.T, directory string) map[string]string {
	t.Helper()
	files := map[string]string{}
	entries, err := os.ReadDir(directory)
	if err != nil {
		t.Fatal(err)
	}
	for _, entry := range entries {
		content, err := os.ReadFile(filepath.Join(directory, entry.Name()))
		if err != nil {
			t.Fatal(err)
		}
		files[entry.Name()] = string(content)
	}
	return files
}

// TestTheSameCommitMakesTheSameBytes makes a release of a commit twice: in a clone in another directory, with another umask, time zone and language.
func TestTheSameCommitMakesTheSameBytes(t *testing.T) {
	first := checkoutOf(t)
	second := filepath.Join(t.TempDir(), "clone")
	git(t, first, "clone", "--quiet", ".", second)
	key, keyFile := newKey(t)
	var log strings.Builder
	outputs := []string{filepath.Join(t.TempDir(), "dist"), filepath.Join(second, "elsewhere")}
	for i, checkout := range []string{first, second} {
		if i == 1 {
			t.Setenv("TZ", "Asia/Tokyo")
			t.Setenv("LC_ALL", "C")
			t.Setenv("GOFLAGS", "-tags=other")
			for _, setting := range []string{"core.autocrlf=true", "log.showSignature=true", "tar.umask=0077", "status.showUntrackedFiles=no"} {
				name, value, _ := strings.Cut(setting, "=")
				git(t, checkout, "config", name, value)
			}
			defer syscall.Umask(syscall.Umask(0o077))
		}
		if err := release(t.Context(), &options{plan: small(), checkout: checkout, output: outputs[i], version: "v1.2.3-rc.1", signingKey: keyFile, log: &log}); err != nil {
			t.Fatal(err)
		}
	}
	want, got := filesOf(t, outputs[0]), filesOf(t, outputs[1])
	for name, content := range want {
		if got[name] != content {
			t.Errorf("%s differs: %d and %d bytes", name, len(content), len(got[name]))
		}
	}
	if len(want) != len(got) {
		t.Errorf("got %d files, want %d", len(got), len(want))
	}
	if info, err := os.Stat(filepath.Join(outputs[1], output.Checksums)); err != nil || info.Mode().Perm() != 0o644 {
		t.Errorf("the umask decided the mode: %v, %v", info.Mode(), err)
	}
	for _, name := range []string{
		"goldsmith_v1.2.3-rc.1_linux_amd64.tar.gz", "goldsmith_v1.2.3-rc.1_windows_amd64.zip.cdx.json", "goldsmith_1.2.3~rc.1_amd64.deb",
		"goldsmith-server_1.2.3~rc.1_all.deb", "goldsmith-1.2.3~rc.1-1.x86_64.rpm", "builder_v1.2.3-rc.1_oci.tar", output.Checksums,
	} {
		if want[name] == "" {
			t.Errorf("no %s", name)
		}
	}
	sum := sha256.Sum256([]byte(got[output.Checksums]))
	for name, form := range map[string]string{output.Checksums + ".sig": "", output.Checksums + ".sigstore.json": "bundle"} {
		signature, ok := strings.CutPrefix(got[name], form)
		if !ok || !ecdsa.VerifyASN1(&key.PublicKey, sum[:], []byte(signature)) {
			t.Errorf("%s is no signature of the checksums: %q", name, got[name])
		}
		if info, err := os.Stat(filepath.Join(outputs[1], name)); err != nil || info.Mode().Perm() != 0o644 {
			t.Errorf("the umask decided the mode: %v, %v", info.Mode(), err)
		}
	}
	if number, err := key.Bytes(); err != nil || strings.Count(log.String(), "SHA256SUMS is signed by key sha256:00\n") != 2 || strings.Contains(log.String(), string(number)) {
		t.Errorf("%v, the log is %s", err, &log)
	}
	check := exec.Command("sha256sum", "--check", "--strict", "--quiet", output.Checksums)
	check.Dir = outputs[1]
	if out, err := check.CombinedOutput(); err != nil {
		t.Errorf("%v: %s", err, out)
	}
}

// newKey returns a private key, and the file with its number.
func newKey(t *testing.T) (key *ecdsa.PrivateKey, path string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	number, err := key.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	path = filepath.Join(t.TempDir(), "release.pem")
	mustWrite(t, path, string(number))
	return key, path
}

// TestAnUnsignedReleaseTakesThePlaceOfASignedOne and says that it is unsigned.
func TestAnUnsignedReleaseTakesThePlaceOfASignedOne(t *testing.T) {
	checkout, dist := checkoutOf(t), filepath.Join(t.TempDir(), "dist")
	_, keyFile := newKey(t)
	plan := small()
	plan.images, plan.documented = nil, false
	for _, test := range []struct{ key, log string }{{keyFile, "SHA256SUMS is signed by key"}, {"", "SHA256SUMS is not signed: `make release` signs with SIGNING_KEY=FILE"}} {
		var log strings.Builder
		if err := release(t.Context(), &options{plan: plan, checkout: checkout, output: dist, version: "v1.0.0", signingKey: test.key, log: &log}); err != nil {
			t.Fatal(err)
		}
		signed := 0
		for name := range filesOf(t, dist) {
			if strings.HasPrefix(name, output.Checksums+".") {
				signed++
			}
		}
		if signed > 0 != (test.key != "") || !strings.Contains(log.String(), test.log) {
			t.Errorf("key %q: got %d signatures and the log %s", test.key, signed, &log)
		}
	}
}

func TestAKeyThatCannotSignIsRefusedAndNothingIsLeft(t *testing.T) {
	checkout, parent := checkoutOf(t), t.TempDir()
	noKey := filepath.Join(t.TempDir(), "key")
	mustWrite(t, noKey, "no key")
	for key, want := range map[string]string{
		"/nonexistent/key": "signing key: stat /nonexistent/key: no such file or directory",
		"/dev/null":        "signing key: /dev/null is not a file",
		noKey:              "sign LICENSE: exit status 1: Error: --key:",
	} {
		err := release(t.Context(), &options{plan: small(), checkout: checkout, output: filepath.Join(parent, "dist"), version: "v1.0.0", signingKey: key, log: io.Discard})
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q", err, want)
		}
		if left := list(t, parent); len(left) != 1 {
			t.Errorf("%v is left", left)
		}
	}
}

func TestWhatIsNoReleaseIsRefusedAndNothingIsLeft(t *testing.T) {
	for name, test := range map[string]struct {
		version string
		change  func(t *testing.T, checkout, output string)
		want    string
	}{
		"no version":          {"", nil, "make release VERSION="},
		"no semantic version": {"1.0", nil, "VERSION=1.0: must be a semantic version"},
		"a leading zero":      {"v1.02.0", nil, "must be a semantic version"},
		"build metadata":      {"v1.0.0+a", nil, "without build metadata"},
		"another line":        {"v1.0.0\n", nil, "must be a semantic version"},
		"a changed file":      {"v1.0.0", func(t *testing.T, checkout, _ string) { mustWrite(t, filepath.Join(checkout, "LICENSE"), "another") }, "M LICENSE"},
		"a new file":          {"v1.0.0", func(t *testing.T, checkout, _ string) { mustWrite(t, filepath.Join(checkout, "new"), "") }, "?? new"},
		"a tag of another commit": {"v1.0.0", func(t *testing.T, checkout, _ string) {
			git(t, checkout, "tag", "v1.0.0")
			mustWrite(t, filepath.Join(checkout, "LICENSE"), "another")
			commit(t, checkout)
		}, "the tag is at commit"},
		"a commit that does not compile": {"v1.0.0", func(t *testing.T, checkout, _ string) {
			mustWrite(t, filepath.Join(checkout, "cmd/builder/main.go"), "package main\n\nfunc main() { a }\n")
			commit(t, checkout)
		}, "undefined: a"},
		"a directory of somebody": {"v1.0.0", func(t *testing.T, _, output string) {
			if err := os.Mkdir(output, 0o700); err != nil {
				t.Fatal(err)
			}
			mustWrite(t, filepath.Join(output, "thesis.txt"), "a")
		}, "is no release"},
		"a directory of downloads": {"v1.0.0", func(t *testing.T, _, output string) {
			if err := os.Mkdir(output, 0o700); err != nil {
				t.Fatal(err)
			}
			mustWrite(t, filepath.Join(output, "SHA256SUMS"), "0000  other.iso\n")
			mustWrite(t, filepath.Join(output, "other.iso"), "a")
			mustWrite(t, filepath.Join(output, "thesis.txt"), "a")
		}, "has thesis.txt, and is no release"},
		"a file": {"v1.0.0", func(t *testing.T, _, output string) { mustWrite(t, output, "a") }, "is no directory, and is no release"},
		"a link": {"v1.0.0", func(t *testing.T, checkout, output string) {
			if err := os.Symlink(filepath.Join(checkout, "cmd"), output); err != nil {
				t.Fatal(err)
			}
		}, "is no directory, and is no release"},
	} {
		t.Run(name, func(t *testing.T) {
			checkout, parent := checkoutOf(t), t.TempDir()
			output := filepath.Join(parent, "dist")
			if test.change != nil {
				test.change(t, checkout, output)
			}
			before := list(t, parent)
			err := release(t.Context(), &options{plan: small(), checkout: checkout, output: output, version: test.version, log: io.Discard})
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %v, want %q", err, test.want)
			}
			if after := list(t, parent); !slices.Equal(before, after) {
				t.Errorf("got %v, want %v", after, before)
			}
		})
	}
}

func mustWrite(t *testing.T, path, content string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}

func list(t *testing.T, directory string) []string {
	t.Helper()
	out, err := exec.Command("find", directory).Output()
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Fields(string(bytes.TrimSpace(out)))
	slices.Sort(lines)
	return lines
}

// TestAFullDiskLeavesAnEarlierRelease fails in the middle of a second release.
func TestAFullDiskLeavesAnEarlierRelease(t *testing.T) {
	disk := t.TempDir()
	to, err := output.Begin(filepath.Join(disk, "dist"), io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	if err := to.Write("a", func(out io.Writer) error { _, err := io.WriteString(out, "first"); return err }); err != nil {
		t.Fatal(err)
	}
	if err := to.Commit(func(string) error { return nil }); err != nil {
		t.Fatal(err)
	}
	want := list(t, disk)
	if to, err = output.Begin(filepath.Join(disk, "dist"), io.Discard); err != nil {
		t.Fatal(err)
	}
	err = to.Write("a", func(out io.Writer) error {
		_, err := io.WriteString(out, "second")
		if err == nil {
			err = &os.PathError{Op: "write", Path: "a", Err: syscall.ENOSPC}
		}
		return err
	})
	if err = to.Abandon(err); !strings.Contains(err.Error(), "make space on the disk") || !strings.Contains(err.Error(), "that of an earlier run") {
		t.Errorf("got %v", err)
	}
	if got := list(t, disk); !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}
