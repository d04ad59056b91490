// SPDX-License-Identifier: Apache-2.0

package machine

import (
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"regexp"
	"strings"
)

// Login is the value of --until for a login prompt.
const Login = "login"

var (
	// prompt matches a line of the console that begins with a login prompt, such as "debian login: ". Kernel messages may follow.
	prompt = regexp.MustCompile(`^([\w.-]+ )?login: `)
	// targets matches the name of a systemd target.
	targets = regexp.MustCompile(`^[\w:.\\@-]+\.target$`)
)

// Goal is what --until names.
type Goal struct {
	// Name is how the user named the goal.
	Name string
	// In reports whether a line of the console, complete or not, shows that the guest has reached the goal.
	In func(line string) bool
	// Credentials let systemd in the guest write that line.
	Credentials []string
	// Hint is why a guest may never show that line.
	Hint string
}

// GoalOf returns the goal that a value of --until names, or nil without a value.
func GoalOf(until string) (*Goal, error) {
	switch {
	case until == "":
		return nil, nil
	case until == Login:
		return &Goal{Name: "a login prompt", In: prompt.MatchString}, nil
	case targets.MatchString(until):
		return targetGoal(until, rand.Text()), nil
	}
	return nil, fmt.Errorf("%q: must be login, or a systemd target such as multi-user.target", until)
}

// targetGoal adds a unit to the guest that writes the word to the console once the target is reached. Without DefaultDependencies=no
// the target would wait for the unit. The description must not have the word, because systemd writes it to the console.
func targetGoal(target, word string) *Goal {
	const unit = "goldsmith-boot.service"
	return &Goal{
		Name: target,
		Hint: "; a guest with systemd older than 256 does not tell of targets",
		In:   func(line string) bool { return strings.Contains(line, word) },
		Credentials: []string{
			Credential("systemd.extra-unit."+unit, "[Unit]\nDescription=Tell goldsmith boot that "+target+" is reached\nDefaultDependencies=no\n"+
				"Requires="+target+"\nAfter="+target+"\n\n"+
				"[Service]\nType=oneshot\nExecStart=echo "+word+"\nStandardOutput=tty\nTTYPath=/dev/ttyS0\n"),
			Credential("systemd.unit-dropin."+target, "[Unit]\nWants="+unit+"\n"),
		},
	}
}

// WaitForDevices lets systemd wait for devices without a limit. In emulation on a busy machine, udev takes longer than the default of 90 s.
// Then the console has no login, or a file system is missing.
func WaitForDevices() string {
	return Credential("systemd.unit-dropin.dev-.device", "[Unit]\nJobRunningTimeoutSec=infinity\n")
}

// LoginAsRoot lets agetty log in as root, and login ask for no password. Their unit imports these credentials (agetty(8), login(1)).
func LoginAsRoot() []string {
	return []string{Credential("agetty.autologin", "root"), Credential("login.noauth", "yes")}
}

// Credential returns a credential for systemd: see systemd.system-credentials(7).
func Credential(name, text string) string {
	return "io.systemd.credential.binary:" + name + "=" + base64.StdEncoding.EncodeToString([]byte(text))
}
