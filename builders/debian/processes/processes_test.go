// SPDX-License-Identifier: Apache-2.0

package processes

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"goldsmith.dev/goldsmith/e2e/require"
)

// TestMain makes the test binary the program that runs a script, and one that listens on the ports that it is given.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == "listen" {
		os.Exit(listen(os.Args[2:]))
	}
	if len(os.Args) > 1 && os.Args[1] == "run" {
		os.Exit(run(time.Second, os.Stdout, os.Stderr, os.Args[2:]))
	}
	os.Exit(m.Run())
}

func TestAScriptLeavesNoProcess(t *testing.T) {
	t.Parallel()
	for script, want := range map[string]struct {
		code   int
		output string
	}{
		"echo $PATH":          {0, "^" + searchPath + "\n$"},
		"sleep 0.1 & wait":    {0, "^$"},
		"kill -9 $$":          {137, "^$"},
		"sleep 1000 & exit 3": {3, `^the script has left process \d+ \(.*sleep 1000.*\), which is ended\n$`},
		// A daemon: in a session of its own, and its parent has ended. Another one hears of its end, and a third does not.
		"setsid sh -c 'sleep 1001 & exit' & wait": {0, `^the script has left process \d+ \(.*sleep 1001.*\), which is ended\n$`},
		`sh -c 'trap "echo saved; exit" TERM; echo begun >/dev/null; while :; do sleep 0.05; done' & sleep 0.3`: {0, `(?s)^the script has left process .*saved`},
		`sh -c 'trap "" TERM; while :; do sleep 0.05; done' & sleep 0.3; echo said`:                             {0, `(?s)^said\nthe script has left process \d+ \(sh -c trap`},
	} {
		command := exec.CommandContext(t.Context(), require.Value(os.Executable())(t), "run", "sh", "-c", script)
		output, _ := command.Output() // which ends when no process has the pipe
		if code := command.ProcessState.ExitCode(); code != want.code || !regexp.MustCompile(want.output).Match(output) {
			t.Errorf("%s: exit code %d, output %q, want %d, %s", script, code, output, want.code, want.output)
		}
	}
	for _, args := range [][]string{{"run"}, {"run", "/no/such/program"}} {
		if err := exec.CommandContext(t.Context(), require.Value(os.Executable())(t), args...).Run(); err == nil {
			t.Errorf("%q succeeds", args)
		}
	}
}

func listen(addresses []string) int {
	for _, address := range addresses {
		network, port, _ := strings.Cut(address, "/")
		listener, err := new(net.ListenConfig).Listen(context.Background(), network, port)
		if err != nil {
			fmt.Println(err)
			return 1
		}
		fmt.Println(network, listener.Addr().Network(), strings.HasSuffix(port, "/socket") || strings.HasSuffix(listener.Addr().String(), port))
	}
	return 0
}

// TestAScriptBindsToPrivilegedPorts is of a user without privileges, and of one with them, who gets another port as well.
func TestAScriptBindsToPrivilegedPorts(t *testing.T) {
	t.Parallel()
	program := require.Value(os.Executable())(t)
	inUse := require.Value(net.Listen("tcp4", "127.0.0.1:0"))(t)
	defer func() { _ = inUse.Close() }()
	high := inUse.Addr().String()
	low := "tcp4 tcp false\ntcp6 tcp false\n"
	if string(require.Value(os.ReadFile("/proc/sys/net/ipv4/ip_unprivileged_port_start"))(t)) == "0\n" {
		low = strings.ReplaceAll(low, "false", "true") // no port needs a privilege, as in some containers
	}
	for addresses, want := range map[string]string{
		"tcp4/127.0.0.1:82 tcp6/[::1]:483": low,
		"tcp4/127.0.0.1:0":                 "tcp4 tcp false\n",
		"unix/" + t.TempDir() + "/socket":  "unix unix true\n",
		"tcp4/" + high:                     "listen tcp4 " + high + ": bind: address already in use\n",
	} {
		command := exec.CommandContext(t.Context(), program, append([]string{"run", program, "listen"}, strings.Fields(addresses)...)...)
		if output, _ := command.CombinedOutput(); string(output) != want {
			t.Errorf("%s: output %q, want %q", addresses, output, want)
		}
	}
}

func TestTheScriptsOfPackagesLeaveNoProcess(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	start := func(environment ...string) *exec.Cmd {
		command := exec.CommandContext(t.Context(), "sleep", "1002")
		command.Env = environment
		require.NoError(t, command.Start())
		return command
	}
	left := start(envPackage+"=cron", envRoot+"="+root)
	others := []*exec.Cmd{start(envRoot + "=" + root), start(envPackage + "=cron"), start(envPackage+"=cron", envRoot+"="+root+"2")}
	ended := make(chan error, 1)
	go func() { ended <- left.Wait() }()
	var output bytes.Buffer
	EndOfPackages(func(name string) string { return map[string]string{envOriginalRoot: root}[name] }, &output)
	if err := <-ended; err == nil {
		t.Error("the process that was left ended by itself")
	}
	if !regexp.MustCompile(`^the script of a package has left process \d+ \(sleep 1002\), which is ended\n$`).Match(output.Bytes()) {
		t.Errorf("output %q", &output)
	}
	for _, other := range others {
		if err := syscall.Kill(other.Process.Pid, 0); err != nil {
			t.Errorf("a process with %q: %v", other.Env, err)
		}
		_ = other.Process.Kill()
		_ = other.Wait()
	}
}
