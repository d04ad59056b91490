// SPDX-License-Identifier: Apache-2.0

//go:build linux

package debian

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"goldsmith.dev/goldsmith/builders/debian/output"
	"goldsmith.dev/goldsmith/builders/debian/tools"
)

// termWait is how long a program may take to end after SIGTERM. Goldsmith gives the builder 30 seconds.
const termWait = 10 * time.Second

// command runs one of the tools. Its output is part of the log. The error has the last line of its output.
func (b *build) command(ctx context.Context, name string, args ...string) error {
	_, err := b.commandWith(ctx, nil, name, args...)
	return err
}

// commandWith runs a command with a standard input, and returns the last lines of its output.
func (b *build) commandWith(ctx context.Context, input io.Reader, name string, args ...string) (last []string, err error) {
	last, err = b.tool(ctx, input, name, args...)
	if err != nil && ctx.Err() == nil {
		err = commandError(last, err)
	}
	return last, err
}

// commandError returns the error of a tool with the last line of its output.
func commandError(last []string, err error) error {
	switch {
	case output.NoSpace(last):
		return diskFull(last)
	case len(last) == 0:
		return err
	}
	return fmt.Errorf("%w: %s", err, lastOf(last))
}

// tool runs one of the tools, and returns the last lines of its output. The error names the tool.
func (b *build) tool(ctx context.Context, input io.Reader, name string, args ...string) (last []string, err error) {
	program, err := b.find(name)
	if err != nil {
		return nil, err
	}
	command := exec.CommandContext(ctx, program, args...)
	command.Env, command.Dir = b.environment(), b.work
	command.Stdin = input
	lines := &output.Tail{To: b.log, Noise: noise, Seen: b.reportStep}
	command.Stdout, command.Stderr = lines, lines
	// A program such as mmdebstrap has children: all of them are told to end.
	command.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	command.Cancel = func() error { return syscall.Kill(-command.Process.Pid, syscall.SIGTERM) }
	command.WaitDelay = termWait
	if err = command.Run(); err != nil {
		err = fmt.Errorf("%s: %w", name, err)
	}
	return lines.Lines(), err
}

// toolPath is where programs find others. The builder contract promises no PATH.
const toolPath = "/usr/sbin:/usr/bin:/sbin:/bin"

// find returns the path of a tool.
func (b *build) find(name string) (string, error) {
	for _, directory := range []string{"usr/sbin", "usr/bin"} {
		path := filepath.Join(b.tools, directory, name)
		if info, err := os.Stat(path); err == nil && info.Mode().IsRegular() && info.Mode().Perm()&0o111 != 0 {
			return path, nil
		}
	}
	return "", fail(ReasonToolsMissing, "there is no program %s in %s: the builder runs only in its tools", name, filepath.Join(b.tools, "usr/bin"))
}

// environment returns the variables of the tools. None comes from the environment of the builder, except the proxies.
func (b *build) environment() []string {
	environment := []string{
		"PATH=" + toolPath, "HOME=" + b.work, "TMPDIR=" + b.work, "LC_ALL=C.UTF-8", "TZ=UTC",
		"SOURCE_DATE_EPOCH=" + strconv.FormatInt(b.time.Unix(), 10),
		"MTOOLS_SKIP_CHECK=1", // no geometry of a floppy disk
		// Programs such as those of systemd find their libraries by an absolute path, which is outside of the fake chroot.
		"LD_LIBRARY_PATH=" + filepath.Join(b.path(planDirectory), privateLibraries),
		"FAKECHROOT_CMD_SUBST=" + substitutes(filepath.Join(b.path(planDirectory), "hostname"), "hostname", "dnsdomainname", "uname") + ":" + dpkgHook + "=" + tools.Program,
	}
	return append(environment, tools.Proxies(b.getenv)...)
}

// substitutes returns what lets fakechroot run a script instead of some programs of the image.
func substitutes(script string, names ...string) string {
	var all []string
	for _, name := range names {
		all = append(all, "/usr/bin/"+name+"="+script, "/bin/"+name+"="+script)
	}
	return strings.Join(all, ":")
}

func lastOf(lines []string) string {
	if len(lines) == 0 {
		return "no output"
	}
	return lines[len(lines)-1]
}
