// SPDX-License-Identifier: Apache-2.0

package datadir

import (
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"goldsmith.dev/goldsmith/e2e/require"
)

// ofAService returns a directory of the user of a service, with a parent of root. Only root can make it.
func ofAService(t *testing.T) string {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("only root can act as another user")
	}
	directory := filepath.Join(t.TempDir(), "data")
	require.NoError(t, errors.Join(os.Mkdir(directory, 0o700), os.Lchown(directory, 4711, 4712)))
	for parent := filepath.Dir(directory); parent != os.TempDir(); parent = filepath.Dir(parent) {
		require.NoError(t, os.Chmod(parent, 0o711)) // others have to reach the directory
	}
	return directory
}

func TestRootAccessesTheDirectoryOfAnotherUserOnlyAsThatUser(t *testing.T) {
	directory := ofAService(t)
	const group = 4799
	if groups := require.Value(syscall.Getgroups())(t); !slices.Contains(groups, group) {
		command := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^"+t.Name()+"$")
		command.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Groups: []uint32{group}}}
		if out, err := command.CombinedOutput(); err != nil {
			t.Errorf("%v: %s", err, out)
		}
		return
	}
	file, linked := filepath.Join(directory, "of-a-group-of-root"), filepath.Join(directory, "hard-link")
	require.NoError(t, errors.Join(os.WriteFile(file, nil, 0o640), os.Chown(file, 0, group), os.Link(file, linked)))
	read := func() error {
		_, err := os.ReadFile(linked)
		return err
	}
	for _, acting := range []func(access func() error) error{
		func(access func() error) error { return access() },
		func(access func() error) error { // in another thread
			done := make(chan error)
			go func() { done <- access() }()
			return <-done
		},
		func(access func() error) error { return AsOwner(directory, access) }, // again
	} {
		err := AsOwner(directory, func() error { return acting(read) })
		if !errors.Is(err, fs.ErrPermission) || !strings.Contains(err.Error(), "as user 4711, who owns it") {
			t.Errorf("a file of a group of root: got error %v", err)
		}
	}
	require.NoError(t, AsOwner(filepath.Dir(directory), read))
	if groups, err := syscall.Getgroups(); err != nil || !slices.Equal(groups, []int{group}) || os.Geteuid() != 0 || os.Getegid() != 0 {
		t.Errorf("afterwards user %d, group %d, groups %v, %v", os.Geteuid(), os.Getegid(), groups, err)
	}
}

func TestAnErrorAboutPermissionsNamesTheOwner(t *testing.T) {
	directory := ofAService(t)
	ofRoot := filepath.Join(filepath.Dir(directory), "of-root")
	require.NoError(t, errors.Join(os.Mkdir(ofRoot, 0o700), os.WriteFile(filepath.Join(ofRoot, VersionFile), nil, 0o600)))
	whose := ": permission denied: " + ofRoot + " belongs to user root with mode 0700, and you are user 4711"
	const remedy = ": run the command as the user of the data directory, or set --data-dir to another directory"
	for name, test := range map[string]struct {
		access func() error
		want   string
	}{
		"a check":     {func() error { return CheckWritable(ofRoot) }, "write to " + ofRoot + whose + remedy},
		"a new one":   {func() error { return CheckWritable(filepath.Join(filepath.Dir(ofRoot), "new")) }, " belongs to user root with mode 0711, and you are user 4711" + remedy},
		"the version": {func() error { _, err := CheckVersion(ofRoot, "v0.1.0"); return err }, VersionFile + whose + remedy},
		"other files": {func() error { return CheckWritable("/usr") }, "write to /usr: permission denied: root accesses"},
	} {
		explained := ofRoot
		if name == "a new one" {
			explained = filepath.Join(filepath.Dir(ofRoot), "new")
		}
		err := AsOwner(directory, func() error { return ExplainAccess(explained, test.access()) })
		if err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: got %v, want %s", name, err, test.want)
		}
	}
}

// A user who owns a directory on the way can replace what is below it by a link to a directory of root, also after it was examined.
func TestWhoCanReplaceADirectoryIsItsOwner(t *testing.T) {
	directory := ofAService(t)
	parent := filepath.Dir(directory)
	above := filepath.Dir(parent)
	path := func(name string) string { return filepath.Join(above, name) }
	require.NoError(t, errors.Join(os.Chown(parent, 4713, 4713), os.Mkdir(filepath.Join(parent, "of-root"), 0o700), os.Mkdir(path("of-root"), 0o700),
		os.Symlink(path("of-root"), filepath.Join(parent, "link")), os.Lchown(filepath.Join(parent, "link"), 4713, 4713),
		os.Symlink(filepath.Join("of-root", "..", filepath.Base(parent), "link"), path("link")), os.Symlink("of-root", path("foreign-link")),
		os.Lchown(path("foreign-link"), 4713, 4713), os.Symlink("of-root", path("own-link")), os.Symlink("loop", path("loop"))))
	for name, want := range map[string][2]int{ // without and with sudo of the owner of the parent
		filepath.Join(parent, "data"): {4713, 4711}, filepath.Join(parent, "of-root"): {4713, 0}, filepath.Join(parent, "link"): {4713, 0},
		path("link"): {4713, 0}, path("foreign-link"): {4713, 0}, path("own-link"): {0, 0}, parent: {4713, 4713}, path("loop"): {-1, -1},
		filepath.Join(parent, "gone"): {4713, -1},
	} {
		for i, sudo := range []string{"", "4713"} {
			t.Setenv("SUDO_UID", sudo)
			acting := -1
			err := AsOwner(name, func() error {
				acting = os.Geteuid()
				return nil
			})
			if acting != want[i] || (err != nil) != (want[i] < 0) {
				t.Errorf("%s, with SUDO_UID=%s: as user %d, %v, want %d", name, sudo, acting, err, want[i])
			}
		}
	}
}

func TestADirectoryIsMadeBesideAnotherForItsOwner(t *testing.T) {
	directory := ofAService(t)
	parent := filepath.Dir(directory)
	for _, test := range []struct{ parent, directory, want int }{{0, 4711, 4711}, {4713, 4711, 4713}, {4713, 0, 4713}, {0, 0, 0}} {
		require.NoError(t, errors.Join(os.Chown(parent, test.parent, test.parent), os.Chown(directory, test.directory, test.directory)))
		made, err := MakeBeside(directory, ".made-")
		require.NoError(t, err)
		info := require.Value(os.Stat(made))(t)
		if owner, _ := info.Sys().(*syscall.Stat_t); int(owner.Uid) != test.want || info.Mode().Perm() != 0o700 {
			t.Errorf("%+v: mode %s of user %d", test, info.Mode(), owner.Uid)
		}
		victim := filepath.Join(t.TempDir(), "victim")
		require.NoError(t, errors.Join(os.WriteFile(victim, nil, 0o600), os.Symlink(filepath.Dir(victim), filepath.Join(made, "link"))))
		require.NoError(t, RemoveMade(made))
		if _, err := os.Stat(victim); err != nil {
			t.Error(err)
		}
		if _, err := os.Lstat(made); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%+v: left %v", test, err)
		}
	}
}
