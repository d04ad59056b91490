// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"math"
	"net/http"
	"os"
	"path/filepath"
	"runtime/debug"
	"strings"
	"testing"

	"github.com/go-logr/logr"

	"goldsmith.dev/goldsmith/cmd/internal/buildversion"
	"goldsmith.dev/goldsmith/e2e/require"
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

// A replica without the Lease receives webhooks, too.
func TestEveryReplicaReceivesWebhooks(t *testing.T) {
	defer debug.SetMemoryLimit(debug.SetMemoryLimit(math.MaxInt64))
	secret := filepath.Join(t.TempDir(), "secret")
	require.NoError(t, os.WriteFile(secret, []byte("a secret of webhooks"), 0o600))
	ctx, stop := context.WithTimeout(t.Context(), patience)
	defer stop()
	log, logged := io.Pipe()
	command := newCommand(func(io.Writer, int) (logr.Logger, error) { return newLogger(logged, 0), nil })
	command.SetArgs([]string{
		"--kubeconfig", kubeconfig(t), "--leader-elect-namespace=none", "--publisher-image=publisher:1", "--metrics-bind-address=0",
		"--health-probe-bind-address=0", "--source-webhook-address=127.0.0.1:0", "--source-webhook-secret-file", secret,
	})
	ended := make(chan error, 1)
	go func() { ended <- errors.Join(command.ExecuteContext(ctx), logged.Close()) }()
	lines, address := bufio.NewScanner(log), ""
	for address == "" && lines.Scan() {
		if _, found, ok := strings.Cut(lines.Text(), `"receiving webhooks" address="`); ok {
			address = strings.Trim(found, `"`)
		}
	}
	go io.Copy(io.Discard, log) //nolint:errcheck // so that the process can log more
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+address+"/hooks/source/team/web", http.NoBody)
	require.NoError(t, err)
	answer, err := http.DefaultClient.Do(request)
	require.NoError(t, err)
	require.NoError(t, answer.Body.Close())
	if answer.StatusCode != http.StatusUnauthorized {
		t.Errorf("an unsigned webhook is answered with %s", answer.Status)
	}
	stop()
	require.NoError(t, <-ended)
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
		"webhooks of anybody":              {[]string{"--kubeconfig", kubeconfig(t), "--leader-elect=false", "--source-webhook-address=:0"}, "--source-webhook-address and --source-webhook-secret-file need each other"},
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
