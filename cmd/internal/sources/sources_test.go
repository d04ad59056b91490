// SPDX-License-Identifier: Apache-2.0

package sources

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/spf13/pflag"

	"goldsmith.dev/goldsmith/e2e/require"
)

// key is the server's secret of the tests.
const key = "a secret of webhooks"

func keyFile(t *testing.T, content string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "secret")
	require.NoError(t, os.WriteFile(file, []byte(content), 0o600))
	return file
}

func parse(t *testing.T, args ...string) (Flags, error) {
	t.Helper()
	flags, set := &Flags{}, pflag.NewFlagSet("test", pflag.ContinueOnError)
	flags.AddTo(set)
	if err := set.Parse(args); err != nil {
		return *flags, err
	}
	return flags.Read()
}

func TestAWrongValueNamesItsFlag(t *testing.T) {
	webhooks := func(content string) []string {
		return []string{"--source-webhook-address=:8082", "--source-webhook-secret-file=" + keyFile(t, content)}
	}
	for name, test := range map[string]struct {
		args []string
		want string
	}{
		"checks all the time":            {[]string{"--source-interval=1s"}, "--source-interval 1s: must be at least 10s"},
		"checks in the past":             {[]string{"--source-interval=-1h"}, "--source-interval -1h0m0s: must be at least 10s"},
		"checks each week":               {[]string{"--source-interval=1w"}, `"--source-interval" flag: must be a duration`},
		"an address is no network":       {[]string{"--source-allowed-networks=127.0.0.1"}, `--source-allowed-networks "127.0.0.1": must be a network, such as 127.0.0.0/8`},
		"anybody is believed":            {[]string{"--source-webhook-address=:8082"}, "--source-webhook-address and --source-webhook-secret-file need each other"},
		"a secret for nobody":            {[]string{"--source-webhook-secret-file=x"}, "--source-webhook-address and --source-webhook-secret-file need each other"},
		"an address without a port":      {append(webhooks(key), "--source-webhook-address=localhost"), `--source-webhook-address "localhost": must be HOST:PORT`},
		"a port that there is not":       {append(webhooks(key), "--source-webhook-address=:80800"), `--source-webhook-address ":80800": must be HOST:PORT`},
		"a secret that is not there":     {append(webhooks(key), "--source-webhook-secret-file=/nowhere"), "--source-webhook-secret-file /nowhere: no such file or directory: correct the path"},
		"an empty secret":                {webhooks("\n"), "the secret has 0 bytes, and needs at least 16"},
		"a short secret":                 {webhooks("fifteen bytes..\n"), "the secret has 15 bytes, and needs at least 16"},
		"a secret that shells read else": {webhooks(key + "\r\n"), "byte 21 is not printable ASCII"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := parse(t, test.args...)
			if err == nil || !strings.Contains(err.Error(), test.want) || !strings.Contains(err.Error(), "--source-") {
				t.Errorf("the error is %v", err)
			}
		})
	}
}

func TestValuesAreRead(t *testing.T) {
	read := require.Value(parse(t))(t)
	if read.Interval != 5*time.Minute || read.Webhook != "" {
		t.Errorf("the defaults are %+v", read)
	}
	read = require.Value(parse(t, "--source-interval=10m", "--source-allowed-networks=127.0.0.9/8,fe80::/10", "--source-webhook-address=[::1]:8082",
		"--source-webhook-secret-file="+keyFile(t, key)))(t)
	if read.Interval != 10*time.Minute || read.Webhook != "[::1]:8082" {
		t.Errorf("the values are %+v", read)
	}
	if networks := require.Value(read.Allowed.Prefixes())(t); len(networks) != 2 || networks[0].String() != "127.0.0.0/8" {
		t.Errorf("the networks are %v", networks)
	}
}
