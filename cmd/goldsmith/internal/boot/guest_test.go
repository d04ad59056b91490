// SPDX-License-Identifier: Apache-2.0

package boot

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"k8s.io/client-go/rest"
	"k8s.io/utils/clock"

	"goldsmith.dev/goldsmith/apis/generated/clientset/versioned"
	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/builders/machine"
	"goldsmith.dev/goldsmith/cmd/goldsmith/internal/client"
	"goldsmith.dev/goldsmith/e2e/require"
)

// newGuest returns a guest whose QEMU is a script, and what the guest tells and shows.
func newGuest(t *testing.T, script, until string) (g *guest, stderr, out *bytes.Buffer) {
	t.Helper()
	t.Setenv("TMPDIR", t.TempDir())
	stderr, out = &bytes.Buffer{}, &bytes.Buffer{}
	return &guest{
		options: &options{accel: machine.TCG, timeout: patience, clock: clock.RealClock{}}, goal: require.Value(machine.GoalOf(until))(t), qemu: fakeQEMU(t, script),
		machine: machine.Machine{Format: v1alpha1.ArtifactFormatRaw, Memory: 1024, CPUs: 2}, in: strings.NewReader("typed\n"), out: out, stderr: stderr,
	}, stderr, out
}

func (g *guest) bootsEmptyDisk(ctx context.Context, t *testing.T) error {
	t.Helper()
	disk := require.Value(machine.PrivateFile(os.Getenv("TMPDIR")))(t)
	err := g.boot(ctx, disk, "linux/amd64/raw of build debian-7")
	require.NoError(t, disk.Close())
	if left := require.Value(os.ReadDir(os.Getenv("TMPDIR")))(t); len(left) > 0 {
		t.Errorf("left %v", left)
	}
	return err
}

func TestTheGuestEnds(t *testing.T) {
	const hangs = "; exec sleep 600"
	for title, test := range map[string]struct {
		script, until string
		timeout       time.Duration
		fails, tells  string
	}{
		"at its login prompt":          {script: `printf 'debian login: '` + hangs, until: machine.Login, tells: "✓ linux/amd64/raw of build debian-7 reached a login prompt after "},
		"in a panic":                   {script: `echo 'Kernel panic - not syncing: no init'` + hangs, until: machine.Login, fails: "boot linux/amd64/raw of build debian-7: the kernel panicked: Kernel panic - not syncing: no init"},
		"before it is there":           {script: `printf 'Booting\nreboot: Power down\n'`, until: machine.Login, fails: `the guest stopped or restarted before it reached a login prompt; the last line of its console is "reboot: Power down"`},
		"too late":                     {script: `exec sleep 600`, until: "multi-user.target", timeout: time.Millisecond, fails: "the guest did not reach multi-user.target within 1ms; its console is empty; a guest with systemd older than 256 does not tell of targets"},
		"because QEMU cannot start":    {script: `echo 'Could not set up host forwarding rule' >&2; exit 1`, until: machine.Login, fails: "QEMU failed: Could not set up host forwarding rule"},
		"because QEMU dies":            {script: `kill -SEGV $$`, fails: "QEMU failed: signal: segmentation fault"},
		"when its user ends it":        {script: `read line; [ "$line" = typed ]`, tells: "the console of the guest is here, and Ctrl-A X ends the guest"},
		"when its user cannot be read": {script: `read line; [ "$line" = other ]`, fails: "QEMU failed: exit status 1"},
	} {
		t.Run(title, func(t *testing.T) {
			g, stderr, _ := newGuest(t, test.script, test.until)
			if test.timeout > 0 {
				g.timeout = test.timeout
			}
			err := g.bootsEmptyDisk(t.Context(), t)
			if (err == nil) != (test.fails == "") || err != nil && !strings.Contains(err.Error(), test.fails) {
				t.Errorf("got error %v", err)
			}
			if !strings.Contains(stderr.String(), test.tells) {
				t.Errorf("stderr %q", stderr)
			}
		})
	}
}

// signalled is an output that gets a signal's cancellation with its first bytes.
type signalled struct{ stop func() }

func (s signalled) Write(data []byte) (int, error) {
	s.stop()
	return len(data), nil
}

func TestASignalEndsTheGuest(t *testing.T) {
	for _, until := range []string{"", machine.Login} {
		ctx, stop := context.WithCancel(t.Context())
		ended := filepath.Join(t.TempDir(), "ended")
		g, _, _ := newGuest(t, "trap 'echo SIGTERM >"+ended+"; exit 0' TERM; echo runs; while :; do sleep 1; done", until)
		g.out = signalled{stop}
		if err := g.bootsEmptyDisk(ctx, t); !errors.Is(err, context.Canceled) {
			t.Errorf("until %q: got error %v", until, err)
		}
		if got := string(require.Value(os.ReadFile(ended))(t)); got != "SIGTERM\n" {
			t.Errorf("until %q: QEMU got %q", until, got)
		}
		stop()
	}
}

func TestTheGuestGetsAPrivateCopyOfTheVariables(t *testing.T) {
	variables := filepath.Join(t.TempDir(), "VARS.fd")
	require.NoError(t, os.WriteFile(variables, []byte("variables"), 0o400))
	g, _, out := newGuest(t, "cat /dev/fd/4; echo changed >/dev/fd/4; echo ' login: '", "")
	g.machine.Firmware = &machine.Firmware{Variables: machine.Flash{Filename: variables, Format: "raw"}}
	require.NoError(t, g.bootsEmptyDisk(t.Context(), t))
	if kept := string(require.Value(os.ReadFile(variables))(t)); kept != "variables" || !strings.HasPrefix(out.String(), "variables") {
		t.Errorf("kept %q, and the guest read %q", kept, out)
	}
	g.machine.Firmware.Variables.Filename += ".missing"
	if err := g.bootsEmptyDisk(t.Context(), t); err == nil || !strings.Contains(err.Error(), "copy the variables of the firmware: open ") {
		t.Errorf("got error %v", err)
	}
}

func TestWithoutKVMTheUserIsToldOfEmulation(t *testing.T) {
	g, stderr, _ := newGuest(t, `case "$*" in *isa-debug-exit*) echo "no virtualization" >&2; exit 1 ;; *"-accel tcg,thread=single"*) echo "a login: " ;; esac`, machine.Login)
	g.accel = machine.Auto
	require.NoError(t, g.bootsEmptyDisk(t.Context(), t))
	if !strings.HasPrefix(stderr.String(), "• QEMU emulates the processor, which is slow: ") {
		t.Errorf("stderr %q", stderr)
	}
}

func TestEmulatedGuestsHaveOneProcessorAndWaitForTheirDevices(t *testing.T) {
	for accel, waits := range map[string]bool{machine.TCG: true, machine.KVM: false} {
		g, _, out := newGuest(t, `case "$*" in *"-smp 1 "*systemd.unit-dropin.dev-.device=*) echo waits ;; *"-smp 2 "*) ;; *) echo "wrong: $*" ;; esac`, "")
		g.accel, g.machine.CPUs = accel, 0
		require.NoError(t, g.bootsEmptyDisk(t.Context(), t))
		if got := out.String() == "waits\n"; got != waits {
			t.Errorf("%s: waits: %t", accel, got)
		}
	}
}

func TestRootLogsInWhereTheUserAsksForIt(t *testing.T) {
	for _, root := range []bool{true, false} {
		g, _, out := newGuest(t, `case "$*" in *:agetty.autologin=cm9vdA==*:login.noauth=eWVz*) echo root ;; esac`, "")
		g.root = root
		require.NoError(t, g.bootsEmptyDisk(t.Context(), t))
		if got := out.String() == "root\n"; got != root {
			t.Errorf("--root=%t: logs in: %t", root, got)
		}
	}
}

// serve serves a build with disks whose contents are given by their targets.
func serve(t *testing.T, disks map[string]string) *client.Connection {
	t.Helper()
	build := buildOf()
	build.SetGroupVersionKind(v1alpha1.Kind("ImageBuild"))
	build.Spec.Inputs.Builder.Name = "mock"
	mux := http.NewServeMux()
	for target, content := range disks {
		digest := fmt.Sprintf("sha256:%x", sha256.Sum256([]byte(content)))
		path := v1alpha1.ArtifactPath("team", "debian-7", digest)
		build.Status.Artifacts = append(build.Status.Artifacts, v1alpha1.Artifact{
			Target: target, Digest: digest, SizeBytes: int64(len(content)), Location: path, Verified: v1alpha1.ArtifactVerifiedContent,
		})
		mux.HandleFunc("GET "+path, func(writer http.ResponseWriter, request *http.Request) {
			http.ServeContent(writer, request, "", time.Time{}, strings.NewReader(content))
		})
	}
	mux.HandleFunc("GET /apis/images.goldsmith.dev/v1alpha1/namespaces/team/imagebuilds/debian-7", func(writer http.ResponseWriter, _ *http.Request) {
		writer.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(writer).Encode(build)
	})
	serving := httptest.NewServer(mux)
	t.Cleanup(serving.Close)
	config := &rest.Config{Host: serving.URL}
	return &client.Connection{Interface: versioned.NewForConfigOrDie(config), Namespace: "team", Config: config}
}

func TestTheDiskOfABuildBoots(t *testing.T) {
	const raw, qcow2 = "linux/amd64/raw", "linux/amd64/qcow2"
	connection := serve(t, map[string]string{raw: "the disk" + strings.Repeat("\x00", 502) + "\x55\xaa" + strings.Repeat("\x00", 128<<10), qcow2: "QFI\xfb\x00\x00\x00\x03\x00\x00\x00\x00\x00\x00\x00\x68" + strings.Repeat("\x00", 100)})
	g, stderr, out := newGuest(t, `case "$*" in *"format=raw,file=/dev/fd/3"*) head -c 8 /dev/fd/3; wc -c </dev/fd/3 ;; esac; echo changed >/dev/fd/3; printf 'login: '`, machine.Login)
	g.target = raw
	for range 2 { // the guest does not change the image
		out.Reset()
		require.NoError(t, g.run(t.Context(), connection, "debian-7"))
		if out.String() != "the disk131584\nlogin: " {
			t.Errorf("got %q", out)
		}
	}
	if want := "• booting linux/amd64/raw of build debian-7 until it reaches a login prompt, for at most 30s\n"; !strings.Contains(stderr.String(), want) {
		t.Errorf("stderr %q", stderr)
	}
	g.target = ""
	if err := g.run(t.Context(), connection, "debian-7"); err == nil || err.Error() != "boot linux/amd64/qcow2 of build debian-7: the disk is only the difference to a backing file: build an image of its own" {
		t.Errorf("got error %v", err)
	}
}

func TestTheArtifactOfAnotherBuilderDoesNotBoot(t *testing.T) {
	for target, what := range map[string]string{
		"linux/amd64/raw":   "is no disk that can boot: its bytes 510 and 511 are not those of a boot sector, 55 AA",
		"linux/amd64/qcow2": "is not in the format qcow2",
	} {
		g, _, out := newGuest(t, "echo runs", "")
		err := g.run(t.Context(), serve(t, map[string]string{target: `{"version":1}`}), "debian-7")
		if want := "boot " + target + " of build debian-7: the artifact " + what + "; its builder is mock: use a builder that makes disks, such as debian"; err == nil || err.Error() != want {
			t.Errorf("got error %v, want %s", err, want)
		}
		if out.Len() > 0 {
			t.Errorf("%s: QEMU %s", target, out)
		}
	}
}
