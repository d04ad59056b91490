// SPDX-License-Identifier: Apache-2.0

package datadir

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
	"k8s.io/utils/clock"
	clocktesting "k8s.io/utils/clock/testing"

	"goldsmith.dev/goldsmith/e2e/require"
)

// atOnce runs a step without a notice.
func atOnce(_ string, step func() error) error { return step() }

func claim(t *testing.T, path string, memory bool) *Directory {
	t.Helper()
	directory, err := Claim(t.Context(), path, "v0.1.0", memory, clock.RealClock{}, atOnce)
	require.NoError(t, err)
	return directory
}

func release(t *testing.T, directory *Directory) {
	t.Helper()
	require.NoError(t, directory.Release())
}

func token(t *testing.T, directory *Directory) string {
	t.Helper()
	token, err := directory.Token()
	require.NoError(t, err)
	if len(token) < 26 {
		t.Errorf("token %q is too short to be random", token)
	}
	return token
}

func TestADataDirectoryHasOneUserAtATime(t *testing.T) {
	path := filepath.Join(t.TempDir(), "data")
	first := claim(t, path, false)
	want := fmt.Sprintf("data directory %s is in use by another `goldsmith up`, process %d: stop", path, os.Getpid())
	if _, err := Claim(t.Context(), path, "v0.1.0", true, clock.RealClock{}, atOnce); err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("got error %v, want %s", err, want)
	}
	release(t, first)
	release(t, claim(t, path, false))
}

// announcing is a clock that tells when a function waits for it.
type announcing struct {
	*clocktesting.FakeClock
	waits chan time.Duration
}

func (a announcing) AfterFunc(d time.Duration, f func()) clock.Timer {
	defer func() { a.waits <- d }()
	return a.FakeClock.AfterFunc(d, f)
}

// A process that is killed while it writes to a disk keeps its locks until it has written.
func TestRootDoesNotServeTheDataOfAnotherUser(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root can give a directory away")
	}
	path := t.TempDir()
	require.NoError(t, os.Chown(path, 65534, 65534))
	if _, err := Claim(t.Context(), path, "v0.1.0", false, clock.RealClock{}, atOnce); err == nil || !strings.Contains(err.Error(), "belongs to user nobody: run the command as that user") {
		t.Errorf("got %v", err)
	}
	if entries := require.Value(os.ReadDir(path))(t); len(entries) > 0 {
		t.Errorf("got %v", entries)
	}
}

func TestAStartWaitsForAFormerServerThatIsEnding(t *testing.T) {
	killed := exec.CommandContext(t.Context(), "true")
	require.NoError(t, killed.Start())
	defer func() { _ = killed.Wait() }() // it has no other result than its end
	require.NoError(t, unix.Waitid(unix.P_PID, killed.Process.Pid, nil, unix.WEXITED|unix.WNOWAIT, nil))
	for name, test := range map[string]struct {
		ends, interrupted bool
		want              string // the error
	}{
		"it ends":         {ends: true},
		"it stays":        {want: fmt.Sprintf("is in use by another `goldsmith up`, process %d: stop the other server", killed.Process.Pid)},
		"an interruption": {interrupted: true, want: context.Canceled.Error()},
	} {
		t.Run(name, func(t *testing.T) {
			path := t.TempDir()
			held := claim(t, path, false)
			require.NoError(t, os.WriteFile(filepath.Join(path, "lock"), fmt.Appendln(nil, killed.Process.Pid), 0o600))
			ctx, interrupt := context.WithCancel(t.Context())
			defer interrupt()
			fake := announcing{clocktesting.NewFakeClock(time.Now()), make(chan time.Duration, 1)}
			claimed, waits := make(chan error), make(chan string, 1)
			await := func(what string, step func() error) error {
				waits <- what
				return step()
			}
			go func() {
				directory, err := Claim(ctx, path, "v0.1.0", false, fake, await)
				if err == nil {
					err = directory.Release()
				}
				claimed <- err
			}()
			for range 2 { // the notice and the limit
				select {
				case <-fake.waits:
				case got := <-waits:
					if want := fmt.Sprintf("the former server, process %d, to end", killed.Process.Pid); got != want {
						t.Errorf("got %q, want %q", got, want)
					}
				case err := <-claimed:
					t.Fatalf("it did not wait: %v", err)
				}
			}
			switch {
			case test.ends:
				release(t, held)
			case test.interrupted:
				interrupt()
			default:
				fake.Step(endLimit)
			}
			if err := <-claimed; (err == nil) != (test.want == "") || err != nil && !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %v, want %q", err, test.want)
			}
			if !test.ends {
				release(t, held)
			}
		})
	}
}

func TestAServerThatRunsIsNotEnding(t *testing.T) {
	for pid, want := range map[int]bool{0: false, os.Getpid(): false, 1 << 30: true} {
		if got := isEnding(pid); got != want {
			t.Errorf("process %d: %t", pid, got)
		}
	}
}

func TestGitIgnoresADataDirectoryUnlessItsOwnerDecidesOtherwise(t *testing.T) {
	path := filepath.Join(t.TempDir(), "data")
	ignore := filepath.Join(path, ".gitignore")
	for _, test := range []struct{ found, want string }{{"", "*\n"}, {"/run/\n", "/run/\n"}, {"", "*\n"}} {
		if test.found != "" {
			require.NoError(t, os.WriteFile(ignore, []byte(test.found), 0o600))
		}
		release(t, claim(t, path, false))
		if got, err := os.ReadFile(ignore); err != nil || string(got) != test.want {
			t.Errorf("after %q: got %q, want %q: %v", test.found, got, test.want, err)
		}
		require.NoError(t, os.Remove(ignore))
	}
}

func TestTheUsageIsWhatFilesOccupy(t *testing.T) {
	directory := claim(t, t.TempDir(), false)
	defer release(t, directory)
	before := directory.Usage()
	builds := directory.Join("builds", "output")
	require.NoError(t, os.MkdirAll(filepath.Join(builds, "closed"), 0o700))
	require.NoError(t, os.WriteFile(filepath.Join(builds, "image"), make([]byte, 3<<20), 0o600))
	require.NoError(t, os.WriteFile(filepath.Join(builds, "sparse"), nil, 0o600))
	require.NoError(t, os.Truncate(filepath.Join(builds, "sparse"), 1<<40))
	require.NoError(t, os.Chmod(filepath.Join(builds, "closed"), 0))
	if grown := directory.Usage() - before; grown < 3<<20 || grown > 4<<20 {
		t.Errorf("3 MiB were written, and the usage grew by %d bytes", grown)
	}
}

func TestTheTokenSurvivesARestartAndIsSecret(t *testing.T) {
	path := t.TempDir()
	first := claim(t, path, false)
	before := token(t, first)
	release(t, first)
	second := claim(t, path, false)
	defer release(t, second)
	if after := token(t, second); after != before {
		t.Error("the token changed")
	}
	info, err := os.Stat(second.Join("server", "token"))
	require.NoError(t, err)
	if info.Mode().Perm() != 0o600 {
		t.Errorf("got mode %o", info.Mode().Perm())
	}
}

func TestInMemoryNothingIsRemembered(t *testing.T) {
	directory := claim(t, t.TempDir(), true)
	defer release(t, directory)
	first, second := token(t, directory), token(t, directory)
	if first == second {
		t.Error("the token was kept")
	}
	if _, err := os.Stat(directory.Join("server")); !os.IsNotExist(err) {
		t.Errorf("got %v, want nothing", err)
	}
}

func TestInMemoryRecordsGoAway(t *testing.T) {
	path := t.TempDir()
	kept := claim(t, path, false)
	before, err := kept.RecordsFile()
	require.NoError(t, err)
	release(t, kept)
	directory := claim(t, path, true)
	file, err := directory.RecordsFile()
	require.NoError(t, err)
	if file == before {
		t.Errorf("in memory, too, records are in %s", file)
	}
	require.NoError(t, os.WriteFile(file, nil, 0o600))
	release(t, directory)
	if _, err := os.Stat(filepath.Dir(file)); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("got %v, want nothing", err)
	}
}

func TestInMemoryArtifactsGoAway(t *testing.T) {
	path := t.TempDir()
	for _, memory := range []bool{false, true} {
		directory := claim(t, path, memory)
		require.Value(directory.OpenArtifacts())(t)
		if left, _ := filepath.Glob(filepath.Join(path, "run", "goldsmith-artifacts-*", "oci-layout")); (len(left) == 1) != memory {
			t.Errorf("in memory is %t: found %v", memory, left)
		}
		release(t, directory)
	}
	if left, _ := filepath.Glob(filepath.Join(path, "*", "oci-layout")); len(left) != 1 || left[0] != filepath.Join(path, "artifacts", "oci-layout") {
		t.Errorf("found %v", left)
	}
	if left, _ := filepath.Glob(filepath.Join(path, "run", "*")); len(left) > 0 {
		t.Errorf("found %v", left)
	}
}

func TestInMemoryBuildsHaveADirectoryOfTheirOwnThatGoesAway(t *testing.T) {
	path := t.TempDir()
	kept := claim(t, path, false)
	release(t, kept)
	killed := claim(t, path, true)
	output := filepath.Join(killed.Builds, "uid", "output")
	require.NoError(t, errors.Join(os.MkdirAll(output, 0o700), os.Mkdir(filepath.Join(output, "readonly"), 0o500), killed.lock.Close()))
	theirs := filepath.Join(path, "run", "somebody-elses")
	require.NoError(t, os.Mkdir(theirs, 0o700))
	running := claim(t, path, true)
	if running.Builds == kept.Builds || running.Builds == killed.Builds {
		t.Errorf("builds go to %s again", running.Builds)
	}
	if _, err := os.Stat(running.Builds); err != nil {
		t.Error(err)
	}
	release(t, running)
	for _, directory := range []string{killed.Builds, running.Builds} {
		if _, err := os.Stat(directory); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s: got %v, want nothing", directory, err)
		}
	}
	if _, err := os.Stat(theirs); err != nil {
		t.Error(err)
	}
}

func TestAFullDiskIsTheOneOfTheFile(t *testing.T) {
	for name, test := range map[string]struct {
		err  error
		want string
	}{
		"of a file in another directory": {&fs.PathError{Op: "write", Path: "/backups/x", Err: syscall.ENOSPC}, "write /backups/x: no space left on device: free space there, then try again"},
		"without a file":                 {syscall.ENOSPC, "no space left on device: free space on the file system of /data, then try again"},
		"of which the user has a part":   {syscall.EDQUOT, "disk quota exceeded: free space on the file system of /data, then try again"},
	} {
		if got := Explain("/data", test.err).Error(); got != test.want {
			t.Errorf("%s: got %q, want %q", name, got, test.want)
		}
	}
}

func TestNoFileOfADataDirectoryIsWaitedFor(t *testing.T) {
	t.Parallel()
	directory := t.TempDir()
	require.NoError(t, os.Mkdir(filepath.Join(directory, "server"), 0o700))
	for _, name := range []string{VersionFile, "server/token", "server/" + configurationFlagsName, GitignoreName} {
		require.NoError(t, syscall.Mkfifo(filepath.Join(directory, name), 0o600))
	}
	if _, err := CheckVersion(directory, "v0.1.0"); err == nil || !strings.Contains(err.Error(), "not a regular file") {
		t.Errorf("the version: %v", err)
	}
	if _, err := (&Directory{Path: directory}).Recall("token"); err == nil || !strings.Contains(err.Error(), "not a regular file") {
		t.Errorf("the token: %v", err)
	}
	if flags := RecallFlags(directory); flags != nil || KeepsOutOfGit(directory) {
		t.Errorf("got flags %v", flags)
	}
}
