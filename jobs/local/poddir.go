// SPDX-License-Identifier: Apache-2.0

package local

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"unicode/utf8"

	"golang.org/x/sys/unix"
	"k8s.io/apimachinery/pkg/types"

	"goldsmith.dev/goldsmith/jobs/result"
)

// uidPattern matches the UIDs that an API server assigns.
var uidPattern = regexp.MustCompile(`\A[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\z`)

// removedPrefix precedes the UID in the name of a directory that is being removed.
const removedPrefix = "removed-"

// podDirs is the directory that has one directory for each pod, named by its UID.
type podDirs string

// podDir is the directory of one pod. The builder runs as the same user, so its contents are not trusted afterwards.
type podDir string

func (d podDirs) create() error {
	return os.MkdirAll(string(d), 0o700)
}

func (d podDirs) dirOf(uid types.UID) (podDir, error) {
	if name := string(uid); name != "" && name != "." && name != ".." && !strings.ContainsAny(name, "/\x00") {
		return podDir(filepath.Join(string(d), name)), nil
	}
	return "", fmt.Errorf("the UID %q cannot name a directory", uid)
}

// removeExcept removes the directories of pods except the known ones, also those whose removal was interrupted, and the Secrets of
// all pods, because no process runs. The parent directory may be shared, so it removes only directories that belong to pods.
func (d podDirs) removeExcept(known map[types.UID]bool) error {
	entries, err := os.ReadDir(string(d))
	if err != nil {
		return err
	}
	for _, entry := range entries {
		dir := podDir(filepath.Join(string(d), entry.Name()))
		name, half := strings.CutPrefix(entry.Name(), removedPrefix)
		if uidPattern.MatchString(name) && dir.isOurs() {
			err = errors.Join(err, podDir(dir.mounts()).remove()) // after a crash
		}
		switch uid := types.UID(name); {
		case !uidPattern.MatchString(name):
		case half && entry.IsDir():
			err = errors.Join(err, dir.remove())
		case !known[uid] && dir.isOurs():
			err = errors.Join(err, dir.discard())
		}
	}
	return err
}

func (d podDir) input() string     { return filepath.Join(string(d), "input") }
func (d podDir) output() string    { return filepath.Join(string(d), "output") }
func (d podDir) base() string      { return filepath.Join(string(d), "base") }
func (d podDir) source() string    { return filepath.Join(string(d), "source") }
func (d podDir) temporary() string { return filepath.Join(string(d), "tmp") }
func (d podDir) result() string    { return filepath.Join(string(d), "result") }
func (d podDir) log() string       { return filepath.Join(string(d), "log") }
func (d podDir) marker() string    { return filepath.Join(string(d), "started") }

func (d podDir) reportToken() string { return filepath.Join(string(d), "report-token") }
func (d podDir) reportCA() string    { return filepath.Join(string(d), "report-ca.crt") }

// prepare creates the files for the builder, an empty log, and last the marker that the process was started. From then on the
// process may have run, so the pod is never started again. prepare fails if the marker exists.
func (d podDir) prepare(input string) (log *os.File, err error) {
	for _, directory := range []string{d.output(), d.temporary()} {
		if err := os.MkdirAll(directory, 0o700); err != nil {
			return nil, err
		}
	}
	if err := os.WriteFile(d.input(), []byte(input), 0o600); err != nil {
		return nil, err
	}
	if err := os.WriteFile(d.result(), nil, 0o600); err != nil {
		return nil, err
	}
	log, err = os.OpenFile(d.log(), os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o600)
	if err != nil {
		return nil, err
	}
	marker, err := os.OpenFile(d.marker(), os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, errors.Join(err, log.Close())
	}
	return log, marker.Close()
}

// removeUnused removes what nothing reads after the pod's end is stored: the pod has a copy of the input and of the result, and the
// token is revoked. It keeps an output with files only if it is told to.
func (d podDir) removeUnused(keepOutput bool) error {
	unused := []string{d.reportToken(), d.reportCA(), d.input(), d.result(), d.temporary(), d.mounts(), d.base(), d.source()}
	if !keepOutput {
		unused = append(unused, d.output())
	}
	var err error
	for _, path := range unused {
		err = errors.Join(err, podDir(path).remove())
	}
	_ = unix.Rmdir(d.output()) // fails if the output is not empty
	return err
}

// isOurs reports whether a directory has the files that prepare creates, and that stay after the pod's end.
func (d podDir) isOurs() bool {
	if info, err := os.Lstat(string(d)); err != nil || !info.IsDir() {
		return false
	}
	for _, path := range []string{d.log(), d.marker()} {
		if info, err := os.Lstat(path); err != nil || !info.Mode().IsRegular() {
			return false
		}
	}
	return true
}

// wasStarted reports whether the pod's process may have been started.
func (d podDir) wasStarted() (bool, error) {
	_, err := os.Lstat(d.marker())
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	return err == nil, err
}

// message reads the result as a termination message: at most result.MaxBytes of valid UTF-8. As a kubelet does, it takes
// the end of a longer one.
func (d podDir) message() (string, error) {
	f, err := openRegular(d.result())
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	defer func() { _ = f.Close() }() // only read from
	info, err := f.Stat()
	if err != nil {
		return "", err
	}
	content, err := io.ReadAll(io.NewSectionReader(f, max(0, info.Size()-result.MaxBytes), result.MaxBytes))
	if err != nil {
		return "", err
	}
	message := strings.ToValidUTF8(string(content), string(utf8.RuneError))
	for len(message) > result.MaxBytes {
		_, size := utf8.DecodeLastRuneInString(message)
		message = message[:len(message)-size]
	}
	return message, nil
}

var errNotRegular = errors.New("not a regular file")

// openRegular opens a regular file for reading that a builder may have replaced. It follows no link, and does not wait for
// another process.
func openRegular(path string) (*os.File, error) {
	return openRegularWith(os.OpenFile, path)
}

func openRegularWith(open func(name string, flag int, mode fs.FileMode) (*os.File, error), path string) (*os.File, error) {
	f, err := open(path, os.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0)
	if errors.Is(err, unix.ELOOP) || errors.Is(err, unix.ENXIO) { // a link, or a socket
		err = &fs.PathError{Op: "open", Path: path, Err: errNotRegular}
	}
	if err != nil {
		return nil, err
	}
	info, err := f.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = &fs.PathError{Op: "open", Path: path, Err: errNotRegular}
	}
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

// discard removes the directory of a pod. It renames the directory first, so that removeExcept still knows it after a crash has
// interrupted the removal.
func (d podDir) discard() error {
	removed := podDir(filepath.Join(filepath.Dir(string(d)), removedPrefix+filepath.Base(string(d))))
	if err := os.Rename(string(d), string(removed)); err != nil {
		return d.remove() // the directory does not exist, or a builder has put a file at the new name
	}
	return removed.remove()
}

// RemoveDir removes the Dir of an agent that has ended, with all files of the agent and its builders.
func RemoveDir(dir string) error {
	return podDir(dir).remove()
}

// remove removes the directory, even if the builder left directories without write permission.
func (d podDir) remove() error {
	err := os.RemoveAll(string(d))
	if !errors.Is(err, fs.ErrPermission) {
		return err
	}
	err = filepath.WalkDir(string(d), func(path string, entry fs.DirEntry, err error) error {
		if err == nil && entry.IsDir() {
			return os.Chmod(path, 0o700) //nolint:gosec // the builder, which has ended, ran as the same user
		}
		return err
	})
	return errors.Join(err, os.RemoveAll(string(d)))
}
