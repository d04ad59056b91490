// SPDX-License-Identifier: Apache-2.0

package tools

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"sync"
	"time"
)

// machine is what Missing asks.
type machine struct {
	architecture string
	lookPath     func(string) (string, error)
	stat         func(string) (os.FileInfo, error)
	readFile     func(string) ([]byte, error)
	run          func(name string, arguments ...string) error
}

// Missing returns what this machine lacks for the builder in a sandbox, with the remedy, or nil. It starts a process.
func Missing(ctx context.Context) error {
	return machine{
		architecture: runtime.GOOS + "/" + runtime.GOARCH, lookPath: exec.LookPath, stat: os.Stat, readFile: os.ReadFile,
		run: func(name string, arguments ...string) error {
			ctx, cancel := context.WithTimeout(ctx, trialLimit)
			defer cancel()
			command := exec.CommandContext(ctx, name, arguments...)
			var complaint bytes.Buffer
			command.Stderr = &complaint
			if err := command.Run(); err != nil {
				if line := strings.TrimSpace(complaint.String()); line != "" {
					return errors.New(line)
				}
				return err
			}
			return nil
		},
	}.missing()
}

// trialLimit bounds the trial of bubblewrap, which takes some milliseconds.
const trialLimit = 10 * time.Second

func (m machine) missing() error {
	if m.architecture != "linux/amd64" {
		return fmt.Errorf("the builder runs on linux/amd64, and this is %s", m.architecture)
	}
	var missing []string
	for _, program := range []struct{ name, pkg string }{{"mmdebstrap", "mmdebstrap"}, {"bwrap", "bubblewrap"}} {
		if _, err := m.lookPath(program.name); err != nil {
			missing = append(missing, program.pkg)
		}
	}
	if _, err := m.stat(Keyring); err != nil {
		missing = append(missing, "debian-archive-keyring")
	}
	if len(missing) > 0 {
		return fmt.Errorf("missing on this machine: %s: apt-get install %[1]s", strings.Join(missing, " "))
	}
	// Without --as-pid-1, bwrap does not wait for its process 1, which goldsmith up would inherit.
	if err := m.run("bwrap", "--unshare-user", "--uid", "65532", "--unshare-pid", "--as-pid-1", "--cap-drop", "ALL", "--ro-bind", "/", "/", "--proc", "/proc", "true"); err != nil {
		return fmt.Errorf("bwrap cannot create a user namespace (%w): %s", err, m.remedy())
	}
	return nil
}

// remedy tells how an administrator permits user namespaces.
func (m machine) remedy() string {
	for _, setting := range []struct{ file, forbids, remedy string }{
		{"/proc/sys/kernel/apparmor_restrict_unprivileged_userns", "1",
			"permit them to /usr/bin/bwrap with an AppArmor profile, or to all programs with sysctl kernel.apparmor_restrict_unprivileged_userns=0"},
		{"/proc/sys/kernel/unprivileged_userns_clone", "0", "permit them with sysctl kernel.unprivileged_userns_clone=1"},
		{"/proc/sys/user/max_user_namespaces", "0", "permit them with sysctl user.max_user_namespaces=15000"},
	} {
		if value, err := m.readFile(setting.file); err == nil && strings.TrimSpace(string(value)) == setting.forbids {
			return setting.remedy
		}
	}
	return "permit them on this machine; in a container, run goldsmith on its host"
}

// Checked remembers for a moment what Missing has returned, for callers that ask often. It is safe for concurrent use.
type Checked struct {
	mu   sync.Mutex
	at   time.Time
	last error
}

// checkedFor is how long a user who has installed what is missing waits at most.
const checkedFor = 5 * time.Second

// Missing returns what the function Missing has returned in the last five seconds.
func (c *Checked) Missing() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.at.IsZero() || time.Since(c.at) > checkedFor {
		c.last, c.at = Missing(context.Background()), time.Now()
	}
	return c.last
}
