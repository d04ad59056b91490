// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"io"
	"math"
	"path/filepath"
	"runtime/debug"
	"strings"
	"testing"

	"github.com/go-logr/logr"

	"goldsmith.dev/goldsmith/cmd/internal/buildversion"
)

func execute(t *testing.T, args ...string) (string, error) {
	t.Helper()
	out := &bytes.Buffer{}
	// newProcessLogger would replace the logger of the process, which other tests use.
	command := newCommand(func(out io.Writer, verbosity int) (logr.Logger, error) { return newLogger(out, verbosity), nil })
	command.SetOut(out)
	command.SetErr(out)
	command.SetArgs(args)
	err := command.ExecuteContext(t.Context())
	return out.String(), err
}

func TestVersionIsPrinted(t *testing.T) {
	if out, err := execute(t, "--version"); err != nil || out != "goldsmith-controller "+buildversion.Get(version)+"\n" {
		t.Errorf("printed %q: %v", out, err)
	}
}

func TestBadFlagsAreRefused(t *testing.T) {
	defer debug.SetMemoryLimit(debug.SetMemoryLimit(math.MaxInt64))
	missing := filepath.Join(t.TempDir(), "missing")
	for name, test := range map[string]struct {
		args []string
		want string
	}{
		"an argument":                      {[]string{"mock"}, "unknown command"},
		"certificates that nobody sees":    {[]string{"--certificates"}, "--certificates needs --certificate-directory"},
		"certificates for too short":       {[]string{"--certificate-validity=1m"}, "--certificate-validity must be at least 10m0s, not 1m0s"},
		"checks of archives nowhere":       {[]string{"--archive-namespace="}, `--archive-namespace "": must be the name of a namespace: `},
		"builders that are not there":      {[]string{"--builders-directory", missing}, "--builders-directory: open " + missing},
		"fewer builds than none":           {[]string{"--max-builds=-1"}, "--max-builds -1: must be 0 (no limit) or greater"},
		"builds that expire early":         {[]string{"--build-ttl=-1h"}, "--build-ttl -1h0m0s: must be 0 (no limit) or greater"},
		"builds that are kept for weeks":   {[]string{"--build-ttl=2w"}, `"--build-ttl" flag: must be a duration such as 90s, 30m, 2h or 7d`},
		"certificates for weeks":           {[]string{"--certificate-validity=2w"}, `"--certificate-validity" flag: must be a duration such as`},
		"a database without an address":    {[]string{"--records", "sqlite://relative.db"}, "--records: open the records: invalid: "},
		"a cluster that is not there":      {[]string{"--kubeconfig", missing}, "configure the connection to the cluster: stat " + missing},
		"a bucket of another cloud":        {[]string{"--kubeconfig", kubeconfig(t), "--log-archive=gs://bucket?x=y"}, "--log-archive: open the log archive gs://bucket: open bucket gs://bucket invalid query parameter"},
		"an address that is none":          {[]string{"--kubeconfig", kubeconfig(t), "--leader-elect=false", "--health-probe-bind-address=nowhere"}, "nowhere"},
		"a signer outside of a cluster":    {[]string{"sign", "--kubeconfig", kubeconfig(t)}, "--namespace is needed"},
		"an election outside of a cluster": {[]string{"--kubeconfig", kubeconfig(t)}, "--leader-elect-namespace is needed"},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := execute(t, test.args...); err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("the error is %v", err)
			}
		})
	}
	if debug.SetMemoryLimit(-1) == math.MaxInt64 {
		t.Error("the program does not limit its memory")
	}
}
