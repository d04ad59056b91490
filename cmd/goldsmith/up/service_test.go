// SPDX-License-Identifier: Apache-2.0

package up

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
	authorizationv1 "k8s.io/api/authorization/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"

	"goldsmith.dev/goldsmith/apis/generated/clientset/versioned"
	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/e2e/require"
)

// manager is a service manager that runs a program, whose standard error is the stream of the journal.
type manager struct {
	socket  *net.UnixConn
	command *exec.Cmd
	journal *os.File
}

func newManager(t *testing.T, arguments ...string) *manager {
	t.Helper()
	directory := require.Value(os.MkdirTemp("", "service-"))(t) //nolint:usetesting // a path of t.TempDir is too long for a socket
	t.Cleanup(func() { require.NoError(t, os.RemoveAll(directory)) })
	m := &manager{command: exec.Command(executable(t), arguments...)}
	address := &net.UnixAddr{Name: filepath.Join(directory, "notify"), Net: "unixgram"}
	m.socket = require.Value(net.ListenUnixgram("unixgram", address))(t)
	require.NoError(t, m.socket.SetReadDeadline(time.Now().Add(patience)))
	m.journal = require.Value(os.Create(filepath.Join(directory, "journal")))(t)
	var stream unix.Stat_t
	require.NoError(t, unix.Fstat(int(m.journal.Fd()), &stream))
	m.command.Stderr = m.journal
	m.command.Env = append(os.Environ(), "NOTIFY_SOCKET="+address.Name, fmt.Sprintf("JOURNAL_STREAM=%d:%d", stream.Dev, stream.Ino))
	t.Cleanup(func() {
		if m.command.ProcessState == nil && m.command.Process != nil {
			_ = m.command.Process.Kill() // usually the process has ended before
		}
		require.NoError(t, errors.Join(m.socket.Close(), m.journal.Close()))
	})
	return m
}

// await returns the first message that has a text.
func (m *manager) await(t *testing.T, text string) string {
	t.Helper()
	var seen []string
	buffer := make([]byte, 4096)
	for {
		n, err := m.socket.Read(buffer)
		if err != nil {
			_ = m.command.Process.Signal(syscall.SIGQUIT) // the journal then has its stacks
			ended := m.command.Wait()
			t.Fatalf("no %q: %v; got %q; it ended with %v; the journal: %s", text, err, seen, ended, m.logged(t))
		}
		if message := string(buffer[:n]); strings.Contains(message, text) {
			return message
		}
		seen = append(seen, string(buffer[:n]))
	}
}

func (m *manager) logged(t *testing.T) string {
	t.Helper()
	return string(require.Value(os.ReadFile(m.journal.Name()))(t))
}

func (m *manager) reload(t *testing.T) string {
	t.Helper()
	require.NoError(t, m.command.Process.Signal(syscall.SIGHUP))
	m.await(t, "RELOADING=1\nMONOTONIC_USEC=")
	return m.await(t, "READY=1")
}

// TestAServiceIsReloadedAndHasUsers runs the program as systemd does.
func TestAServiceIsReloadedAndHasUsers(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	top := t.TempDir()
	data, file, script := filepath.Join(top, "data"), filepath.Join(top, "server.yaml"), filepath.Join(top, "shell.sh")
	require.NoError(t, os.WriteFile(script, fmt.Appendf(nil, `#!/bin/sh
[ -z "$NOTIFY_SOCKET" ] || exit 3
printf '{"version":1,"outcome":"Succeeded","artifacts":[{"target":"linux/amd64/raw","location":"https://images.example/disk","digest":"sha256:%%064d","sizeBytes":1}]}' 0 >"$GOLDSMITH_RESULT"
`), 0o700))
	configure := func(more string) {
		t.Helper()
		content := fmt.Sprintf("data-dir: %s\nlisten: %s\n%s", data, "127.0.0.1:0", more)
		require.NoError(t, os.WriteFile(file, []byte(content), 0o600))
	}
	program := executable(t)
	run := func(arguments ...string) string {
		t.Helper()
		out, err := exec.CommandContext(ctx, program, arguments...).CombinedOutput()
		if err != nil {
			return fmt.Sprintf("%v: %s", err, out)
		}
		return string(out)
	}
	expect := func(got, want string) {
		t.Helper()
		if !regexp.MustCompile(want).MatchString(got) {
			t.Errorf("got %q, want %q", got, want)
		}
	}
	expect(run("user", "add", "ann", "--group", "view", "--data-dir", data), "no server has used the data directory")
	configure("workres: 2\n")
	mistaken := newManager(t, "up", "--config", file)
	require.NoError(t, mistaken.command.Start())
	expect(mistaken.await(t, "STATUS="), "^STATUS=failed: "+file+":3: unknown key workres: did you mean workers\\?$")
	if err := mistaken.command.Wait(); err == nil {
		t.Error("a server starts with a mistake in its settings")
	}
	configure("workers: 2\n")
	service := newManager(t, "up", "--config", file)
	require.NoError(t, service.command.Start())
	expect(service.await(t, "READY=1"), `^READY=1\nSTATUS=ready at https://127\.0\.0\.1:\d+$`)

	// A user is known at once, can do what the group allows, and nothing once removed.
	connect := func(path string) (*kubernetes.Clientset, *versioned.Clientset) {
		t.Helper()
		config := require.Value(clientcmd.BuildConfigFromFlags("", path))(t)
		return kubernetes.NewForConfigOrDie(config), versioned.NewForConfigOrDie(config)
	}
	expect(run("user", "add", "ann", "--data-dir", data), "set at least one group: view, edit, admin, system:masters")
	expect(run("user", "add", "ann", "--group", "viewer", "--data-dir", data), `unknown group "viewer": known are view, edit, admin, system:masters`)
	expect(run("user", "add", "ann", "--group", "view", "--data-dir", data), "^user ann added to view\nkubeconfig: "+data+"/kubeconfigs/ann\n$")
	expect(run("user", "add", "Ann", "--group", "view", "--data-dir", data), "user ann exists")
	expect(run("user", "list", "--data-dir", data), `^NAME +GROUPS +CREATED\nann +view +20\S+Z\n$`)
	kube, images := connect(filepath.Join(data, "kubeconfigs", "ann"))
	_ = require.Value(images.ImagesV1alpha1().Images("default").List(ctx, metav1.ListOptions{}))(t)
	_, err := kube.CoreV1().Secrets("default").List(ctx, metav1.ListOptions{})
	if err == nil || err.Error() != `secrets is forbidden: User "ann" cannot list resource "secrets" in API group "" in the namespace "default"` {
		t.Errorf("a user who may view lists Secrets: %v", err)
	}
	review := &authorizationv1.SelfSubjectRulesReview{Spec: authorizationv1.SelfSubjectRulesReviewSpec{Namespace: "default"}}
	rules := require.Value(kube.AuthorizationV1().SelfSubjectRulesReviews().Create(ctx, review, metav1.CreateOptions{}))(t).Status
	if text := rules.String(); rules.Incomplete || rules.EvaluationError != "" || !strings.Contains(text, "imageplans") || strings.Contains(text, "secrets") || len(rules.NonResourceRules) == 0 {
		t.Errorf("a user who may view has the rules %s", text)
	}
	watch := require.Value(kube.CoreV1().ConfigMaps("default").Watch(ctx, metav1.ListOptions{}))(t)
	expect(run("user", "remove", "ann", "--data-dir", data), "^user ann removed\n$")
	if _, err := kube.CoreV1().ConfigMaps("default").List(ctx, metav1.ListOptions{}); !apierrors.IsUnauthorized(err) {
		t.Errorf("a removed user lists: %v", err)
	}
	for range watch.ResultChan() {
		t.Error("a watch without objects has an event")
	}
	if ctx.Err() != nil {
		t.Error("the watch of a removed user goes on")
	}

	// A reload applies builders and users, names what needs a restart, and applies nothing if there is a mistake.
	configure("workers: 3\nuser: [bob]\nbuilder: shell=" + script + "\n")
	expect(run("up", "--config", file, "--check"), "^"+file+" and the files that it names are correct\n$")
	expect(service.reload(t), "STATUS=ready at ")
	kube, images = connect(filepath.Join(data, "kubeconfigs", "bob"))
	built := finish(ctx, t, images, "shell", nil)
	if built.Status.Phase != v1alpha1.BuildSucceeded {
		t.Errorf("the build is %s: %+v", built.Status.Phase, built.Status.Failure)
	}
	_ = require.Value(kube.CoreV1().Namespaces().Create(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "team"}}, metav1.CreateOptions{}))(t)
	configure("user: [eve]\nworkres: 3\n")
	want := regexp.QuoteMeta(file) + ":4: unknown key workres: did you mean workers\\?"
	expect(run("up", "--config", file, "--check"), "^exit status 1: .*"+want)
	expect(service.reload(t), "STATUS=reload failed: "+want+": everything stays as it was")
	configure("user: [eve]\nbuilder: shell=" + script + "-gone\n")
	expect(service.reload(t), `STATUS=reload failed: `+regexp.QuoteMeta(file)+`:4: --builder "shell=.*-gone": .*-gone: no such file or directory: correct the path`)
	expect(run("user", "add", "bob", "--group", "view", "--data-dir", data), "user bob has a token of `goldsmith up --user bob`")
	foreign := filepath.Join(data, "kubeconfigs", "carl")
	require.NoError(t, os.WriteFile(foreign, []byte("foreign"), 0o600))
	configure("user: [bob, carl]\nbuilder: shell=" + script + "\n")
	expect(service.reload(t), `STATUS=reload failed: .*carl.*: everything stays as it was`)
	require.NoError(t, os.Remove(foreign))
	expect(run("user", "add", "carl", "--group", "view", "--data-dir", data), "^user carl added to view\n")
	configure("user: [bob]\nbuilder: shell=" + script + "\n")
	// The defaults of a reload are in the directory that the server uses.
	other := filepath.Join(top, "other")
	require.NoError(t, errors.Join(os.Mkdir(other, 0o700), os.WriteFile(filepath.Join(other, "builders.yaml"), []byte("mistake"), 0o600)))
	content := fmt.Sprintf("data-dir: %s\nlisten: 127.0.0.1:0\nuser: [bob]\nbuilder: shell=%s\n", other, script)
	require.NoError(t, os.WriteFile(file, []byte(content), 0o600))
	expect(service.reload(t), "STATUS=ready at ")
	flags := filepath.Join(data, "server", "configuration-flags")
	require.NoError(t, errors.Join(os.Remove(flags), os.MkdirAll(filepath.Join(flags, "full"), 0o700)))
	expect(service.reload(t), `STATUS=reloaded, but not completely: keep the server's configuration-flags: `)
	_ = require.Value(images.ImagesV1alpha1().Builders().Get(ctx, "shell", metav1.GetOptions{}))(t) // bob and the builder stay

	require.NoError(t, service.command.Process.Signal(syscall.SIGTERM))
	expect(service.await(t, "STOPPING=1"), "^STOPPING=1\nSTATUS=stopping: no build is running.$")
	if err := service.command.Wait(); err != nil {
		t.Errorf("it stopped with %v", err)
	}
	journal := service.logged(t)
	for _, line := range []string{
		"reload: workers changed: restart to apply\n", "reload: data-dir changed: restart to apply\n", "builders: registered shell\n", "<3>reload failed: " + file + ":4: unknown key workres", "stopping: no build is running.\n",
		"users: registered ann\n", "users: removed ann\n", "users: registered bob\n",
		`"a build finished"`, // whatever nobody watches
	} {
		if !strings.Contains(journal, line) {
			t.Errorf("the journal has no line %q: %s", line, journal)
		}
	}
	if time := regexp.MustCompile(`\d\d:\d\d:\d\d\.\d`).FindString(journal); time != "" {
		t.Errorf("the journal has the time %s: %s", time, journal)
	}
	if _, err := os.Stat(filepath.Join(data, "up.log")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("there is a second log: %v", err)
	}
	failing := newManager(t, "up", "--data-dir", data, "--listen", "127.0.0.300")
	if err := failing.command.Run(); err == nil {
		t.Error("it ran at an invalid address")
	}
	expect(failing.await(t, "STATUS=failed"), `STATUS=failed: --listen "127\.0\.0\.300": must be an IP address`)
	expect(failing.logged(t), `^<3>Error: --listen`)
}

// TestAServerEndsWithItsTerminal is not parallel: servers of other tests, which are in this process, kill its children in other sessions when they stop.
func TestAServerEndsWithItsTerminal(t *testing.T) { //nolint:paralleltest // see above
	terminal := require.Value(os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0))(t)
	require.NoError(t, unix.IoctlSetPointerInt(int(terminal.Fd()), unix.TIOCSPTLCK, 0))
	number := require.Value(unix.IoctlGetInt(int(terminal.Fd()), unix.TIOCGPTN))(t)
	inside := require.Value(os.OpenFile(fmt.Sprintf("/dev/pts/%d", number), os.O_RDWR|unix.O_NOCTTY, 0))(t)
	hangups := make(chan os.Signal, 1)
	signal.Notify(hangups, syscall.SIGHUP) // the server would inherit that the tests ignore it, as below nohup
	defer signal.Stop(hangups)
	service := newManager(t, "up", "--memory", "--data-dir", t.TempDir())
	service.command.Stdin = inside
	service.command.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	require.NoError(t, service.command.Start())
	service.await(t, "READY=1")
	service.reload(t) // a hangup alone does not end it
	require.NoError(t, errors.Join(inside.Close(), terminal.Close()))
	service.await(t, "STOPPING=1")
	if err := service.command.Wait(); err != nil {
		t.Errorf("it stopped with %v", err)
	}
}
