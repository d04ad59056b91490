// SPDX-License-Identifier: Apache-2.0

package tools

import (
	"errors"
	"io/fs"
	"os"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"goldsmith.dev/goldsmith/e2e/require"
)

func TestWhatIsMissingIsNamedWithItsRemedy(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		architecture string
		missing      string // programs and files
		settings     map[string]string
		refusal      error
		want         string
	}{
		"nothing":          {want: "<nil>"},
		"one program":      {missing: "bwrap", want: "missing on this machine: bubblewrap: apt-get install bubblewrap"},
		"all":              {missing: "mmdebstrap bwrap " + Keyring, want: "missing on this machine: mmdebstrap bubblewrap debian-archive-keyring: apt-get install mmdebstrap bubblewrap debian-archive-keyring"},
		"the architecture": {architecture: "linux/arm64", want: "the builder runs on linux/amd64, and this is linux/arm64"},
		"AppArmor": {
			refusal: errors.New("bwrap: setting up uid map: Permission denied"), settings: map[string]string{"/proc/sys/kernel/apparmor_restrict_unprivileged_userns": "1\n"},
			want: "bwrap cannot create a user namespace (bwrap: setting up uid map: Permission denied): permit them to /usr/bin/bwrap with an AppArmor profile, or to all programs with sysctl kernel.apparmor_restrict_unprivileged_userns=0",
		},
		"a setting of Debian": {
			refusal: errors.New("no"), settings: map[string]string{"/proc/sys/kernel/unprivileged_userns_clone": "0\n"},
			want: "bwrap cannot create a user namespace (no): permit them with sysctl kernel.unprivileged_userns_clone=1",
		},
		"the limit": {
			refusal: errors.New("no"), settings: map[string]string{"/proc/sys/user/max_user_namespaces": "0\n", "/proc/sys/kernel/unprivileged_userns_clone": "1\n"},
			want: "bwrap cannot create a user namespace (no): permit them with sysctl user.max_user_namespaces=15000",
		},
		"a container": {refusal: errors.New("no"), want: "bwrap cannot create a user namespace (no): permit them on this machine; in a container, run goldsmith on its host"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			lacks := strings.Fields(test.missing)
			find := func(name string) error {
				if slices.Contains(lacks, name) {
					return fs.ErrNotExist
				}
				return nil
			}
			m := machine{
				architecture: "linux/amd64",
				lookPath:     func(name string) (string, error) { return name, find(name) },
				stat:         func(name string) (os.FileInfo, error) { return nil, find(name) },
				readFile: func(name string) ([]byte, error) {
					if value, ok := test.settings[name]; ok {
						return []byte(value), nil
					}
					return nil, fs.ErrNotExist
				},
				run: func(string, ...string) error { return test.refusal },
			}
			if test.architecture != "" {
				m.architecture = test.architecture
			}
			got := "<nil>"
			if err := m.missing(); err != nil {
				got = err.Error()
			}
			if got != test.want {
				t.Errorf("got %s\nwant %s", got, test.want)
			}
		})
	}
}

// TestTheTrialLeavesNoProcess is not parallel, because it looks for children of this process. Without bubblewrap there is no trial.
func TestTheTrialLeavesNoProcess(t *testing.T) {
	inherit := func(yes uintptr) {
		require.NoError(t, unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, yes, 0, 0, 0)) // as goldsmith up
	}
	inherit(1)
	defer inherit(0)
	t.Log(Missing(t.Context()))
	if err := unix.Waitid(unix.P_ALL, 0, nil, unix.WEXITED|unix.WNOHANG|unix.WNOWAIT, nil); !errors.Is(err, unix.ECHILD) {
		t.Errorf("a child is left: waitid: %v", err)
	}
}
