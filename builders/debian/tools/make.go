// SPDX-License-Identifier: Apache-2.0

package tools

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"goldsmith.dev/goldsmith/builders/debian/flock"
	"goldsmith.dev/goldsmith/builders/debian/output"
)

// Options tell how the tools are made.
type Options struct {
	// Getenv looks up PATH and the variables of proxies, such as http_proxy.
	Getenv func(string) string
	// Log receives lines of progress. Defaults to nowhere.
	Log io.Writer
}

// unfinished ends the name of a directory in which tools are being made.
const unfinished = ".unfinished"

// termWait is how long a program may take to end after SIGTERM.
const termWait = 10 * time.Second

// Make makes the tools in a directory, unless Due reports that they are there. It uses the mirror that mmdebstrap uses by default. The directory
// appears complete, or not at all. Concurrent calls, also of other processes, wait for the first call. If old tools cannot be renewed, they stay
// for a day, and Make returns no error.
//
// errors.Is(err, ErrMirror) tells that another attempt can succeed.
func Make(ctx context.Context, directory string, options Options) error {
	return trixie().makeIn(ctx, directory, options)
}

// MakeTester makes the root file system of the tester as Make makes the tools of the builder.
func MakeTester(ctx context.Context, directory string, options Options) error {
	return ofTester().makeIn(ctx, directory, options)
}

func (c contents) makeIn(ctx context.Context, directory string, options Options) error {
	if options.Log == nil {
		options.Log = io.Discard
	}
	if !NeedsRenewal(directory) {
		return nil
	}
	// A failure to write the log cannot be reported anywhere.
	err := c.makeOnce(ctx, directory, options)
	switch {
	case err == nil:
		if err := removeOld(directory); err != nil {
			_, _ = fmt.Fprintf(options.Log, "remove old tools: %v\n", err)
		}
		return nil
	case exists(directory) && ctx.Err() == nil:
		_, _ = fmt.Fprintf(options.Log, "the old tools are used, because they cannot be renewed: %v\n", err)
		return postpone(directory)
	default:
		return fmt.Errorf("make the tools in %s: %w", directory, err)
	}
}

func (c contents) makeOnce(ctx context.Context, directory string, options Options) error {
	if err := os.MkdirAll(filepath.Dir(directory), 0o750); err != nil {
		return err
	}
	lock, err := acquire(ctx, directory+".lock")
	if err != nil {
		return err
	}
	defer func() { _ = lock.Close() }() // releases it
	if !NeedsRenewal(directory) {
		return nil
	}
	begun := directory + unfinished
	if err := remove(begun); err != nil { // perhaps of a process that was killed
		return err
	}
	maker := maker{contents: c, directory: begun, environment: environment(options.Getenv), log: options.Log, lock: lock}
	if err := maker.make(ctx); err != nil {
		return errors.Join(err, remove(begun))
	}
	return replace(directory, begun)
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// acquire waits until this process has the lock of a file.
func acquire(ctx context.Context, path string) (*os.File, error) {
	file, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR|unix.O_NOFOLLOW, 0o600)
	if err != nil {
		return nil, err
	}
	acquired := make(chan error, 1)
	go func() { acquired <- flock.Lock(file, unix.LOCK_EX) }()
	select {
	case err = <-acquired:
	case <-ctx.Done():
		return nil, ctx.Err() // the file stays open until the process ends, because its lock is waited for
	}
	if err != nil {
		return nil, errors.Join(err, file.Close())
	}
	return file, nil
}

// remove removes a directory of tools, with directories that nobody can write to.
func remove(directory string) error {
	err := os.RemoveAll(directory)
	if !errors.Is(err, fs.ErrPermission) {
		return err
	}
	err = filepath.WalkDir(directory, func(path string, entry fs.DirEntry, err error) error {
		if err == nil && entry.IsDir() {
			return os.Chmod(path, 0o700) //nolint:gosec // it is removed next
		}
		return err
	})
	return errors.Join(err, os.RemoveAll(directory))
}

// environment returns the variables of the programs that make the tools.
func environment(getenv func(string) string) []string {
	variables := append(Proxies(getenv), "LC_ALL=C.UTF-8", "TZ=UTC", "SOURCE_DATE_EPOCH=0")
	if path := getenv("PATH"); path != "" {
		variables = append(variables, "PATH="+path+":/usr/sbin:/sbin")
	}
	return variables
}

// Proxies returns the variables that name proxies, as NAME=VALUE.
func Proxies(getenv func(string) string) []string {
	var variables []string
	for _, name := range []string{"http_proxy", "https_proxy", "ftp_proxy", "all_proxy", "no_proxy"} {
		for _, name := range []string{name, strings.ToUpper(name)} {
			if value := getenv(name); value != "" {
				variables = append(variables, name+"="+value)
			}
		}
	}
	return variables
}

// maker makes the tools in a directory that does not exist.
type maker struct {
	contents
	directory   string
	environment []string
	log         io.Writer
	lock        *os.File
}

func (m maker) make(ctx context.Context) error {
	if err := m.extract(ctx); err != nil {
		return err
	}
	if err := m.repair(m.directory); err != nil {
		return err
	}
	ldconfig := m.command(ctx, "bwrap", "--unshare-all", "--cap-drop", "ALL", "--die-with-parent", "--bind", m.directory, "/", "ldconfig", "-i")
	ldconfig.ExtraFiles = nil // a sandbox gets no file of the machine
	if err := ldconfig.Run(); err != nil {
		return fmt.Errorf("run ldconfig in the tools: %w", err)
	}
	if err := os.RemoveAll(filepath.Join(m.directory, "var/cache/ldconfig")); err != nil {
		return err
	}
	if err := writeDigest(m.directory); err != nil {
		return err
	}
	now := time.Now()
	return os.Chtimes(m.directory, now, now) // for Due
}

// listPackages has mmdebstrap keep the description of each package whose files it extracts, where scanners look for it in images without dpkg.
const listPackages = `mkdir "$1/var/lib/dpkg/status.d" && for package in "$1"/var/cache/apt/archives/*.deb; do ` +
	`dpkg-deb --field "$package" >"$1/var/lib/dpkg/status.d/$(dpkg-deb --field "$package" Package)" || exit 1; done`

// extract runs mmdebstrap.
func (m maker) extract(ctx context.Context) error {
	arguments := []string{
		"--mode=chrootless", "--variant=extract", "--format=directory", "--architectures=amd64",
		"--skip=check/qemu,check/signed-by,output/dev,output/mknod", "--keyring=" + Keyring,
		"--include=" + strings.Join(m.Packages, ","), "--extract-hook=" + listPackages,
	}
	for _, path := range m.Excluded {
		arguments = append(arguments, "--dpkgopt=path-exclude="+path)
	}
	for _, path := range m.Included {
		arguments = append(arguments, "--dpkgopt=path-include="+path)
	}
	temporary, err := os.MkdirTemp(filepath.Dir(m.directory), "tmp-")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(temporary) }()
	command := m.command(ctx, "mmdebstrap", append(arguments, m.Suite, m.directory)...)
	command.Env = append(command.Env, "TMPDIR="+temporary, "HOME="+temporary)
	tail := &output.Tail{To: m.log}
	command.Stdout, command.Stderr = tail, tail
	if err := command.Run(); err != nil {
		return mmdebstrapError(err, tail.Lines())
	}
	return nil
}

// command is a program that holds the lock, so that nobody removes the directory while the program writes there, even if this process was killed.
func (m maker) command(ctx context.Context, name string, arguments ...string) *exec.Cmd {
	command := exec.CommandContext(ctx, name, arguments...)
	command.Env, command.Stdout, command.Stderr, command.ExtraFiles = m.environment, m.log, m.log, []*os.File{m.lock}
	command.Cancel = func() error { return command.Process.Signal(syscall.SIGTERM) } // it removes its directories
	command.WaitDelay = termWait
	return command
}
