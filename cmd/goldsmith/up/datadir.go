// SPDX-License-Identifier: Apache-2.0

package up

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"goldsmith.dev/goldsmith/apiserver/storage/filelock"
	"goldsmith.dev/goldsmith/jobs/local"
	"goldsmith.dev/goldsmith/jobs/local/artifacts"
)

// dataDirectory is a claimed data directory. Its contents:
//
//	kubeconfig   for clients
//	kubeconfigs/ the kubeconfigs of --user
//	.gitignore   keeps all of it out of version control: kubeconfigs and server/ hold keys
//	lock         locked while a process uses the directory; it contains the process ID
//	up.log       logs of the libraries since the last start
//	server/      token, address and certificate, so that a kubeconfig stays valid after a restart; the key of stored Secrets
//	builders.yaml the builders, which the operator writes and the server only reads
//	kinds.yaml   the kinds of images, as builders.yaml
//	records.db   the records database: SQLite, which adds files with suffixes to this name
//	storage/     the objects: etcd, unless --memory keeps them in memory
//	artifacts/   the artifacts of builds: an OCI image layout
//	builds/      logs of builds, and files of running builds; output of builds that succeeded in versions without artifacts/
//	run/         with --memory, the files and artifacts of builds, and the records
type dataDirectory struct {
	path   string
	memory bool // nothing is kept after the run
	lock   *os.File
	builds string // the directory of the agent
}

// The prefixes of the names of directories in run/ in memory mode: of the agent, of the artifacts and of the records.
const (
	temporaryBuilds    = "goldsmith-builds-"
	temporaryArtifacts = "goldsmith-artifacts-"
	temporaryRecords   = "goldsmith-records-"
)

// endLimit is how long a start waits for the end of a process that holds the data directory and is ending.
const endLimit = 15 * time.Second

// claimDataDirectory creates the directory and locks it. The kernel releases the lock when the process ends, even after a crash.
func (o *Options) claimDataDirectory(ctx context.Context) (*dataDirectory, error) {
	path := o.DataDirectory
	if err := os.MkdirAll(path, 0o700); err != nil {
		return nil, fmt.Errorf("create data directory %s: %w", path, err)
	}
	lock, err := o.lockDataDirectory(ctx, filepath.Join(path, "lock"))
	if err != nil {
		return nil, err
	}
	directory := &dataDirectory{path: path, memory: o.Memory, lock: lock}
	if err = keepOutOfGit(path); err == nil {
		err = directory.prepareBuilds()
	}
	if err != nil {
		return nil, errors.Join(err, lock.Close())
	}
	return directory, nil
}

// lockDataDirectory takes the lock. It waits for a holder that is ending: a process that was killed while it stored a large artifact keeps
// its lock until the kernel has written the artifact to the disk.
func (o *Options) lockDataDirectory(ctx context.Context, path string) (*os.File, error) {
	lock, err := filelock.Take(path)
	if holder := filelock.Holder(path); errors.Is(err, filelock.ErrHeld) && isEnding(holder) {
		limited, cancel := context.WithCancel(ctx)
		defer cancel()
		defer o.clock.AfterFunc(endLimit, cancel).Stop()
		err = o.awaitQuietly(time.Second, fmt.Sprintf("the former server, process %d, to end", holder), func() (err error) {
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
		return nil, fmt.Errorf("lock data directory %s: %w", o.DataDirectory, err)
	}
	process := ""
	if holder := filelock.Holder(path); holder != 0 {
		process = fmt.Sprintf(", process %d", holder)
	}
	return nil, fmt.Errorf("data directory %s is in use by another `goldsmith up`%s: stop the other server, or set --data-dir to another directory", o.DataDirectory, process)
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

// gitignoreName is the file that keeps a directory out of version control, and gitignore its content.
const (
	gitignoreName = ".gitignore"
	gitignore     = "*\n"
)

// keepsOutOfGit reports whether a directory has the file that keepOutOfGit writes.
func keepsOutOfGit(directory string) bool {
	content, err := os.ReadFile(filepath.Join(directory, gitignoreName))
	return err == nil && string(content) == gitignore
}

// keepOutOfGit lets Git ignore a directory with keys, unless somebody has written a .gitignore there already.
func keepOutOfGit(directory string) error {
	file, err := os.OpenFile(filepath.Join(directory, gitignoreName), os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
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
func (d *dataDirectory) prepareBuilds() (err error) {
	if !d.memory {
		d.builds = d.join("builds")
		return nil
	}
	if err := os.MkdirAll(d.join("run"), 0o700); err != nil {
		return fmt.Errorf("make a directory for builds: %w", err)
	}
	if err := d.removeTemporary(); err != nil { // after a run that was killed
		return err
	}
	if d.builds, err = os.MkdirTemp(d.join("run"), temporaryBuilds); err != nil {
		return fmt.Errorf("make a directory for builds: %w", err)
	}
	return nil
}

func (d *dataDirectory) removeTemporary() error {
	entries, err := os.ReadDir(d.join("run"))
	if err != nil {
		return fmt.Errorf("find temporary files: %w", err)
	}
	for _, entry := range entries {
		ours := func(prefix string) bool { return strings.HasPrefix(entry.Name(), prefix) }
		if entry.IsDir() && slices.ContainsFunc([]string{temporaryBuilds, temporaryArtifacts, temporaryRecords}, ours) {
			err = errors.Join(err, local.RemoveDir(d.join("run", entry.Name())))
		}
	}
	if err != nil {
		return fmt.Errorf("remove temporary files: %w", err)
	}
	return nil
}

// openArtifacts opens the store of artifacts: in memory mode in a directory that release deletes, because no build that is in memory
// needs an artifact of the data directory. The store is on the file system of the builds, whose files are moved into it.
func (d *dataDirectory) openArtifacts() (*artifacts.Store, error) {
	if !d.memory {
		return artifacts.Open(d.join("artifacts"), artifacts.Options{})
	}
	directory, err := os.MkdirTemp(d.join("run"), temporaryArtifacts)
	if err != nil {
		return nil, fmt.Errorf("make a directory for artifacts: %w", err)
	}
	return artifacts.Open(directory, artifacts.Options{Volatile: true})
}

// recordsFile returns the path of the records database: in memory mode in a directory that release deletes, because objects that
// are not in memory would count as deleted in the other one.
func (d *dataDirectory) recordsFile() (string, error) {
	if !d.memory {
		return d.join("records.db"), nil
	}
	directory, err := os.MkdirTemp(d.join("run"), temporaryRecords)
	if err != nil {
		return "", fmt.Errorf("make a directory for records: %w", err)
	}
	return filepath.Join(directory, "records.db"), nil
}

func (d *dataDirectory) release() (err error) {
	if d.memory {
		err = d.removeTemporary()
	}
	return errors.Join(err, d.lock.Close())
}

// usage returns how many bytes the directory occupies on its disk. It leaves out what it cannot read: a builder may leave
// directories without permissions, and files are deleted meanwhile.
func (d *dataDirectory) usage() (bytes int64) {
	_ = filepath.WalkDir(d.path, func(_ string, entry fs.DirEntry, err error) error { // never fails
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

func (d *dataDirectory) join(elements ...string) string {
	return filepath.Join(append([]string{d.path}, elements...)...)
}

// recall returns the value that was remembered under a name, or "".
func (d *dataDirectory) recall(name string) (string, error) {
	if d.memory {
		return "", nil
	}
	content, err := os.ReadFile(d.join("server", name))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return "", fmt.Errorf("read the server's %s: %w", name, err)
	}
	return strings.TrimSpace(string(content)), nil
}

func (d *dataDirectory) remember(name, value string) error {
	if d.memory {
		return nil
	}
	if err := writeFile(d.join("server", name), []byte(value+"\n")); err != nil {
		return fmt.Errorf("keep the server's %s: %w", name, err)
	}
	return nil
}

// token returns the bearer token of the administrator's kubeconfigs.
func (d *dataDirectory) token() (string, error) {
	return d.tokenOf("token")
}

// userToken returns the bearer token in the kubeconfig of a user of --user.
func (d *dataDirectory) userToken(name string) (string, error) {
	return d.tokenOf(filepath.Join("users", name))
}

// tokenOf returns the token that is remembered under a name. Without such a token it creates and remembers a new token.
func (d *dataDirectory) tokenOf(name string) (string, error) {
	token, err := d.recall(name)
	if token != "" || err != nil {
		return token, err
	}
	token = newToken()
	return token, d.remember(name, token)
}

// newToken returns 128 random bits or more.
func newToken() string {
	return rand.Text()
}
