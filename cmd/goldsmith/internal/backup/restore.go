// SPDX-License-Identifier: Apache-2.0

package backup

import (
	"archive/tar"
	"bytes"
	"cmp"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/sys/unix"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/apiserver/codecs"
	"goldsmith.dev/goldsmith/apiserver/storage/etcd"
	"goldsmith.dev/goldsmith/archive"
	"goldsmith.dev/goldsmith/cmd/goldsmith/internal/datadir"
	"goldsmith.dev/goldsmith/cmd/goldsmith/internal/shellword"
	"goldsmith.dev/goldsmith/cmd/goldsmith/internal/users"
	"goldsmith.dev/goldsmith/cmd/internal/buildversion"
	"goldsmith.dev/goldsmith/jobs/local"
	"goldsmith.dev/goldsmith/jobs/local/artifacts"
)

// NewRestoreCommand returns the verb restore.
func NewRestoreCommand() *cobra.Command {
	var directory string
	command := &cobra.Command{
		Use:   "restore FILE",
		Short: "Restore a data directory from a backup",
		Long: "Restore a data directory from a backup file. `goldsmith up` then continues from the backup. The controller " +
			"starts the next attempt of each build that was running. Builds that were created after the backup are lost, and users who were removed after it have access again.",
		Example: "  goldsmith restore goldsmith.tar.gz\n  goldsmith restore --data-dir /var/lib/goldsmith goldsmith.tar.gz",
		Args:    cobra.ExactArgs(1),
		RunE: func(command *cobra.Command, arguments []string) error {
			if err := restore(command.Context(), directory, arguments[0], command.Root().Version, command.ErrOrStderr()); err != nil {
				return err
			}
			start := ""
			err := datadir.AsOwner(directory, func() error {
				warnOfUsers(directory, command.ErrOrStderr())
				start = "start it with: " + startCommand(directory, command.ErrOrStderr())
				return nil
			})
			if err != nil {
				return err
			}
			if datadir.IsForeign(directory) {
				start = "start its server as " + datadir.NameOfOwner(directory)
			}
			_, err = fmt.Fprintf(command.OutOrStdout(), "%s is restored from %s; %s\n", directory, arguments[0], start)
			return err
		},
	}
	command.Flags().StringVar(&directory, "data-dir", datadir.Default, "data directory to restore, which must be empty or not exist")
	return command
}

// warnOfUsers names the users who have access again, because some may have been removed after the backup. A damaged file of users is left to the start
// of a server.
func warnOfUsers(directory string, notices io.Writer) {
	restored, _ := users.Read(directory)
	names := make([]string, len(restored))
	for i, user := range restored {
		names[i] = user.Name
	}
	if len(names) > 0 {
		_, _ = fmt.Fprintf(notices, "warning: the backup has the users %s: to remove one who was removed after the backup: goldsmith user remove NAME --data-dir %s\n",
			firstOf(names), shellword.Quote(directory)) // a notice that nobody can read is no failure
	}
}

// startCommand returns the command that starts a server on a restored data directory, with the flags that named the builders and kinds of the server.
// Notices receives a line with the files that builders need and that do not exist, and a line instead of flags with such a path.
func startCommand(directory string, notices io.Writer) string {
	flags := datadir.RecallFlags(directory)
	if files := slices.DeleteFunc(neededFiles(directory, flags), exists); len(files) > 0 {
		_, _ = fmt.Fprintf(notices, "warning: the backup has no files of builders: before the start, create %s\n", strings.Join(files, ", ")) // a notice that nobody can read is no failure
	}
	if missing := missingPaths(flags); len(missing) > 0 {
		_, _ = fmt.Fprintf(notices, "warning: the backed-up server ran with %s: start with these flags too, but with paths that exist instead of %s\n",
			shellWords(flags), strings.Join(missing, ", "))
		flags = nil
	}
	return shellWords(append([]string{"goldsmith", "up", "--data-dir", directory}, flags...))
}

// errNoBackup reports a file that create did not write, or not completely.
var errNoBackup = errors.New("not a complete backup of Goldsmith")

// restore creates a data directory from a backup, completely or not at all. Notices receives a line with the images whose artifacts the
// backup lacks.
func restore(ctx context.Context, directory, file, version string, notices io.Writer) (err error) {
	switch entries, err := os.ReadDir(directory); {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		return fmt.Errorf("restore to %s: %w", directory, err)
	case len(entries) == 1 && datadir.KeepsOutOfGit(directory): // "rm -rf DIR/*" leaves it
	case len(entries) > 0:
		return fmt.Errorf("data directory %s is not empty: move it away, or set --data-dir to another directory", directory)
	}
	in, err := os.Open(file)
	if err != nil {
		return fmt.Errorf("open the backup: %w", err)
	}
	defer func() { err = errors.Join(err, in.Close()) }()
	if directory, err = filepath.Abs(directory); err != nil {
		return fmt.Errorf("find the data directory: %w", err)
	}
	if target, err := filepath.EvalSymlinks(directory); err == nil {
		directory = target // so that the rename below replaces the directory, and not a link to it
	}
	if err := os.MkdirAll(filepath.Dir(directory), 0o700); err != nil {
		return fmt.Errorf("make the parent of the data directory: %w", err)
	}
	partial, err := datadir.MakeBeside(directory, "."+filepath.Base(directory)+"-restore-")
	if err != nil {
		return fmt.Errorf("make a directory to restore to: %w", err)
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, datadir.RemoveMade(partial))
		}
	}()
	var lacking []string
	err = datadir.AsOwner(partial, func() (err error) {
		if err = datadir.KeepOutOfGit(partial); err == nil {
			err = readBackup(ctx, cancellable{ctx, in}, partial, version)
		}
		if err != nil {
			return fmt.Errorf("restore %s: %w", file, err)
		}
		lacking, err = lackingArtifacts(ctx, partial)
		return cmp.Or(err, ctx.Err())
	})
	if err == nil {
		err = datadir.AsOwner(filepath.Dir(directory), func() error { return replace(directory, partial) })
	}
	if err != nil {
		return err
	}
	if len(lacking) > 0 {
		_, _ = fmt.Fprintln(notices, lackingNotice(lacking)) // a notice that nobody can read is no failure
	}
	return nil
}

// replace puts a directory in the place of an empty one, or of none.
func replace(directory, by string) error {
	if datadir.KeepsOutOfGit(directory) {
		err := datadir.AsOwner(directory, func() error { return os.Remove(filepath.Join(directory, datadir.GitignoreName)) })
		if err != nil {
			return fmt.Errorf("replace the empty data directory: %w", err)
		}
	}
	if err := os.Remove(directory); err != nil && !errors.Is(err, fs.ErrNotExist) { // it is empty; os.Rename replaces no directory
		return fmt.Errorf("replace the empty data directory: %w: set --data-dir to a directory below it", err)
	}
	if err := os.Rename(by, directory); err != nil {
		return fmt.Errorf("put the data directory in its place: %w", err)
	}
	return nil
}

// lackingArtifacts returns the images of a restored data directory, and the builds that belong to no image, of which an artifact is in
// the index, but not in the store. Deleted ones are left out: their artifacts stay in the index until the server finds that nothing needs
// them.
func lackingArtifacts(ctx context.Context, directory string) (names []string, err error) {
	kept, storage := filepath.Join(directory, artifactsName), filepath.Join(directory, "storage")
	if !exists(kept) {
		return nil, nil
	}
	store, err := artifacts.Open(kept, artifacts.Options{})
	if err != nil {
		return nil, err
	}
	lacking := map[string]string{} // the names by the ends of the keys of the objects
	for _, entry := range store.Entries() {
		if store.Complete(entry) {
			continue
		}
		resource, name := "images", entry.Build.Namespace+"/"+entry.Build.Image
		if entry.Build.Image == "" {
			resource, name = "imagebuilds", entry.Build.Namespace+"/"+entry.Build.Name
		}
		lacking["/"+codecs.ResourcePrefix(v1alpha1.Resource(resource))+"/"+name] = name
	}
	if len(lacking) > 0 && exists(storage) {
		keys, err := etcd.Keys(ctx, storage)
		if err != nil {
			return nil, err
		}
		maps.DeleteFunc(lacking, func(end, _ string) bool {
			return !slices.ContainsFunc(keys, func(key string) bool { return strings.HasSuffix(key, end) })
		})
	}
	return slices.Sorted(maps.Values(lacking)), nil
}

// lackingNotice names images.
func lackingNotice(images []string) string {
	return fmt.Sprintf("warning: the backup has no artifacts of %s: they are not ready until they are built again, unless their builds have published them; goldsmith backup --artifacts includes artifacts",
		firstOf(images))
}

// firstOf returns a list of names, at most the first ten.
func firstOf(names []string) string {
	const most = 10
	if len(names) <= most {
		return strings.Join(names, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(names[:most], ", "), len(names)-most)
}

func readBackup(ctx context.Context, in io.Reader, directory, version string) (err error) {
	compressed, err := gzip.NewReader(in)
	if err != nil {
		return errors.Join(errNoBackup, err)
	}
	top, err := os.OpenRoot(directory)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, top.Close()) }()
	logs, err := openLogs(ctx, filepath.Join(directory, "logs"))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, logs.Close()) }()
	r := &restoration{directory: directory, version: version, top: top, logs: logs, tar: tar.NewReader(compressed)}
	if err := r.readFormat(); err != nil {
		return err
	}
	for {
		header, err := r.tar.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return errors.Join(errNoBackup, err)
		}
		if err := r.restore(ctx, header); errors.Is(err, io.ErrUnexpectedEOF) {
			return fmt.Errorf("%s: %w: %w", header.Name, errNoBackup, err)
		} else if err != nil {
			return fmt.Errorf("%s: %w", header.Name, err)
		}
	}
	// The checksum follows the end of the tar file, and is compared when the end is read.
	if _, err := io.CopyN(io.Discard, compressed, 1); !errors.Is(err, io.EOF) {
		return errors.Join(errNoBackup, err)
	}
	return r.restoreStorage(directory)
}

// restoration is a backup that is being read.
type restoration struct {
	directory string
	version   string // of this program
	top       *os.Root
	logs      *archive.Store
	tar       *tar.Reader
}

func (r *restoration) readFormat() error {
	header, err := r.tar.Next()
	if err != nil || header.Name != backupFormatName {
		return errors.Join(errNoBackup, err)
	}
	content, err := io.ReadAll(io.LimitReader(r.tar, maxBackupFormat))
	if err != nil {
		return errors.Join(errNoBackup, err)
	}
	format, author, _ := strings.Cut(strings.TrimSpace(string(content)), "\n")
	switch number, ok := strings.CutPrefix(format, backupFormat); {
	case !ok:
		return errNoBackup
	case number != backupNumber:
		return fmt.Errorf("the backup has format %q, but this program, goldsmith %s, reads format %s: restore it with goldsmith %s, which wrote it, or a later version",
			number, r.version, backupNumber, cmp.Or(author, buildversion.Unknown))
	}
	return nil
}

// restore writes one file. Its declared size is checked before its content is read, because a few bytes of a compressed file can
// become any number of bytes.
func (r *restoration) restore(ctx context.Context, header *tar.Header) error {
	name := header.Name
	if key, ok := strings.CutPrefix(name, "logs/"); ok {
		return r.logs.Import(ctx, key, r.tar)
	}
	begin, end := int64(0), header.Size
	kept := name == snapshotName || restorable(name)
	if name == datadir.VersionFile {
		return r.restoreVersion()
	}
	if first, path, _ := strings.Cut(name, "/"); kept && first == "builds" {
		begin, end, kept = local.Kept(path, header.Size)
	}
	if !kept || header.Typeflag != tar.TypeReg {
		return fmt.Errorf("%w: unexpected file: a backup has no file of this name", errNoBackup)
	}
	if err := cmp.Or(checkSize(name, header.Size), r.checkSpace(end-begin)); err != nil {
		return err
	}
	if err := r.top.MkdirAll(filepath.Dir(name), 0o700); err != nil {
		return err
	}
	file, err := r.top.OpenFile(name, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = io.CopyN(io.Discard, r.tar, begin)
	if err == nil {
		_, err = io.CopyN(file, r.tar, end-begin)
	}
	return errors.Join(err, file.Sync(), file.Close())
}

// restoreVersion writes the record of the version, unless a newer program has made the data.
func (r *restoration) restoreVersion() error {
	content, err := io.ReadAll(io.LimitReader(r.tar, datadir.MaxServerFile))
	if err != nil {
		return err
	}
	_, err = datadir.ParseVersion(bytes.NewReader(content), "the data in the backup", r.version)
	if _, newer := errors.AsType[*datadir.NewerError](err); err != nil && !newer {
		err = errors.Join(errNoBackup, err)
	}
	if err != nil {
		return err
	}
	return datadir.WriteFile(filepath.Join(r.directory, datadir.VersionFile), content)
}

// checkSpace refuses a file that the file system has no space for.
func (r *restoration) checkSpace(size int64) error {
	var found unix.Statfs_t
	if err := unix.Statfs(r.directory, &found); err != nil {
		return err
	}
	if free := int64(found.Bavail) * found.Bsize; size > free { //nolint:gosec // no file system has so many blocks that this overflows
		return fmt.Errorf("declares %d bytes, but the file system of %s has %d bytes free: free space, or set --data-dir to a directory on another disk", size, filepath.Dir(r.directory), free)
	}
	return nil
}

// restoreStorage creates a member of etcd from the snapshot, if the backup has a snapshot.
func (r *restoration) restoreStorage(directory string) error {
	snapshot := filepath.Join(directory, snapshotName)
	if _, err := os.Stat(snapshot); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	storage := filepath.Join(directory, "storage")
	if err := os.Mkdir(storage, 0o700); err != nil {
		return err
	}
	if err := etcd.Restore(storage, snapshot, time.Now()); err != nil {
		return err
	}
	return os.Remove(snapshot)
}

// shellWords returns words of a command line.
func shellWords(words []string) string {
	quoted := make([]string, len(words))
	for i, word := range words {
		quoted[i] = shellword.Quote(word)
	}
	return strings.Join(quoted, " ")
}

// missingPaths returns the paths in these flags that do not exist.
func missingPaths(flags []string) (missing []string) {
	for i := 0; i+1 < len(flags); i += 2 {
		path := flags[i+1]
		switch flags[i] {
		case "--builder":
			_, path, _ = strings.Cut(path, "=")
		case "--unconfined":
			continue
		}
		if !exists(path) {
			missing = append(missing, path)
		}
	}
	return missing
}
