// SPDX-License-Identifier: Apache-2.0

package backup

import (
	"archive/tar"
	"bufio"
	"bytes"
	"cmp"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"goldsmith.dev/goldsmith/apiserver/storage/etcd"
	"goldsmith.dev/goldsmith/apiserver/storage/filelock"
	"goldsmith.dev/goldsmith/archive"
	"goldsmith.dev/goldsmith/cmd/goldsmith/internal/datadir"
	"goldsmith.dev/goldsmith/cmd/goldsmith/up/registry"
	"goldsmith.dev/goldsmith/cmd/internal/catalog"
	"goldsmith.dev/goldsmith/cmd/internal/documents"
	"goldsmith.dev/goldsmith/jobs/local"
	"goldsmith.dev/goldsmith/jobs/local/artifacts"
	"goldsmith.dev/goldsmith/records"
)

// Names in a backup, which is a compressed tar file. Other files have the same name as in the data directory.
const (
	// backupFormatName is the first file. Its first line is backupFormat with backupNumber, and its second line the version of the program that wrote
	// the backup.
	backupFormatName = "format"
	backupFormat     = "goldsmith backup "
	backupNumber     = "1"
	maxBackupFormat  = 1 << 10
	// snapshotName is a snapshot of etcd.
	snapshotName = "storage.snapshot"
	// recordsName is the records database.
	recordsName = "records.db"
	// artifactsName is the directory of the artifacts.
	artifactsName = "artifacts"
)

// NewCommand returns the verb backup.
func NewCommand() *cobra.Command {
	var directory string
	var force, artifacts bool
	command := &cobra.Command{
		Use:   "backup FILE",
		Short: "Back up a data directory, even while a server uses it",
		Long: "Write a backup of a data directory to FILE, even while `goldsmith up` uses the directory. The backup " +
			"holds objects, records, archived logs, the logs of pods, the documents of builders and kinds, the server's token and certificate, " +
			"and the key of Secrets. The backup omits artifacts without --artifacts, the executables and files of builders, and data outside the data " +
			"directory. FILE contains the server's token and the Secrets, so its mode is 0600. The command refuses " +
			"an existing FILE without --force. `goldsmith restore` restores the backup.",
		Example: "  goldsmith backup goldsmith.tar.gz\n  goldsmith backup --artifacts --data-dir /var/lib/goldsmith goldsmith.tar.gz",
		Args:    cobra.ExactArgs(1),
		RunE: func(command *cobra.Command, arguments []string) error {
			if err := create(command.Context(), directory, arguments[0], options{force, artifacts, command.Root().Version}, command.ErrOrStderr()); err != nil {
				return err
			}
			_, err := fmt.Fprintf(command.OutOrStdout(), "%s holds a backup of %s\n", arguments[0], directory)
			return err
		},
	}
	command.Flags().StringVar(&directory, "data-dir", datadir.Default, "data directory to back up")
	command.Flags().BoolVar(&artifacts, "artifacts", false, "artifacts of builds in the backup; without them, images are not ready after a restore until they are built again")
	command.Flags().BoolVar(&force, "force", false, "replace FILE if it exists")
	return command
}

// options configure create.
type options struct {
	force     bool   // replaces a file of this name once the backup is complete
	artifacts bool   // adds the artifacts of builds
	version   string // of this program
}

// create writes a backup of a data directory to a new file. Notices receives a line for each file of a builder that the backup leaves
// out or shortens, and warnings if it holds Secrets, and if it omits files that builders need.
func create(ctx context.Context, directory, file string, o options, notices io.Writer) (err error) {
	if err := mayWrite(file, o.force); err != nil {
		return err
	}
	if directory, err = filepath.Abs(directory); err != nil {
		return fmt.Errorf("resolve --data-dir %s: %w", directory, err)
	}
	if target, err := filepath.EvalSymlinks(directory); err == nil {
		directory = target
	}
	if _, err := os.Stat(directory); err != nil {
		return fmt.Errorf(noDataDirectory, directory, err)
	}
	var held io.Closer
	err = datadir.AsOwner(directory, func() (err error) {
		held, err = prepare(directory, o.version)
		return err
	})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, held.Close()) }()
	// The snapshots are written beside the file, because they are as large as the data, and a temporary file system may be small.
	scratch, err := os.MkdirTemp(filepath.Dir(file), "."+filepath.Base(file)+"-") // mode 0700
	if err != nil {
		return fmt.Errorf("create a temporary directory for backup %s: %w", file, err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(scratch)) }()
	partial := filepath.Join(scratch, "backup")
	if err = datadir.KeepOutOfGit(scratch); err == nil {
		err = writeBackup(ctx, directory, scratch, partial, o, notices)
	}
	if err != nil {
		return datadir.Explain(directory, fmt.Errorf("back up %s: %w", directory, err))
	}
	if err := mayWrite(file, o.force); err != nil { // again, because a large backup takes minutes
		return err
	}
	if err := os.Rename(partial, file); err != nil {
		return fmt.Errorf("rename backup to %s: %w", file, err)
	}
	return nil
}

const noDataDirectory = "%s is not a data directory of `goldsmith up`: %w: set --data-dir"

// prepare checks a data directory, and locks it until the result is closed: without a running server, none may start meanwhile. A running server
// holds the lock itself.
func prepare(directory, version string) (io.Closer, error) {
	lock := filepath.Join(directory, "lock")
	if _, err := os.Stat(lock); errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf(noDataDirectory, directory, err)
	}
	if err := datadir.CheckTypes(directory); err != nil {
		return nil, datadir.Explain(directory, fmt.Errorf("back up %s: %w", directory, err))
	}
	if _, err := datadir.CheckVersion(directory, version); err != nil {
		return nil, err
	}
	held, err := filelock.Take(lock)
	if errors.Is(err, filelock.ErrHeld) {
		return io.NopCloser(nil), nil
	}
	if err != nil {
		return nil, fmt.Errorf("lock data directory %s: %w", directory, err)
	}
	return held, nil
}

// mayWrite refuses to replace an existing file without force.
func mayWrite(file string, force bool) error {
	_, err := os.Lstat(file)
	switch {
	case force || errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return fmt.Errorf("write a backup: %w", err)
	}
	return fmt.Errorf("backup file %s exists: choose another name, or set --force to replace it", file)
}

// writeBackup writes the file as the caller, and reads the data directory as its owner. If root is the caller for another user, the owner cannot
// use scratch, and the snapshots are beside the data directory instead.
func writeBackup(ctx context.Context, directory, scratch, file string, o options, notices io.Writer) (err error) {
	out, err := os.OpenFile(file, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, out.Close()) }()
	compressed, err := gzip.NewWriterLevel(out, gzip.BestSpeed)
	if err != nil {
		return err
	}
	if datadir.IsForeign(directory) {
		if scratch, err = datadir.MakeBeside(directory, "."+filepath.Base(directory)+"-backup-"); err != nil {
			return err
		}
		defer func() { err = errors.Join(err, datadir.RemoveMade(scratch)) }()
	}
	b := &backup{directory: directory, scratch: scratch, notices: notices, options: o, tar: tar.NewWriter(compressed)}
	err = datadir.AsOwner(directory, func() error { return cmp.Or(datadir.KeepOutOfGit(b.scratch), b.addAll(ctx)) })
	if err != nil {
		return err
	}
	return errors.Join(b.tar.Close(), compressed.Close(), out.Sync())
}

// backup is a backup that is being written.
type backup struct {
	directory, scratch string
	notices            io.Writer
	options            options
	tar                *tar.Writer
}

// addAll adds the objects first. Logs and records only grow, so the objects still fit the logs and records that are added later.
// If a build is in the logs and records only, it is a deleted build after a restore.
func (b *backup) addAll(ctx context.Context) error {
	if err := b.add(backupFormatName, []byte(backupFormat+backupNumber+"\n"+b.options.version+"\n")); err != nil {
		return err
	}
	if err := b.addDocument(ctx, datadir.VersionFile); err != nil {
		return err
	}
	for _, step := range []func(context.Context) error{b.addStorage, b.addServer, b.addDocuments, b.addBuilds, b.addArtifacts, b.addLogs, b.addRecords} {
		if err := step(ctx); err != nil {
			return err
		}
	}
	return nil
}

func (b *backup) addStorage(ctx context.Context) error {
	storage := filepath.Join(b.directory, "storage")
	if _, err := os.Stat(storage); errors.Is(err, fs.ErrNotExist) {
		return nil // no server has stored objects here
	}
	snapshot := filepath.Join(b.scratch, snapshotName)
	if err := etcd.Save(ctx, storage, snapshot); err != nil {
		return err
	}
	// Old versions of Secrets count too, and parts of the snapshot that are not in use.
	secrets, err := holds(ctx, snapshot, []byte(datadir.EncryptedPrefix))
	if err != nil {
		return err
	}
	if secrets {
		warning := "the backup holds Secrets and the key that decrypts them: everybody who can read the backup can read the Secrets"
		if key := filepath.Join(b.directory, datadir.EncryptionFile); !exists(key) {
			warning = fmt.Sprintf("the backup holds Secrets without the key that decrypts them, because %s is missing", key)
		}
		_, _ = fmt.Fprintln(b.notices, "warning: "+warning) // a notice that nobody can read is no failure
	}
	return b.addFile(ctx, snapshotName, snapshot)
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// holds reports whether a file has a text.
func holds(ctx context.Context, path string, text []byte) (bool, error) {
	file, err := os.Open(path)
	if err != nil {
		return false, err
	}
	defer func() { _ = file.Close() }() // it was only read
	content := bufio.NewReaderSize(cancellable{ctx, file}, 1<<20)
	for {
		part, err := content.Peek(content.Size())
		switch {
		case bytes.Contains(part, text):
			return true, nil
		case errors.Is(err, io.EOF):
			return false, nil
		case err != nil:
			return false, err
		}
		_, _ = content.Discard(len(part) - len(text) + 1) // the end may have the beginning of the text
	}
}

// addServer adds the regular files of the server. It omits files that are deleted meanwhile.
func (b *backup) addServer(ctx context.Context) error {
	top, err := os.OpenRoot(filepath.Join(b.directory, "server"))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer func() { _ = top.Close() }() // it was only read
	return fs.WalkDir(top.FS(), ".", func(path string, entry fs.DirEntry, err error) error {
		switch {
		case errors.Is(err, fs.ErrNotExist):
			return nil
		case err != nil:
			return err
		case !entry.Type().IsRegular():
			return nil
		}
		content, err := documents.OpenRegular(top.OpenFile, path, 0)
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err != nil {
			return err
		}
		return errors.Join(b.addChanging(ctx, "server/"+path, io.LimitReader(content, datadir.MaxServerFile+1)), content.Close())
	})
}

// addDocuments adds the documents of builders and of kinds in the data directory, which may be links to files elsewhere. It tells what
// builders and kinds need that the backup omits: files with passwords can be among it.
func (b *backup) addDocuments(ctx context.Context) error {
	flags := datadir.RecallFlags(b.directory)
	if len(flags) > 0 {
		_, _ = fmt.Fprintf(b.notices, "warning: the backup omits the files that the server has from %s: back them up by other means\n", shellWords(flags)) // a notice that nobody can read is no failure
	}
	if files := neededFiles(b.directory, flags); len(files) > 0 {
		_, _ = fmt.Fprintf(b.notices, "warning: the backup omits files that builders need: back up %s by other means\n", strings.Join(files, ", "))
	}
	return errors.Join(b.addDocument(ctx, datadir.BuildersFile), b.addDocument(ctx, datadir.KindsFile))
}

// addDocument adds a file of the data directory that the operator writes, if the file exists.
func (b *backup) addDocument(ctx context.Context, name string) error {
	path := filepath.Join(b.directory, name)
	if info, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) || err == nil && info.IsDir() {
		return nil
	}
	content, err := documents.OpenRegular(os.OpenFile, path, 0)
	if err != nil {
		return err
	}
	return errors.Join(b.addChanging(ctx, name, io.LimitReader(content, maxBytes(name)+1)), content.Close())
}

// neededFiles returns the files that the document of builders in a data directory needs, unless other documents replace it.
func neededFiles(directory string, flags []string) []string {
	if slices.Contains(flags, "--builders") {
		return nil
	}
	path, err := filepath.Abs(filepath.Join(directory, datadir.BuildersFile))
	if err != nil {
		return nil
	}
	return registry.Files(path)
}

func (b *backup) addBuilds(ctx context.Context) error {
	directory := filepath.Join(b.directory, "builds")
	if !exists(directory) {
		return nil
	}
	return local.Export(directory, func(path string, content io.Reader) error {
		return b.addChanging(ctx, "builds/"+path, content)
	}, func(path string, cause error) {
		_, _ = fmt.Fprintf(b.notices, "incomplete: %s: %v\n", filepath.Join("builds", path), cause) // a notice that nobody can read is no failure
	})
}

// addArtifacts adds the index of the artifacts in any case, so that a restore tells which artifacts it lacks.
func (b *backup) addArtifacts(ctx context.Context) error {
	return artifacts.Export(filepath.Join(b.directory, artifactsName), b.options.artifacts, func(name string, file *os.File) error {
		return b.addOpen(ctx, artifactsName+"/"+name, file)
	})
}

// addLogs reads the archive with package archive, because a server may write to the archive meanwhile.
func (b *backup) addLogs(ctx context.Context) (err error) {
	directory := filepath.Join(b.directory, "logs")
	if _, err := os.Stat(directory); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	logs, err := openLogs(ctx, directory)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, logs.Close()) }()
	return logs.Export(ctx, func(key string, content []byte) error { return b.add("logs/"+key, content) })
}

func openLogs(ctx context.Context, directory string) (*archive.Store, error) {
	return archive.Open(ctx, (&url.URL{Scheme: "file", Path: directory}).String(), archive.Options{})
}

func (b *backup) addRecords(ctx context.Context) error {
	database, scratch := filepath.Join(b.directory, recordsName), filepath.Join(b.scratch, recordsName)
	if !exists(database) {
		return nil
	}
	if err := records.CopySQLite(ctx, database, scratch); err != nil {
		return err
	}
	return b.addFile(ctx, recordsName, scratch)
}

// addChanging adds what can be read of a file that its builder or a server may extend or truncate meanwhile. A tar file begins
// with the size of the file, which only a copy keeps.
func (b *backup) addChanging(ctx context.Context, name string, content io.Reader) error {
	scratch, err := os.Create(filepath.Join(b.scratch, "changing"))
	if err != nil {
		return err
	}
	_, err = io.Copy(scratch, cancellable{ctx, content})
	if err == nil {
		_, err = scratch.Seek(0, io.SeekStart)
	}
	if err != nil {
		return errors.Join(fmt.Errorf("copy %s: %w", name, err), scratch.Close())
	}
	return errors.Join(b.addOpen(ctx, name, scratch), scratch.Close())
}

func (b *backup) addFile(ctx context.Context, name, path string) error {
	file, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(b.addOpen(ctx, name, file), file.Close())
}

// addOpen adds a file that nothing else writes to.
func (b *backup) addOpen(ctx context.Context, name string, file *os.File) error {
	info, err := file.Stat()
	if err != nil {
		return err
	}
	if err := b.header(name, info.Size(), info.ModTime()); err != nil {
		return err
	}
	if _, err := io.Copy(b.tar, cancellable{ctx, file}); err != nil {
		return fmt.Errorf("read %s: %w", name, err)
	}
	return nil
}

func (b *backup) add(name string, content []byte) error {
	if err := b.header(name, int64(len(content)), time.Time{}); err != nil {
		return err
	}
	_, err := b.tar.Write(content)
	return err
}

func (b *backup) header(name string, size int64, modified time.Time) error {
	if err := checkSize(name, size); err != nil {
		return err
	}
	return b.tar.WriteHeader(&tar.Header{Name: name, Size: size, Mode: 0o600, Typeflag: tar.TypeReg, ModTime: modified})
}

// cancellable is a reader that fails once ctx is done, so that an interruption ends the copy of a large file.
type cancellable struct {
	ctx context.Context
	io.Reader
}

// Read implements io.Reader.
func (c cancellable) Read(p []byte) (int, error) {
	if err := c.ctx.Err(); err != nil {
		return 0, err
	}
	return c.Reader.Read(p)
}

// checkSize refuses a file that is larger than any file of its kind. Files of builders have limits of their own, as have archived
// logs. Databases have none.
func checkSize(name string, size int64) error {
	if most := maxBytes(name); most > 0 && size > most {
		return fmt.Errorf("%s has %d bytes, but a file of the server has at most %d: move the file away", name, size, most)
	}
	return nil
}

// maxBytes returns the size of the largest file of a name, or 0 if it has no limit.
func maxBytes(name string) int64 {
	switch {
	case name == datadir.KindsFile:
		return catalog.MaxMiB << 20
	case name == datadir.VersionFile || name == datadir.BuildersFile || strings.HasPrefix(name, "server/"):
		return datadir.MaxServerFile
	}
	return 0
}

// restorable are the names in a backup that restore writes to the data directory unchanged.
func restorable(name string) bool {
	first, _, nested := strings.Cut(name, "/")
	switch {
	case !filepath.IsLocal(name):
		return false
	case nested && first == artifactsName:
		return artifacts.Kept(strings.TrimPrefix(name, artifactsName+"/"))
	case nested:
		return first == "server" || first == "builds"
	}
	return name == recordsName || name == datadir.BuildersFile || name == datadir.KindsFile
}
