// SPDX-License-Identifier: Apache-2.0

package boot

import (
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"regexp"
	"strings"
)

// login is the value of --until for a login prompt.
const login = "login"

var (
	// prompt matches a line of the console that begins with a login prompt, such as "debian login: ". Kernel messages may follow.
	prompt = regexp.MustCompile(`^([\w.-]+ )?login: `)
	// targets matches the name of a systemd target.
	targets = regexp.MustCompile(`^[\w:.\\@-]+\.target$`)
)

// goal is what --until names.
type goal struct {
	// name is how the user named the goal.
	name string
	// in reports whether a line of the console, complete or not, shows that the guest has reached the goal.
	in func(line string) bool
	// credentials let systemd in the guest write that line.
	credentials []string
	// hint is why a guest may never show that line.
	hint string
}

// goalOf returns the goal that --until names, or nil without --until.
func goalOf(until string) (*goal, error) {
	switch {
	case until == "":
		return nil, nil
	case until == login:
		return &goal{name: "a login prompt", in: prompt.MatchString}, nil
	case targets.MatchString(until):
		return targetGoal(until, rand.Text()), nil
	}
	return nil, fmt.Errorf("--until %q: must be login, or a systemd target such as multi-user.target", until)
}

// targetGoal adds a unit to the guest that writes the word to the console once the target is reached. Without DefaultDependencies=no
// the target would wait for the unit. The description must not have the word, because systemd writes it to the console.
func targetGoal(target, word string) *goal {
	const unit = "goldsmith-boot.service"
	return &goal{
		name: target,
		hint: "; a guest with systemd older than 256 does not tell of targets",
		in:   func(line string) bool { return strings.Contains(line, word) },
		credentials: []string{
			credential("systemd.extra-unit."+unit, "[Unit]\nDescription=Tell goldsmith boot that "+target+" is reached\nDefaultDependencies=no\n"+
				"Requires="+target+"\nAfter="+target+"\n\n"+
				"[Service]\nType=oneshot\nExecStart=echo "+word+"\nStandardOutput=tty\nTTYPath=/dev/ttyS0\n"),
			credential("systemd.unit-dropin."+target, "[Unit]\nWants="+unit+"\n"),
		},
	}
}

// waitForDevices lets systemd wait for devices without a limit. In emulation on a busy machine, udev takes longer than the default of 90 s.
// Then the console has no login, or a file system is missing.
func waitForDevices() string {
	return credential("systemd.unit-dropin.dev-.device", "[Unit]\nJobRunningTimeoutSec=infinity\n")
}

// loginAsRoot lets agetty log in as root, and login ask for no password. Their unit imports these credentials (agetty(8), login(1)).
func loginAsRoot() []string {
	return []string{credential("agetty.autologin", "root"), credential("login.noauth", "yes")}
}

// credential returns a credential for systemd: see systemd.system-credentials(7).
func credential(name, text string) string {
	return "io.systemd.credential.binary:" + name + "=" + base64.StdEncoding.EncodeToString([]byte(text))
}
