// SPDX-License-Identifier: Apache-2.0

package datadir

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"k8s.io/utils/clock"

	"goldsmith.dev/goldsmith/apiserver/storage/filelock"
	"goldsmith.dev/goldsmith/cmd/internal/documents"
	"goldsmith.dev/goldsmith/jobs/local"
	"goldsmith.dev/goldsmith/jobs/local/artifacts"
)

// Directory is a data directory. Its contents:
//
//	kubeconfig   for clients
//	kubeconfigs/ the kubeconfigs of --user
//	.gitignore   keeps all of it out of version control: kubeconfigs and server/ hold keys
//	version.json the Version of the last program that used the directory
//	lock         locked while a process uses the directory; it contains the process ID
//	up.log       logs of the libraries since the last start
//	server/      token, address and certificate, so that a kubeconfig stays valid after a restart; the key of stored Secrets
//	builders.yaml the builders, which the operator writes and the server only reads
//	kinds.yaml   the kinds of images, as builders.yaml
//	records.db   the records database: SQLite, which adds files with suffixes to this name
//	storage/     the objects: etcd, unless --memory keeps them in memory
//	artifacts/   the artifacts of builds: an OCI image layout
//	builds/      logs of builds, and files of running builds; output of builds that succeeded in versions without artifacts/
//	cache/       packages that builders that ship keep for later builds
//	run/         with --memory, the files and artifacts of builds, and the records
type Directory struct {
	// Path is the absolute path of the directory.
	Path string
	// Builds is the directory of the agent.
	Builds string

	memory bool // nothing is kept after the run
	lock   *filelock.Lock
}

// Default is the data directory that a server uses by default, relative to the working directory.
const Default = ".goldsmith"

const (
	// BuildersFile is the document of builders.
	BuildersFile = "builders.yaml"
	// KindsFile is the document of kinds.
	KindsFile = "kinds.yaml"
	// MaxServerFile is more than the size of every token, address, key and certificate, and of the document of builders, in bytes.
	MaxServerFile = 1 << 20
)

// The prefixes of the names of directories in run/ in memory mode: of the agent, of the artifacts and of the records.
const (
	temporaryBuilds    = "goldsmith-builds-"
	temporaryArtifacts = "goldsmith-artifacts-"
	temporaryRecords   = "goldsmith-records-"
)

// endLimit is how long a start waits for the end of a process that holds the data directory and is ending.
const endLimit = 15 * time.Second

// Claim creates a data directory and locks it, until its Release. The kernel releases the lock when the process ends, even after a crash. In
// memory mode nothing is kept after Release. await runs the step that waits for a former server to end, which takes at most 15 seconds of the clock.
// Unless in memory mode, Claim records the version of the program. It changes nothing in a directory that a newer program has used: see CheckVersion.
func Claim(ctx context.Context, path, version string, memory bool, c clock.WithDelayedExecution, await func(what string, step func() error) error) (*Directory, error) {
	check := func() (written Version, err error) {
		if err = RefuseRoot(path); err == nil && !memory {
			written, err = CheckVersion(path, version)
		}
		return written, err
	}
	if _, err := check(); err != nil {
		return nil, err
	}
	if err := os.MkdirAll(path, 0o700); err != nil {
		return nil, fmt.Errorf("create data directory %s: %w", path, err)
	}
	lock, err := takeLock(ctx, path, c, await)
	if err != nil {
		return nil, err
	}
	directory := &Directory{Path: path, memory: memory, lock: lock}
	written, err := check() // again, because a newer server may have ended meanwhile
	if err == nil {
		err = KeepOutOfGit(path)
	}
	if err == nil && !memory {
		err = directory.recordVersion(written, version)
	}
	if err == nil {
		err = directory.prepareBuilds()
	}
	if err != nil {
		return nil, errors.Join(err, lock.Close())
	}
	return directory, nil
}

// takeLock locks a directory. It waits for a holder that is ending: a process that was killed while it stored a large artifact keeps
// its lock until the kernel has written the artifact to the disk.
func takeLock(ctx context.Context, directory string, c clock.WithDelayedExecution, await func(what string, step func() error) error) (*filelock.Lock, error) {
	path := filepath.Join(directory, "lock")
	lock, err := filelock.Take(path)
	if holder := filelock.Holder(path); errors.Is(err, filelock.ErrHeld) && isEnding(holder) {
		limited, cancel := context.WithCancel(ctx)
		defer cancel()
		defer c.AfterFunc(endLimit, cancel).Stop()
		err = await(fmt.Sprintf("the former server, process %d, to end", holder), func() (err error) {
			lock, err = filelock.Await(limited, path)
			return err
		})
	}
	switch {
	case err == nil:
		return lock, nil
	case ctx.Err() != nil:
		return nil, ctx.Err()
	case !errors.Is(err, filelock.ErrHeld):
		return nil, fmt.Errorf("lock data directory %s: %w", directory, err)
	}
	process := ""
	if holder := filelock.Holder(path); holder != 0 {
		process = fmt.Sprintf(", process %d", holder)
	}
	return nil, fmt.Errorf("data directory %s is in use by another `goldsmith up`%s: stop the other server, or set --data-dir to another directory", directory, process)
}

// isEnding reports whether a process was killed, or has ended, and the kernel may not have released its locks yet. Its first thread ends at
// once, and others end when their writes have reached the disk.
func isEnding(pid int) bool {
	if pid == 0 {
		return false
	}
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return errors.Is(err, fs.ErrNotExist)
	}
	for line := range strings.Lines(string(status)) {
		name, value, _ := strings.Cut(line, ":")
		value = strings.TrimSpace(value)
		switch name {
		case "State":
			if strings.HasPrefix(value, "Z") || strings.HasPrefix(value, "X") {
				return true
			}
		case "SigPnd", "ShdPnd":
			if pending, err := strconv.ParseUint(value, 16, 64); err == nil && pending&(1<<(syscall.SIGKILL-1)) != 0 {
				return true
			}
		}
	}
	return false
}

// GitignoreName is the file that keeps a directory out of version control, and gitignore its content.
const (
	GitignoreName = ".gitignore"
	gitignore     = "*\n"
)

// KeepsOutOfGit reports whether a directory has the file that KeepOutOfGit writes.
func KeepsOutOfGit(directory string) bool {
	content, err := ReadFile(filepath.Join(directory, GitignoreName), 0)
	return err == nil && string(content) == gitignore
}

// KeepOutOfGit lets Git ignore a directory with keys, unless somebody has written a .gitignore there already.
func KeepOutOfGit(directory string) error {
	file, err := os.OpenFile(filepath.Join(directory, GitignoreName), os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return nil
	}
	if err == nil {
		_, err = file.WriteString(gitignore)
		err = errors.Join(err, file.Close())
	}
	if err != nil {
		return fmt.Errorf("keep %s out of version control: %w", directory, err)
	}
	return nil
}

// prepareBuilds chooses the agent's directory. An agent removes the files of pods that its API does not have. So that it keeps
// the builds of the data directory, it gets a new directory in memory mode.
func (d *Directory) prepareBuilds() (err error) {
	if !d.memory {
		d.Builds = d.Join("builds")
		return nil
	}
	if err := os.MkdirAll(d.Join("run"), 0o700); err != nil {
		return fmt.Errorf("make a directory for builds: %w", err)
	}
	if err := d.removeTemporary(); err != nil { // after a run that was killed
		return err
	}
	if d.Builds, err = os.MkdirTemp(d.Join("run"), temporaryBuilds); err != nil {
		return fmt.Errorf("make a directory for builds: %w", err)
	}
	return nil
}

func (d *Directory) removeTemporary() error {
	entries, err := os.ReadDir(d.Join("run"))
	if err != nil {
		return fmt.Errorf("find temporary files: %w", err)
	}
	for _, entry := range entries {
		ours := func(prefix string) bool { return strings.HasPrefix(entry.Name(), prefix) }
		if entry.IsDir() && slices.ContainsFunc([]string{temporaryBuilds, temporaryArtifacts, temporaryRecords}, ours) {
			err = errors.Join(err, local.RemoveDir(d.Join("run", entry.Name())))
		}
	}
	if err != nil {
		return fmt.Errorf("remove temporary files: %w", err)
	}
	return nil
}

// OpenArtifacts opens the store of artifacts: in memory mode in a directory that Release deletes, because no build that is in memory
// needs an artifact of the data directory. The store is on the file system of the builds, whose files are moved into it.
func (d *Directory) OpenArtifacts() (*artifacts.Store, error) {
	if !d.memory {
		return artifacts.Open(d.Join("artifacts"), artifacts.Options{})
	}
	directory, err := os.MkdirTemp(d.Join("run"), temporaryArtifacts)
	if err != nil {
		return nil, fmt.Errorf("make a directory for artifacts: %w", err)
	}
	return artifacts.Open(directory, artifacts.Options{Volatile: true})
}

// RecordsFile returns the path of the records database: in memory mode in a directory that Release deletes, because objects that
// are not in memory would count as deleted in the other one. It fails with a *records.DamageError if the file is empty, but a server was ready here
// before.
func (d *Directory) RecordsFile() (string, error) {
	if !d.memory {
		return d.Join("records.db"), d.checkRecordsFile(d.Join("records.db"))
	}
	directory, err := os.MkdirTemp(d.Join("run"), temporaryRecords)
	if err != nil {
		return "", fmt.Errorf("make a directory for records: %w", err)
	}
	return filepath.Join(directory, "records.db"), nil
}

// Release removes what is not kept, and releases the lock.
func (d *Directory) Release() (err error) {
	if d.memory {
		err = d.removeTemporary()
	}
	return errors.Join(err, d.lock.Close())
}

// Usage returns how many bytes the directory occupies on its disk. It leaves out what it cannot read: a builder may leave
// directories without permissions, and files are deleted meanwhile.
func (d *Directory) Usage() (bytes int64) {
	_ = filepath.WalkDir(d.Path, func(_ string, entry fs.DirEntry, err error) error { // never fails
		if err == nil {
			bytes += blocksOf(entry)
		}
		return nil
	})
	return bytes
}

// blocksOf returns how many bytes a file occupies: fewer than its size if it has holes, more if its end was allocated ahead.
func blocksOf(entry fs.DirEntry) int64 {
	info, err := entry.Info()
	if err != nil {
		return 0
	}
	const blockSize = 512 // the unit of stat(2), on every file system
	stat, _ := info.Sys().(*syscall.Stat_t)
	return stat.Blocks * blockSize
}

// Join returns a path in the directory.
func (d *Directory) Join(elements ...string) string {
	return filepath.Join(append([]string{d.Path}, elements...)...)
}

// Recall returns the value that was remembered under a name, or "".
func (d *Directory) Recall(name string) (string, error) {
	if d.memory {
		return "", nil
	}
	content, err := ReadFile(d.Join("server", name), 0)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return "", fmt.Errorf("read the server's %s: %w", name, err)
	}
	return strings.TrimSpace(string(content)), nil
}

// Remember keeps a value for later runs, except in memory mode.
func (d *Directory) Remember(name, value string) error {
	if d.memory {
		return nil
	}
	if err := WriteFile(d.Join("server", name), []byte(value+"\n")); err != nil {
		return fmt.Errorf("keep the server's %s: %w", name, err)
	}
	return nil
}

// Token returns the bearer token of the administrator's kubeconfigs.
func (d *Directory) Token() (string, error) {
	return d.tokenOf("token")
}

// UserToken returns the bearer token in the kubeconfig of a user of --user.
func (d *Directory) UserToken(name string) (string, error) {
	return d.tokenOf(filepath.Join("users", name))
}

// tokenOf returns the token that is remembered under a name. Without such a token it creates and remembers a new token.
func (d *Directory) tokenOf(name string) (string, error) {
	token, err := d.Recall(name)
	if token != "" || err != nil {
		return token, err
	}
	token = rand.Text()
	return token, d.Remember(name, token)
}

// configurationFlagsName is the file of the server with the flags that name builders and kinds, as a list of JSON.
const configurationFlagsName = "configuration-flags"

// RememberFlags keeps the flags that name builders and kinds, so that a restore can tell them.
func (d *Directory) RememberFlags(flags []string) error {
	content, err := json.Marshal(flags)
	if err != nil {
		return fmt.Errorf("keep the flags of the server: %w", err)
	}
	return d.Remember(configurationFlagsName, string(content))
}

// RecallFlags returns the flags that named builders and kinds when a server last used the directory at a path, or none if they cannot be read: they
// only serve to tell users.
func RecallFlags(path string) (flags []string) {
	content, err := (&Directory{Path: path}).Recall(configurationFlagsName)
	if err != nil || json.Unmarshal([]byte(content), &flags) != nil {
		return nil
	}
	return flags
}

// ReadFile reads a regular file of at most MaxServerFile bytes. flags are further flags of open(2), such as O_NOFOLLOW.
func ReadFile(path string, flags int) (content []byte, err error) {
	file, err := documents.OpenRegular(os.OpenFile, path, flags)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	content, err = io.ReadAll(io.LimitReader(file, MaxServerFile+1))
	if err == nil && len(content) > MaxServerFile {
		err = fmt.Errorf("%s has more than %d bytes", path, MaxServerFile)
	}
	return content, err
}

// WriteFile replaces a file as a whole, even if the machine stops meanwhile. Only the owner can read the file.
func WriteFile(path string, content []byte) (err error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	file, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+"-") // mode 0600
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.Remove(file.Name()))
		}
	}()
	_, err = file.Write(content)
	if err = errors.Join(err, file.Sync(), file.Close()); err != nil {
		return err
	}
	return os.Rename(file.Name(), path)
}

// syncDirectory makes the names of the files in a directory durable.
func syncDirectory(path string) error {
	directory, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(directory.Sync(), directory.Close())
}
