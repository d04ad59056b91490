// SPDX-License-Identifier: Apache-2.0

//go:build linux

package tester

import (
	"bufio"
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"goldsmith.dev/goldsmith/builders/machine"
	"goldsmith.dev/goldsmith/e2e/require"
)

// The variables of the program in place of QEMU: what its guest does, and the directory with the files of the guest.
const (
	envScenario = "GOLDSMITH_TESTER_SCENARIO"
	envGuest    = "GOLDSMITH_TESTER_GUEST"
)

func TestMain(m *testing.M) {
	if scenario := os.Getenv(envScenario); scenario != "" && len(os.Args) > 1 && os.Args[1] == "-nodefaults" {
		if err := runGuest(scenario, strings.Join(os.Args, "\n")); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// machineWith makes this test the machine whose QEMU runs a scenario. It returns the directory for private files.
func machineWith(t *testing.T, scenario string) (temporary string) {
	t.Helper()
	programs := t.TempDir()
	require.NoError(t, os.Symlink(require.Value(os.Executable())(t), filepath.Join(programs, machine.Program)))
	require.NoError(t, os.WriteFile(filepath.Join(programs, "goss"), []byte(gossProgram), 0o700))
	t.Setenv("PATH", programs+":"+os.Getenv("PATH"))
	t.Setenv(envScenario, scenario)
	t.Setenv(envGuest, t.TempDir())
	return t.TempDir()
}

// gossProgram is in place of goss.
const gossProgram = `#!/bin/sh
[ "$1 $3 $4 $5" = "--gossfile validate --format json" ] && grep -q nginx "$2" || { echo "wrong: $*" >&2; exit 1; }
echo '{"results": [
{"resource-type": "Service", "resource-id": "nginx", "property": "running", "successful": true},
{"resource-type": "File", "resource-id": "/etc/motd", "property": "contents", "successful": false, "summary-line-compact": "File: /etc/motd: contents: Expected a to have b"}]}'
exit 1
`

// credentialOf returns a credential of the guest.
func credentialOf(arguments, name string) string {
	_, rest, _ := strings.Cut(arguments, "io.systemd.credential.binary:"+name+"=")
	encoded, _, _ := strings.Cut(rest, "\n")
	text, _ := base64.StdEncoding.DecodeString(encoded) // "" without the credential
	return string(text)
}

// runGuest is QEMU.
func runGuest(scenario, arguments string) error {
	word := credentialOf(arguments, "goldsmith-tests.word")
	channel := os.NewFile(6, "channel")
	say := func(text string) { _, _ = fmt.Fprintf(channel, "\n%s %s\n", word, text) }
	hang := func() { <-terminated() }
	if strings.Contains(arguments, "isa-debug-exit") {
		return errors.New("no guest runs with KVM here")
	}
	attempts, _ := filepath.Glob(os.Getenv(envGuest) + "/boot*")
	if err := os.WriteFile(fmt.Sprintf("%s/boot%d", os.Getenv(envGuest), len(attempts)+1), nil, 0o600); err != nil {
		return err
	}
	switch scenario {
	case "scripts":
		return runScripts(arguments, channel)
	case "halts":
		fmt.Print("Welcome to Debian\r\nreboot: Power down\r\n")
	case "no disk":
		fmt.Print("SeaBIOS\r\nNo bootable device.\r\n")
		hang()
	case "panics early":
		fmt.Print("Welcome to GRUB!\r\n[    0.1] Kernel panic - not syncing: Fatal exception\r\n")
		hang()
	case "has no root":
		fmt.Print("[    0.1] Kernel panic - not syncing: VFS: Unable to mount root fs on unknown-block(0,0)\r\n")
		hang()
	case "starves":
		fmt.Print("Booting from Hard Disk...\r\n")
		hang()
	case "crawls":
		beats := time.NewTicker(50 * time.Millisecond)
		defer beats.Stop()
		for terminated := terminated(); ; {
			select {
			case <-terminated:
				return nil
			case <-beats.C:
				fmt.Print("[    0.1] a kernel starts\r\n")
			}
		}
	case "waits":
		say("alive")
		say("waiting " + base64.StdEncoding.EncodeToString([]byte("7 web-wait.service start running\n9 goldsmith-tests.service start waiting\n")))
		hang()
	case "QEMU fails":
		return fmt.Errorf("cannot set up guest memory")
	case "KVM fails", "KVM vanishes":
		if strings.Contains(arguments, "-accel\nkvm") {
			fmt.Fprintln(os.Stderr, "error: kvm run failed Bad address")
			hang()
			return nil // it was told to end
		}
		say("up")
		say("begin 0 1")
		say("end 0 1 0 ")
		hang()
	case "forges":
		_, _ = fmt.Fprint(channel, "up\nWORD up\n0 1 0 \njunk without a line end")
		say("alive")
		say("up")
		_, _ = fmt.Fprint(channel, strings.Repeat("x", 3*maxMessage), "\nbegin 0 1")
		say("begin 0 1")
		say("end 0 1 0 ")
		hang()
	case "forges with the word, twice":
		say("up")
		say("begin 0 1")
		say("begin 0 1")
		hang()
	case "forges with the word, endlessly":
		say("up " + strings.Repeat("x", 2*maxMessage))
		hang()
	case "forges with the word, in its own way":
		say("passed")
		hang()
	case "floods":
		line := strings.Repeat("flood \x1b[1m\x07\xff", 40) + "\n"
		for range 16 << 20 / len(line) {
			fmt.Print(line)
		}
		say("up")
		say("begin 0 1")
		say("end 0 1 0 ")
		hang()
	case "is flaky":
		say("up")
		say("begin 0 1")
		if len(attempts) == 0 {
			say("end 0 1 0 " + base64.StdEncoding.EncodeToString([]byte("web.service exit-code\n the journal\n")))
		}
		say("end 0 1 0 ")
		hang()
	case "hangs in the first test": // the second boot has only the second test
		say("up")
		say("begin 0 1")
		if len(attempts) > 0 {
			say("end 0 1 0 ")
			say("begin 0 2")
			say("end 0 2 0 ")
		}
		hang()
	case "stops in the first test":
		say("up")
		say("begin 0 1")
		if len(attempts) > 0 {
			say("end 0 1 0 ")
			say("begin 0 2")
			say("end 0 2 0 ")
			hang()
		}
	case "stops while a port is checked":
		forward := forwards.FindStringSubmatch(arguments)
		if _, err := net.Listen("tcp", "127.0.0.1:"+forward[1]); err != nil {
			return err
		}
		say("up")
		say("begin 0 1")
		say("end 0 1 0 ")
		_, _ = os.NewFile(7, "monitor").Read(make([]byte, 1)) // it is asked, and does not answer
	case "asks for a login":
		fmt.Print("debian login: ")
		hang()
	}
	return nil
}

// forwards matches the ports of 127.0.0.1, and the ports of the guest that they lead to.
var forwards = regexp.MustCompile(`hostfwd=tcp:127\.0\.0\.1:(\d+)-:(\d+)`)

// runScripts runs the programs of the guest as systemd would, with a directory in place of /dev and /sys.
func runScripts(arguments string, channel io.Writer) error {
	root := os.Getenv(envGuest)
	for path, text := range map[string]string{
		"sys/class/virtio-ports/vport1p1/name": machine.ChannelName, "sys/block/vda/serial": "", "sys/block/vdb/serial": machine.DataSerial,
		"run/goldsmith-tests/unused": "", "run/goldsmith-tests-alive/unused": "", "dev/unused": "",
		"credentials/goldsmith-tests.word": credentialOf(arguments, "goldsmith-tests.word"),
		"bin/systemctl":                    systemctlProgram, "bin/journalctl": "#!/bin/sh\necho 'the configuration is wrong'\n", "bin/mount": "#!/bin/sh\n",
	} {
		path = filepath.Join(root, path)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			return err
		}
		if err := os.WriteFile(path, []byte(text), 0o700); err != nil {
			return err
		}
	}
	port := filepath.Join(root, "dev/vport1p1")
	if err := unix.Mkfifo(port, 0o600); err != nil {
		return err
	}
	opened, err := os.OpenFile(port, os.O_RDWR, 0) // never at its end
	if err != nil {
		return err
	}
	go func() { _, _ = io.Copy(channel, opened) }()
	disk, err := os.ReadFile("/dev/fd/5") // from its beginning
	if err != nil {
		return err
	}
	inside := func(text string) []byte {
		return []byte(strings.NewReplacer("/sys/", root+"/sys/", "/dev/null", "/dev/null", "/dev/", root+"/dev/").Replace(text))
	}
	if err := os.WriteFile(filepath.Join(root, "dev/vdb"), disk, 0o600); err != nil {
		return err
	}
	go runMonitor(arguments)
	for _, forward := range forwards.FindAllStringSubmatch(arguments, -1) {
		listener, err := net.Listen("tcp", "127.0.0.1:"+forward[1])
		if err != nil {
			return err
		}
		go serve(listener, forward[2])
	}
	start := filepath.Join(root, "credentials/goldsmith-tests.start")
	if err := os.WriteFile(start, inside(credentialOf(arguments, "goldsmith-tests.start")), 0o600); err != nil {
		return err
	}
	var programs []int
	for _, mode := range []string{"alive", "run"} {
		directory := map[string]string{"alive": "goldsmith-tests-alive", "run": "goldsmith-tests"}[mode]
		program := exec.Command("/bin/sh", start, mode)
		program.Env = []string{
			"PATH=" + filepath.Join(root, "bin") + ":/usr/bin:/bin", "HOME=/root", "CREDENTIALS_DIRECTORY=" + filepath.Dir(start),
			"RUNTIME_DIRECTORY=" + filepath.Join(root, "run", directory),
		}
		program.Stdout, program.Stderr = os.Stdout, os.Stdout
		program.SysProcAttr = &unix.SysProcAttr{Setpgid: true}
		if err := program.Start(); err != nil {
			return err
		}
		programs = append(programs, program.Process.Pid)
	}
	<-terminated()
	for _, program := range programs {
		_ = unix.Kill(-program, unix.SIGKILL) // it may have ended
	}
	return nil
}

// terminated returns a channel that gets SIGTERM.
func terminated() chan os.Signal {
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, unix.SIGTERM)
	return signals
}

// systemctlProgram is in place of systemctl.
const systemctlProgram = `#!/bin/sh
case "$*" in
"is-active -- nginx.service") echo active ;;
"is-active -- web.service") echo failed; exit 3 ;;
"is-active -- nope.service") echo inactive; exit 3 ;;
"show"*"web.service") [ "$2" = --property ] && [ "$4" = --value ] && { echo exit-code; exit; }; printf 'LoadState=loaded\nActiveState=failed\nResult=exit-code\nExecMainStatus=7\n' ;;
"show"*"nope.service") printf 'LoadState=not-found\nActiveState=inactive\n' ;;
"show"*) echo exit-code ;;
"list-units --state=failed"*) echo "web.service loaded failed failed A web server"; echo "known.service loaded failed failed Known" ;;
esac
`

// runMonitor is the monitor of QEMU. The guest accepts connections to all ports except for 90, whose packets a firewall drops.
func runMonitor(arguments string) {
	socket := os.NewFile(7, "monitor")
	_, _ = fmt.Fprintln(socket, `{"QMP": {}}`)
	var connections strings.Builder
	for _, forward := range forwards.FindAllStringSubmatch(arguments, -1) {
		state := "ESTABLISHED"
		if forward[2] == "90" {
			state = "SYN_SENT"
		}
		fmt.Fprintf(&connections, `  TCP[%s]  9  127.0.0.1 %s  10.0.2.15 %s  0  0\r\n`, state, forward[1], forward[2])
	}
	for commands := bufio.NewScanner(socket); commands.Scan(); {
		answer := "{}"
		if strings.Contains(commands.Text(), "info usernet") {
			answer = `"` + connections.String() + `"`
		}
		_, _ = fmt.Fprintf(socket, `{"event": "RESUME"}`+"\n"+`{"return": %s}`+"\n", answer)
	}
}

// serve is a port of the guest: 80 has a page, 22 a greeting, and 90 no answer. QEMU closes connections to other ports, because the guest
// refuses them.
func serve(listener net.Listener, port string) {
	for {
		connection, err := listener.Accept()
		if err != nil {
			return
		}
		go func() {
			switch port {
			case "22":
				_, _ = connection.Write([]byte("SSH-2.0\r\n"))
			case "80":
				_, _ = connection.Read(make([]byte, 4096))
				_, _ = connection.Write([]byte("HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\ngolden"))
			case "90":
				_, _ = connection.Read(make([]byte, 1))
			}
			_ = connection.Close()
		}()
	}
}

// writeDisk writes what passes for a disk that boots.
func writeDisk(t *testing.T) (path string) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "disk.raw")
	require.NoError(t, os.WriteFile(path, append(bytes.Repeat([]byte{0}, 510), 0x55, 0xaa), 0o400))
	return path
}
