// SPDX-License-Identifier: Apache-2.0

package backup

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/sys/unix"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/clock"

	"goldsmith.dev/goldsmith/apiserver/storage/etcd"
	"goldsmith.dev/goldsmith/cmd/goldsmith/internal/datadir"
	"goldsmith.dev/goldsmith/cmd/goldsmith/internal/users"
	"goldsmith.dev/goldsmith/e2e/require"
	"goldsmith.dev/goldsmith/jobs/local/artifacts"
	"goldsmith.dev/goldsmith/records"
)

func claim(t *testing.T, path string) *datadir.Directory {
	t.Helper()
	await := func(_ string, step func() error) error { return step() }
	return require.Value(datadir.Claim(t.Context(), path, "v0.1.0", false, clock.RealClock{}, await))(t)
}

func TestABackupIsOfADataDirectoryAndWhole(t *testing.T) {
	file := filepath.Join(t.TempDir(), "backup.tar.gz")
	if err := create(t.Context(), t.TempDir(), file, options{}, t.Output()); err == nil || !strings.Contains(err.Error(), "--data-dir") {
		t.Errorf("backed up no data directory: %v", err)
	}
	data := t.TempDir()
	require.NoError(t, claim(t, data).Release())
	const pod = "builds/0b6e1c5e-9d5c-4b57-8f0e-0123456789ab/"
	kept := []string{"builders.yaml", "server/token", "logs/v1/team/b-1/build.json", "logs/v1/team/b-1/1-p-1/seal.json", pod + "log", pod + "started"}
	for _, name := range append(slices.Clone(kept), "kubeconfig", "logs/other", pod+"output/disk.raw", pod+"report-token", "builds/other/log") {
		require.NoError(t, os.MkdirAll(filepath.Dir(filepath.Join(data, name)), 0o700))
		require.NoError(t, os.WriteFile(filepath.Join(data, name), []byte(name), 0o600))
	}
	t.Chdir(filepath.Dir(data)) // the default is a relative path, too
	database, err := records.Open(t.Context(), "sqlite://"+filepath.Join(data, "records.db"), records.Options{})
	require.NoError(t, errors.Join(err, database.Close()))
	require.NoError(t, os.WriteFile(file, []byte("the last backup"), 0o600))
	err = create(t.Context(), filepath.Base(data), file, options{}, t.Output())
	if content, failure := os.ReadFile(file); err == nil || !strings.Contains(err.Error(), "exists: choose another name, or set --force") || string(content) != "the last backup" || failure != nil {
		t.Errorf("without --force, a file of %d bytes is there: %v, %v", len(content), err, failure)
	}
	if err := unix.Mkfifo(filepath.Join(data, pod, "input"), 0o600); err != nil { // a builder can replace its files
		t.Fatal(err)
	}
	notices := &bytes.Buffer{}
	require.NoError(t, create(t.Context(), filepath.Base(data), file, options{force: true}, notices))
	if want := "incomplete: " + pod + "input: not a regular file\n"; notices.String() != want {
		t.Errorf("notices are %q, want %q", notices, want)
	}
	if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info, err)
	}
	content, err := os.ReadFile(file)
	require.NoError(t, err)
	for name, content := range map[string][]byte{"cut short": content[:len(content)-9], "something else": []byte("hello"), "nothing": nil} {
		broken, restored := filepath.Join(t.TempDir(), "broken"), filepath.Join(t.TempDir(), "restored")
		require.NoError(t, os.WriteFile(broken, content, 0o600))
		if err := restore(t.Context(), restored, broken, "v0.1.0", t.Output()); err == nil || !strings.Contains(err.Error(), errNoBackup.Error()) {
			t.Errorf("%s: %v", name, err)
		}
		if left, err := os.ReadDir(filepath.Dir(restored)); err != nil || len(left) > 0 {
			t.Errorf("%s left %v, %v", name, left, err)
		}
	}
	empty, link, restored := t.TempDir(), filepath.Join(t.TempDir(), "link"), filepath.Join(t.TempDir(), "new", "restored")
	require.NoError(t, os.Symlink(empty, link))
	if err := restore(t.Context(), link, file, "v0.1.0", t.Output()); err != nil {
		t.Errorf("an empty directory, by a link: %v", err)
	}
	if _, err := os.Stat(filepath.Join(empty, "server", "token")); err != nil {
		t.Errorf("the directory of the link was not restored: %v", err)
	}
	emptied, others := t.TempDir(), t.TempDir() // as by rm -rf DIR/*
	require.NoError(t, datadir.KeepOutOfGit(emptied))
	require.NoError(t, restore(t.Context(), emptied, file, "v0.1.0", t.Output()))
	require.NoError(t, os.WriteFile(filepath.Join(others, ".gitignore"), []byte("bin\n"), 0o600))
	if err := restore(t.Context(), others, file, "v0.1.0", t.Output()); err == nil || !strings.Contains(err.Error(), "is not empty: move it away") {
		t.Errorf("a directory with a .gitignore of its own: %v", err)
	}
	require.NoError(t, restore(t.Context(), restored, file, "v0.1.0", t.Output()))
	var found []string
	made := []string{".gitignore", "records.db", "version.json"} // created, not copied from the files above
	err = filepath.WalkDir(restored, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		name, err := filepath.Rel(restored, path)
		found = append(found, name)
		if content, failure := os.ReadFile(path); failure != nil || !slices.Contains(made, name) && string(content) != name {
			t.Errorf("%s: %q, %v", name, content, failure)
		}
		return err
	})
	want := append(slices.Clone(kept), made...)
	if slices.Sort(want); err != nil || !slices.Equal(found, want) {
		t.Errorf("restored %v, want %v: %v", found, want, err)
	}
	if database, err = records.Open(t.Context(), "sqlite://"+filepath.Join(restored, "records.db"), records.Options{}); err != nil {
		t.Fatal(err)
	}
	if version, err := database.SchemaVersion(t.Context()); version == 0 || err != nil {
		t.Errorf("restored records of version %d: %v", version, err)
	}
	if err := database.Close(); err != nil {
		t.Error(err)
	}
}

// A backup has the index of the artifacts in any case, and the artifacts on request.
func TestARestoreTellsWhichArtifactsItLacks(t *testing.T) {
	t.Parallel()
	data, out := t.TempDir(), t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(data, "lock"), nil, 0o600))
	store := require.Value(artifacts.Open(filepath.Join(data, artifactsName), artifacts.Options{Volatile: true}))(t)
	require.NoError(t, os.WriteFile(filepath.Join(out, "disk"), []byte("content"), 0o600))
	output := require.Value(os.OpenRoot(out))(t)
	defer func() { _ = output.Close() }() // only read from
	taken := store.Take(t.Context(), output, "disk")[0]
	require.NoError(t, taken.Err)
	for i := range 12 {
		name := fmt.Sprintf("web-%02d", i)
		require.NoError(t, store.Record(artifacts.Build{UID: types.UID(name), Namespace: "team", Name: name + "-1", Image: name}, []artifacts.Artifact{
			{Target: "linux/amd64/raw", Content: taken.Content, MediaType: "a/b"},
		}))
	}
	server := require.Value(etcd.Start(t.Context(), filepath.Join(data, "storage")))(t)
	client := require.Value(server.Connect())(t)
	for i := range 12 {
		require.Value(client.Put(t.Context(), fmt.Sprintf("/registry/images.goldsmith.dev/images/team/web-%02d", i), "x"))(t)
	}
	require.NoError(t, errors.Join(client.Close(), server.Stop()))
	require.NoError(t, store.Record(artifacts.Build{UID: "deleted", Namespace: "team", Name: "deleted-1", Image: "deleted"}, []artifacts.Artifact{
		{Target: "linux/amd64/raw", Content: taken.Content, MediaType: "a/b"},
	}))
	for complete, want := range map[bool]string{
		true: "",
		false: "warning: the backup has no artifacts of team/web-00, team/web-01, team/web-02, team/web-03, team/web-04, team/web-05, team/web-06, team/web-07, " +
			"team/web-08, team/web-09 and 2 more: they are not ready until they are built again, unless their builds have published them; goldsmith backup --artifacts includes artifacts\n",
	} {
		file, restored := filepath.Join(out, fmt.Sprint(complete)), filepath.Join(t.TempDir(), "restored")
		require.NoError(t, create(t.Context(), data, file, options{artifacts: complete}, t.Output()))
		notices := &bytes.Buffer{}
		require.NoError(t, restore(t.Context(), restored, file, "v0.1.0", notices))
		again := require.Value(artifacts.Open(filepath.Join(restored, artifactsName), artifacts.Options{Volatile: true}))(t)
		if entries := again.Entries(); notices.String() != want || len(entries) != 13 || again.Has(taken.Content.Digest) != complete {
			t.Errorf("restored with artifacts %t: %d entries, the content %t; %q", complete, len(entries), again.Has(taken.Content.Digest), notices)
		}
	}
}

// A backup has neither the executables of builders nor their files with passwords, and the document of --builders is elsewhere.
func TestBackupAndRestoreTellWhatBuildersNeedBesides(t *testing.T) {
	t.Parallel()
	tools := t.TempDir()
	tool, document := filepath.Join(tools, "tool"), filepath.Join(tools, "lab.yaml")
	require.NoError(t, errors.Join(os.WriteFile(tool, nil, 0o700), os.WriteFile(document, nil, 0o600)))
	for name, test := range map[string]struct {
		flags   []string // of the backed-up server
		gone    string   // what does not exist at the restore
		backup  []string // the lines of the backup
		restore []string // the lines of the restore
		start   string   // the flags of its last line
	}{
		"a document of the data directory": {
			backup:  []string{"warning: the backup omits files that builders need: back up TOOL, DATA/secrets/token by other means"},
			restore: []string{"warning: the backup has no files of builders: before the start, create RESTORED/secrets/token"},
		},
		"flags": {
			flags:  []string{"--builders", document, "--builder", "shell=" + tool, "--unconfined", "shell"},
			backup: []string{"warning: the backup omits the files that the server has from --builders DOCUMENT --builder 'shell=TOOL' --unconfined shell: back them up by other means"},
			start:  " --builders DOCUMENT --builder 'shell=TOOL' --unconfined shell",
		},
		"kinds": {
			flags: []string{"--kinds", document},
			backup: []string{"warning: the backup omits the files that the server has from --kinds DOCUMENT: back them up by other means",
				"warning: the backup omits files that builders need: back up TOOL, DATA/secrets/token by other means"},
			restore: []string{"warning: the backup has no files of builders: before the start, create RESTORED/secrets/token"},
			start:   " --kinds DOCUMENT",
		},
		"flags with a path that does not exist": {
			flags:   []string{"--builders", document, "--builder", "shell=" + tool},
			gone:    document,
			backup:  []string{"warning: the backup omits the files that the server has from --builders DOCUMENT --builder 'shell=TOOL': back them up by other means"},
			restore: []string{"warning: the backed-up server ran with --builders DOCUMENT --builder 'shell=TOOL': start with these flags too, but with paths that exist instead of DOCUMENT"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			data, restored, file := t.TempDir(), filepath.Join(t.TempDir(), "restored"), filepath.Join(t.TempDir(), "backup")
			claimed := claim(t, data)
			require.NoError(t, errors.Join(claimed.RememberFlags(test.flags), claimed.Release()))
			const builders = "apiVersion: goldsmith.dev/v1alpha1\nkind: BuilderConfiguration\nbuilders:\n- {name: disk, path: %s, env: [{name: TOKEN, valueFrom: {file: secrets/token}}]}\n"
			require.NoError(t, errors.Join(os.WriteFile(filepath.Join(data, "builders.yaml"), fmt.Appendf(nil, builders, tool), 0o600),
				os.Mkdir(filepath.Join(data, "secrets"), 0o700), os.WriteFile(filepath.Join(data, "secrets", "token"), []byte("hunter2"), 0o600)))
			paths := strings.NewReplacer(tool, "TOOL", document, "DOCUMENT", data, "DATA", restored, "RESTORED", file, "FILE")
			run := func(command *cobra.Command, arguments ...string) []string {
				out := &strings.Builder{}
				command.SetOut(out)
				command.SetErr(out)
				command.SetArgs(arguments)
				require.NoError(t, command.ExecuteContext(t.Context()))
				return strings.Split(strings.TrimSuffix(paths.Replace(out.String()), "\n"), "\n")
			}
			if got, want := run(NewCommand(), "--data-dir", data, file), slices.Concat(test.backup, []string{"FILE holds a backup of DATA"}); !slices.Equal(got, want) {
				t.Errorf("got %q, want %q", got, want)
			}
			if test.gone != "" {
				require.NoError(t, os.Rename(test.gone, test.gone+".gone"))
				defer func() { require.NoError(t, os.Rename(test.gone+".gone", test.gone)) }()
			}
			want := slices.Concat(test.restore, []string{"RESTORED is restored from FILE; start it with: goldsmith up --data-dir RESTORED" + test.start})
			if got := run(NewRestoreCommand(), "--data-dir", restored, file); !slices.Equal(got, want) {
				t.Errorf("got %q, want %q", got, want)
			}
			if exists(filepath.Join(restored, "secrets")) {
				t.Error("the backup has a file with a password")
			}
		})
	}
}

// A user who was removed after the backup has access again.
func TestARestoreNamesTheUsers(t *testing.T) {
	t.Parallel()
	data, restored, file := t.TempDir(), filepath.Join(t.TempDir(), "restored"), filepath.Join(t.TempDir(), "backup")
	require.NoError(t, errors.Join(claim(t, data).Release(), os.Mkdir(filepath.Join(data, "server"), 0o700)))
	stored := "users:\n"
	for i := range 11 {
		stored += fmt.Sprintf("- {name: u%d, groups: [view], tokenSHA256: \"%064x\"}\n", i, i+1<<20)
	}
	require.NoError(t, os.WriteFile(users.Path(data), []byte(stored), 0o600))
	require.NoError(t, create(t.Context(), data, file, options{}, t.Output()))
	out, command := &strings.Builder{}, NewRestoreCommand()
	command.SetOut(out)
	command.SetErr(out)
	command.SetArgs([]string{"--data-dir", restored, file})
	require.NoError(t, command.ExecuteContext(t.Context()))
	want := "warning: the backup has the users u0, u1, u2, u3, u4, u5, u6, u7, u8, u9 and 1 more: to remove one who was removed after the backup: goldsmith user remove NAME --data-dir " + restored + "\n"
	if !strings.HasPrefix(out.String(), want) {
		t.Errorf("got %s", out)
	}
}

func TestAnInterruptedBackupLeavesNothing(t *testing.T) {
	data, out := t.TempDir(), t.TempDir()
	require.NoError(t, claim(t, data).Release())
	require.NoError(t, errors.Join(os.Mkdir(filepath.Join(data, "server"), 0o700), os.WriteFile(filepath.Join(data, "server", "token"), []byte("t"), 0o600)))
	ctx, interrupt := context.WithCancel(t.Context())
	interrupt()
	err := create(ctx, data, filepath.Join(out, "backup.tar.gz"), options{}, t.Output())
	if left, failure := os.ReadDir(out); !errors.Is(err, context.Canceled) || failure != nil || len(left) > 0 {
		t.Errorf("%v; left %v, %v", err, left, failure)
	}
}

// A few bytes can be compressed zeros of any length.
func TestARestoreReadsNoMoreThanItsFilesCanHave(t *testing.T) {
	const pod = "builds/0b6e1c5e-9d5c-4b57-8f0e-0123456789ab/"
	for name, test := range map[string]struct {
		declared, follow int64
		want             string // the error
	}{
		"logs/v1/team/b-1/build.json": {1 << 40, 17 << 20, "larger than the limit of 16777216 bytes"},
		"server/token":                {2 << 20, 0, "has 2097152 bytes, but a file of the server has at most 1048576"},
		"builders.yaml":               {2 << 20, 0, "has 2097152 bytes, but a file of the server has at most 1048576"},
		"kinds.yaml":                  {8 << 20, 0, "has 8388608 bytes, but a file of the server has at most 4194304"},
		"records.db":                  {1 << 60, 0, "declares 1152921504606846976 bytes, but the file system of"},
		"storage.snapshot":            {2, 1, "not a complete backup"},
		pod + "output/disk.raw":       {1, 1, "a backup has no file of this name"},
		pod + "result":                {2 << 20, 2 << 20, ""},
	} {
		t.Run(path.Base(name), func(t *testing.T) {
			file, restored := filepath.Join(t.TempDir(), "backup"), filepath.Join(t.TempDir(), "restored")
			content := &bytes.Buffer{}
			compressed := gzip.NewWriter(content)
			b := &backup{tar: tar.NewWriter(compressed)}
			err := b.add(backupFormatName, []byte(backupFormat+backupNumber+"\n"))
			err = errors.Join(err, b.tar.WriteHeader(&tar.Header{Name: name, Size: test.declared, Typeflag: tar.TypeReg}))
			_, failure := io.CopyN(b.tar, zeros{}, test.follow)
			_ = b.tar.Close() // some files are shorter than they declare
			require.NoError(t, errors.Join(err, failure, compressed.Close(), os.WriteFile(file, content.Bytes(), 0o600)))
			err = restore(t.Context(), restored, file, "v0.1.0", t.Output())
			if test.want == "" {
				if info, failure := os.Stat(filepath.Join(restored, name)); err != nil || failure != nil || info.Size() > 4096 {
					t.Errorf("restored %v, %v, %v", info, err, failure)
				}
			} else if err == nil || !strings.Contains(err.Error(), name) || !strings.Contains(err.Error(), test.want) {
				t.Error(err)
			}
		})
	}
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) {
	clear(p)
	return len(p), nil
}

func TestOnlyNamesOfABackupAreRestored(t *testing.T) {
	for name, want := range map[string]bool{
		"server/token": true, "records.db": true, "builders.yaml": true, "builders.yaml/x": false, "kinds.yaml": true, "kinds": false, "records-0a1b2c3d.db": false, "builds/uid/log": true, "builds-0a1b2c3d/uid/log": false,
		"../token": false, "server/../../token": false, "/etc/passwd": false, "kubeconfig": false, "lock": false, "storage/etcd": false, "records.db/x": false,
		"artifacts/index.json": true, "artifacts/blobs/sha256/" + strings.Repeat("a", 64): true, "artifacts/blobs/sha256/a": false, "artifacts/ingest/a": false,
	} {
		if got := restorable(name); got != want {
			t.Errorf("%s: %t", name, got)
		}
	}
}

// A program restores the data of its minor version and of earlier ones, whichever program has written the backup.
func TestABackupOfNewerDataIsRefused(t *testing.T) {
	t.Parallel()
	data, file := t.TempDir(), filepath.Join(t.TempDir(), "backup")
	require.NoError(t, claim(t, data).Release())
	if err := create(t.Context(), data, file, options{version: "v0.0.9"}, t.Output()); err == nil || !strings.Contains(err.Error(), "install goldsmith v0.1 or later") {
		t.Errorf("an older program has backed it up: %v", err)
	}
	require.NoError(t, create(t.Context(), data, file, options{version: "v0.2.0"}, t.Output()))
	for version, complaint := range map[string]string{
		"v0.1.7": "", "v0.3.0": "", "devel": "",
		"v0.0.9": "the data in the backup is newer than this program, goldsmith v0.0.9: goldsmith v0.1.0 has written it",
	} {
		restored := filepath.Join(t.TempDir(), "restored")
		err := restore(t.Context(), restored, file, version, t.Output())
		if complaint == "" && err != nil || complaint != "" && (err == nil || !strings.Contains(err.Error(), complaint) || exists(restored)) {
			t.Errorf("%s: %v", version, err)
		}
	}
	for _, test := range []struct{ format, record, complaint string }{
		{"goldsmith backup 2\nv0.3.0\n", "", `the backup has format "2", but this program, goldsmith v0.1.0, reads format 1: restore it with goldsmith v0.3.0, which wrote it, or`},
		{"goldsmith backup 1", "", errNoBackup.Error()}, {"goldsmith", "", errNoBackup.Error()},
		{"goldsmith backup 1\n", `{"format":1,`, errNoBackup.Error()},
		{"goldsmith backup 1\n", `{"format":2,"version":"v0.1.1"}`, "in format 2, but this program reads formats up to 1"},
	} {
		var written bytes.Buffer
		compressed := gzip.NewWriter(&written)
		b := &backup{tar: tar.NewWriter(compressed)}
		require.NoError(t, errors.Join(b.add(backupFormatName, []byte(test.format)), b.add(datadir.VersionFile, []byte(test.record)), b.tar.Close(), compressed.Close()))
		require.NoError(t, os.WriteFile(file, written.Bytes(), 0o600))
		if err := restore(t.Context(), filepath.Join(t.TempDir(), "restored"), file, "v0.1.0", t.Output()); err == nil || !strings.Contains(err.Error(), test.complaint) {
			t.Errorf("%q: %v", test.format, err)
		}
	}
}

// serviceDirectory returns a data directory of the user of a service, whose parent and the directory of its backups are root's. Only root can make it.
func serviceDirectory(t *testing.T, storage bool) (data, backups string) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("only root can act as another user")
	}
	parent := t.TempDir()
	data, backups = filepath.Join(parent, "data"), filepath.Join(parent, "backups")
	require.NoError(t, os.Mkdir(backups, 0o700)) // the service cannot reach it
	require.NoError(t, claim(t, data).Release())
	database, err := records.Open(t.Context(), "sqlite://"+filepath.Join(data, "records.db"), records.Options{})
	require.NoError(t, errors.Join(err, database.Close()))
	if storage {
		server, err := etcd.Start(t.Context(), filepath.Join(data, "storage"))
		require.NoError(t, err)
		require.NoError(t, server.Stop())
	}
	require.NoError(t, errors.Join(os.MkdirAll(filepath.Join(data, "server", "users"), 0o700), os.WriteFile(filepath.Join(data, "server", "token"), nil, 0o600)))
	giveToService(t, data)
	for ; parent != os.TempDir(); parent = filepath.Dir(parent) {
		require.NoError(t, os.Chmod(parent, 0o711)) // others have to reach the directory
	}
	return data, backups
}

const service = 4711

func giveToService(t *testing.T, directory string) {
	t.Helper()
	require.NoError(t, filepath.WalkDir(directory, func(path string, _ fs.DirEntry, err error) error {
		return errors.Join(err, os.Lchown(path, service, service))
	}))
}

// expectOwner fails for a file of another user, and for what a command left beside the directories.
func expectOwner(t *testing.T, directory string, want uint32) {
	t.Helper()
	require.NoError(t, filepath.WalkDir(directory, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := entry.Info()
		if stat, ok := info.Sys().(*syscall.Stat_t); err == nil && ok && stat.Uid != want {
			t.Errorf("%s belongs to user %d, want %d", path, stat.Uid, want)
		}
		return err
	}))
	if left, err := filepath.Glob(filepath.Join(filepath.Dir(directory), ".*")); err != nil || len(left) > 0 {
		t.Errorf("left %v, %v", left, err)
	}
}

// Root backs up the data of a service, and restores it for the service.
func TestRootBacksUpAndRestoresForAService(t *testing.T) {
	data, backups := serviceDirectory(t, true)
	file := filepath.Join(backups, "backup.tar.gz")
	require.NoError(t, create(t.Context(), data, file, options{artifacts: true}, t.Output()))
	expectOwner(t, data, service)
	expectOwner(t, file, 0)
	require.NoError(t, errors.Join(os.RemoveAll(data), os.Mkdir(data, 0o700)))
	require.NoError(t, datadir.KeepOutOfGit(data))
	giveToService(t, data)
	out, command := &strings.Builder{}, NewRestoreCommand()
	command.SetOut(out)
	command.SetArgs([]string{"--data-dir", data, file})
	require.NoError(t, command.ExecuteContext(t.Context()))
	if want := data + " is restored from " + file + "; start its server as user 4711\n"; out.String() != want {
		t.Errorf("got %s, want %s", out, want)
	}
	expectOwner(t, data, service)
	for _, name := range []string{"server/token", "records.db", "storage/etcd/member", "version.json"} {
		if !exists(filepath.Join(data, name)) {
			t.Errorf("%s is not restored", name)
		}
	}
	require.NoError(t, errors.Join(os.RemoveAll(data), os.WriteFile(file, []byte("no backup"), 0o600)))
	if err := restore(t.Context(), data, file, "v0.1.0", t.Output()); !errors.Is(err, errNoBackup) {
		t.Errorf("no backup: %v", err)
	}
	if left, err := os.ReadDir(filepath.Dir(data)); err != nil || len(left) != 1 {
		t.Errorf("left %v, %v", left, err)
	}
}

// A service plants what makes root read files of others, or wait.
func TestAServiceCannotReadFilesThroughABackupOfRoot(t *testing.T) {
	const secret = "secret-of-root"
	elsewhere := filepath.Join(t.TempDir(), "secrets")
	require.NoError(t, os.Mkdir(elsewhere, 0o755))
	for _, name := range []string{"file", "token", "records.db", "index.json", "log", "build.json"} {
		require.NoError(t, os.WriteFile(filepath.Join(elsewhere, name), []byte(secret), 0o600))
	}
	plants := map[string]func(path string) error{
		"link":      func(path string) error { return os.Symlink(filepath.Join(elsewhere, "file"), path) },
		"hard link": func(path string) error { return os.Link(filepath.Join(elsewhere, "file"), path) },
		"pipe":      func(path string) error { return syscall.Mkfifo(path, 0o666) },
		"device":    func(path string) error { return os.Symlink("/dev/zero", path) },
		"socket": func(path string) error {
			fd, err := syscall.Socket(syscall.AF_UNIX, syscall.SOCK_STREAM, 0)
			if err != nil {
				return err
			}
			t.Chdir(filepath.Dir(path)) // the path of a socket is short
			return errors.Join(syscall.Bind(fd, &syscall.SockaddrUnix{Name: filepath.Base(path)}), syscall.Close(fd))
		},
		"directory": func(path string) error { return os.Symlink(elsewhere, path) },
		"sparse": func(path string) error {
			return errors.Join(os.WriteFile(path, nil, 0o600), os.Truncate(path, 1<<40))
		},
	}
	const build = "builds/0b6e1c5e-9d5c-4b57-8f0e-0123456789ab"
	for _, name := range []string{
		"builders.yaml", "kinds.yaml", "version.json", "records.db", "lock", "server", "server/token", "server/users/eve", "storage", "storage/etcd",
		"storage/etcd/member/snap/db", "storage/etcd/endpoint", "logs", "logs/v1", "logs/v1/team/b-1/build.json", "artifacts", "artifacts/index.json", build, build + "/log",
	} {
		data, backups := serviceDirectory(t, strings.HasPrefix(name, "storage"))
		for kind, plant := range plants {
			if kind == "sparse" && strings.HasPrefix(name, "artifacts/") {
				continue // an artifact can have any size, and holes
			}
			path, kept := filepath.Join(data, name), filepath.Join(t.TempDir(), "kept")
			moved := os.Rename(path, kept)
			require.NoError(t, errors.Join(os.MkdirAll(filepath.Dir(path), 0o700), plant(path)))
			if kind == "hard link" {
				require.NoError(t, os.Lchown(filepath.Dir(path), service, service))
			} else {
				require.NoError(t, chownNew(data, path))
			}
			file := filepath.Join(backups, "backup")
			ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
			err := create(ctx, data, file, options{force: true, artifacts: true, version: "v0.1.0"}, io.Discard)
			if ctx.Err() != nil {
				t.Errorf("%s as %s: waited", name, kind)
			}
			cancel()
			if err == nil && bytes.Contains(contentOf(t, file), []byte(secret)) {
				t.Errorf("%s as %s: the backup has the secret", name, kind)
			}
			if left, failure := filepath.Glob(filepath.Join(filepath.Dir(data), ".*")); failure != nil || len(left) > 0 {
				t.Errorf("%s as %s: left %v", name, kind, left)
			}
			require.NoError(t, os.RemoveAll(path))
			if moved == nil {
				require.NoError(t, os.Rename(kept, path))
			}
		}
	}
	for _, name := range []string{"file", "token"} {
		if content, err := os.ReadFile(filepath.Join(elsewhere, name)); err != nil || string(content) != secret {
			t.Errorf("%s was changed: %q, %v", name, content, err)
		}
	}
}

// chownNew gives a path, and the directories above it, to the service.
func chownNew(data, path string) (err error) {
	for ; path != data; path = filepath.Dir(path) {
		err = errors.Join(err, os.Lchown(path, service, service))
	}
	return err
}

// contentOf returns the uncompressed content of a backup.
func contentOf(t *testing.T, file string) []byte {
	t.Helper()
	content, err := os.Open(file)
	require.NoError(t, err)
	defer func() { _ = content.Close() }()
	uncompressed := require.Value(gzip.NewReader(content))(t)
	return require.Value(io.ReadAll(io.LimitReader(uncompressed, 64<<20)))(t)
}
