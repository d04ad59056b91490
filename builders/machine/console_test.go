// SPDX-License-Identifier: Apache-2.0

package machine

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"goldsmith.dev/goldsmith/e2e/require"
)

const (
	word   = "GOLDSMITHWORD"
	seabio = "c\x1b[?7l\x1b[2J\x1b[0mSeaBIOS (version 1.16.2-debian-1.16.2-1)\r\nBooting from Hard Disk..\r\n"
	kernel = "[    0.000000] Linux version 6.12.57\r\n[\x1b[0;32m  OK  \x1b[0m] Started \x1b[0;1;39msystemd-logind.service\x1b[0m - User Login Management.\r\n"
	getty  = "\x1b[!p\x1b]104\x07\x1b[?7h\x1b[6n\x1b[32766;32766H\x1b[6n\r\nDebian GNU/Linux 13 golden ttyS0\r\n\r\ngolden login: "
	panics = "[    1.5] Kernel panic - not syncing: VFS: Unable to mount root fs on unknown-block(0,0)\r\n"
)

// ended is how a watched console ended the guest.
type ended struct {
	calls int
	err   error
}

func newConsole(goal *Goal, out *bytes.Buffer) (*Console, *ended) {
	got := &ended{}
	return &Console{Goal: goal, Out: out, End: func(err error) {
		if got.calls++; got.calls == 1 {
			got.err = err
		}
	}}, got
}

func TestTheConsoleEndsTheGuest(t *testing.T) {
	loginPrompt, multiUser := require.Value(GoalOf(Login))(t), targetGoal("multi-user.target", word)
	for title, test := range map[string]struct {
		goal    *Goal
		console string
		reached bool
		fails   string
		seen    string
	}{
		"a login prompt without a line end": {goal: loginPrompt, console: seabio + kernel + getty, reached: true, seen: `"golden login:"`},
		"a login prompt without a name":     {goal: loginPrompt, console: "\r\nlogin: ", reached: true, seen: `"login:"`},
		"a kernel message after the prompt": {goal: loginPrompt, console: "golden login: [   12.3] eth0: link up\r\n", reached: true, seen: "link up"},
		"words about logins":                {goal: loginPrompt, console: kernel + "sshd: invalid login: root\r\nlogin:\r\n", seen: `"login:"`},
		"a target":                          {goal: multiUser, console: kernel + getty + word + "\r\n", reached: true, seen: word},
		"another target":                    {goal: multiUser, console: kernel + getty, seen: `"golden login:"`},
		"a panic":                           {goal: loginPrompt, console: kernel + panics, fails: "the kernel panicked: [    1.5] Kernel panic - not syncing: VFS: Unable to mount root fs on unknown-block(0,0)", seen: "Kernel panic"},
		"a BIOS without a boot loader":      {goal: loginPrompt, console: seabio + "No bootable device.\r\n", fails: "the firmware finds nothing that it can boot: No bootable device.", seen: "No bootable device."},
		"firmware without a boot loader":    {goal: multiUser, console: "BdsDxe: No bootable option or device was found.\r\n", fails: "No bootable option", seen: "BdsDxe"},
		"firmware that starts its shell":    {goal: loginPrompt, console: "\x1b[2J\x1b[01;01HUEFI Interactive Shell v2.2\r\nEDK II\r\n", fails: "nothing that it can boot: UEFI Interactive Shell v2.2", seen: "EDK II"},
		"a line that never ends":            {goal: multiUser, console: strings.Repeat("x", 3*longestLine) + word, reached: true, seen: word},
		"nothing":                           {goal: loginPrompt, console: "\x1b[2J\r\n \r\n", seen: "its console is empty"},
	} {
		t.Run(title, func(t *testing.T) {
			for _, size := range []int{len(test.console), 1, 7} {
				var out bytes.Buffer
				shown, got := newConsole(test.goal, &out)
				for rest := []byte(test.console); len(rest) > 0; rest = rest[min(size, len(rest)):] {
					require.Value(shown.Write(rest[:min(size, len(rest))]))(t)
				}
				if got.calls > 0 != (test.reached || test.fails != "") {
					t.Errorf("in pieces of %d bytes: ended: %d times", size, got.calls)
				}
				if (got.err == nil) != (test.fails == "") || got.err != nil && !strings.Contains(got.err.Error(), test.fails) {
					t.Errorf("in pieces of %d bytes: got error %v", size, got.err)
				}
				if len(shown.line) >= longestLine {
					t.Errorf("in pieces of %d bytes: keeps %d bytes", size, len(shown.line))
				}
				if out.String() != test.console || !strings.Contains(shown.Seen(), test.seen) {
					t.Errorf("in pieces of %d bytes: wrote %q, has seen %s", size, &out, shown.Seen())
				}
			}
		})
	}
}

func TestATerminalGetsNoControlSequencesOfAWatchedGuest(t *testing.T) {
	for _, size := range []int{1, 3, 4096} {
		var out bytes.Buffer
		shown, _ := newConsole(require.Value(GoalOf(Login))(t), &out)
		shown.Terminal = true
		for rest := []byte("GRUB\x1b[3;1HDebian\x1b(B\x1b[m\x07\r\n" + kernel); len(rest) > 0; rest = rest[min(size, len(rest)):] {
			require.Value(shown.Write(rest[:min(size, len(rest))]))(t)
		}
		want := "GRUB\nDebian\r\n[    0.000000] Linux version 6.12.57\r\n[  OK  ] Started systemd-logind.service - User Login Management.\r\n"
		if out.String() != want {
			t.Errorf("got %q, want %q", &out, want)
		}
	}
}

// broken is an output that nobody reads any more.
type broken struct{}

func (broken) Write([]byte) (int, error) { return 0, errors.New("broken pipe") }

func TestAnOutputThatCannotBeWrittenEndsTheGuest(t *testing.T) {
	shown, got := newConsole(require.Value(GoalOf(Login))(t), nil)
	shown.Out = broken{}
	if _, err := shown.Write([]byte("x")); err == nil || got.calls != 1 || !strings.Contains(got.err.Error(), "write the console: broken pipe") {
		t.Errorf("got error %v, ended %d times with %v", err, got.calls, got.err)
	}
}

func TestGoals(t *testing.T) {
	for until, want := range map[string]string{"login": "a login prompt", "multi-user.target": "multi-user.target", "my@1.target": "my@1.target"} {
		if goal, err := GoalOf(until); err != nil || goal.Name != want {
			t.Errorf("%s: got %v, error %v", until, goal, err)
		}
	}
	if goal, err := GoalOf(""); goal != nil || err != nil {
		t.Errorf("without a goal: got %v, error %v", goal, err)
	}
	for _, until := range []string{"prompt", "ssh.service", "a b.target", "a,b.target", ".target\n"} {
		if _, err := GoalOf(until); err == nil || !strings.Contains(err.Error(), "must be login, or a systemd target") {
			t.Errorf("%s: got error %v", until, err)
		}
	}
	one, other := require.Value(GoalOf("a.target"))(t), require.Value(GoalOf("a.target"))(t)
	if one.Credentials[0] == other.Credentials[0] {
		t.Error("two runs have the same word, which a guest could know")
	}
}
