// SPDX-License-Identifier: Apache-2.0

package sandbox

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/builders/debian/tools"
	"goldsmith.dev/goldsmith/e2e/require"
	"goldsmith.dev/goldsmith/jobs/result"
)

func TestTheBuilderSeesTheToolsAndTheFilesOfItsContract(t *testing.T) {
	t.Parallel()
	environment := map[string]string{
		"GOLDSMITH_INPUT": "/pod/input", "GOLDSMITH_BASE": "/pod/base", "GOLDSMITH_SOURCE": "/pod/source", "GOLDSMITH_OUTPUT": "/pod/output", "GOLDSMITH_RESULT": "/pod/result",
		"GOLDSMITH_REPORT_URL": "https://server/report", "GOLDSMITH_REPORT_TOKEN": "/pod/report-token", "GOLDSMITH_REPORT_CA": "/pod/report-ca.crt",
		"TMPDIR": "/pod/tmp", "HTTPS_PROXY": "http://user:password@proxy", "SECRET": "hidden", "PATH": "/home/user/bin", "XDG_CACHE_HOME": "/cache",
	}
	arguments, variables := command("/tools", "/bin/goldsmith", func(name string) string { return environment[name] })
	want := strings.Fields(`
		--unshare-user --uid 65532 --gid 65532 --cap-drop ALL --unshare-pid --unshare-ipc --unshare-uts --unshare-cgroup-try
		--hostname debian-builder --die-with-parent --as-pid-1
		--ro-bind /tools / --dev /dev --proc /proc --remount-ro /proc
		--ro-bind-try /etc/resolv.conf /etc/resolv.conf --ro-bind-try /etc/hosts /etc/hosts
		--ro-bind /bin/goldsmith /debian-builder --tmpfs /goldsmith
		--ro-bind /pod/input /goldsmith/input --ro-bind /pod/base /goldsmith/base --ro-bind /pod/source /goldsmith/source
		--ro-bind /pod/report-token /goldsmith/report-token --ro-bind /pod/report-ca.crt /goldsmith/report-ca.crt
		--bind /pod/output /goldsmith/output --bind /pod/result /goldsmith/result --bind /pod/tmp /tmp
		--remount-ro /goldsmith --chdir /goldsmith/output /debian-builder`)
	if diff := cmp.Diff(want, arguments); diff != "" {
		t.Error(diff)
	}
	slices.Sort(variables)
	if diff := cmp.Diff([]string{
		"GOLDSMITH_BASE=/goldsmith/base", "GOLDSMITH_INPUT=/goldsmith/input", "GOLDSMITH_OUTPUT=/goldsmith/output",
		"GOLDSMITH_REPORT_CA=/goldsmith/report-ca.crt", "GOLDSMITH_REPORT_TOKEN=/goldsmith/report-token",
		"GOLDSMITH_REPORT_URL=https://server/report", "GOLDSMITH_RESULT=/goldsmith/result", "GOLDSMITH_SOURCE=/goldsmith/source", "HOME=/tmp",
		"HTTPS_PROXY=http://user:password@proxy", "PATH=/usr/sbin:/usr/bin:/sbin:/bin", "TMPDIR=/tmp",
	}, variables); diff != "" {
		t.Error(diff)
	}
}

func TestABuilderThatCannotStartTellsWhy(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	missing := tools.Missing(t.Context()).Error()
	for reference, want := range map[string]result.Failure{
		"debian:trixie": {Reason: "ToolsMissing", Class: v1alpha1.FailureConfig, Message: missing},
		"debian:sid": {Reason: "InvalidInput", Class: v1alpha1.FailureUser,
			Message: `base.reference: Invalid value: "debian:sid": builder debian: a base must be one of debian:trixie`},
	} {
		directory := t.TempDir()
		getenv := func(name string) string {
			return map[string]string{"GOLDSMITH_INPUT": directory + "/input", "GOLDSMITH_RESULT": directory + "/result"}[name]
		}
		require.NoError(t, os.WriteFile(directory+"/input", []byte(`{"version":1,"base":{"reference":"`+reference+`"}}`), 0o600))
		var out, complaints bytes.Buffer
		if code := Main(t.Context(), getenv, &out, &complaints, nil); code != exitFailed {
			t.Errorf("code %d", code)
		}
		written, err := os.ReadFile(directory + "/result")
		require.NoError(t, err)
		var said result.Result
		require.NoError(t, json.Unmarshal(written, &said))
		if diff := cmp.Diff(&want, said.Failure); diff != "" {
			t.Error(diff)
		}
		if want := "debian builder: " + want.Message + "\n"; complaints.String() != want {
			t.Errorf("the log is %s, want %s", &complaints, want)
		}
	}
	if code := Main(t.Context(), os.Getenv, io.Discard, io.Discard, []string{"--help"}); code != exitUsage {
		t.Errorf("with an argument: code %d", code)
	}
}

func TestAFailureHasItsClass(t *testing.T) {
	t.Parallel()
	for err, want := range map[error]string{
		missingError{errors.New("no bwrap")}:      "ToolsMissing Config",
		fmt.Errorf("make: %w", tools.ErrMirror):   "MirrorUnavailable Infrastructure",
		fmt.Errorf("make: %w", tools.ErrDiskFull): "DiskFull Config",
		errors.New("no such suite"):               "ToolsNotMade Config",
	} {
		if f := failureOf(err); fmt.Sprint(f.Reason, " ", f.Class) != want {
			t.Errorf("%v: %+v, want %s", err, f, want)
		}
	}
}
