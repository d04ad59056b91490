// SPDX-License-Identifier: Apache-2.0

package up

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"goldsmith.dev/goldsmith/e2e/require"
	"goldsmith.dev/goldsmith/jobs/publish/registrytest"
	"goldsmith.dev/goldsmith/jobs/render"
)

// The program of a check gets the flags of the server: the registry on a loopback address, which needs TLS because the Secret has an authority, is
// reached as far as the flags allow, and has no such artifact.
func TestACheckReachesSourcesAsTheServersFlagsAllow(t *testing.T) {
	plain := registrytest.New(t, registrytest.Options{})
	authority := registrytest.New(t, registrytest.Options{TLS: true}).CA()
	for name, test := range map[string]struct {
		networks, plainHTTP []string
		reason              string
	}{
		"both flags":                   {[]string{"10.0.0.0/8", "127.0.0.0/8"}, []string{"registry.lan", plain.Host()}, "SourceNotFound"},
		"no network":                   {nil, []string{plain.Host()}, "is loopback"},
		"no registry without TLS":      {[]string{"127.0.0.0/8"}, nil, "answers without TLS"},
		"a network that is no network": {[]string{"loopback"}, nil, ""},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			o := &Options{}
			o.Sources.Allowed, o.Registries.PlainHTTP = test.networks, test.plainHTTP
			variables := map[string]string{render.EnvInput: filepath.Join(dir, "input"), render.EnvResult: filepath.Join(dir, "result")}
			input := render.Input{Version: render.InputVersion, Source: &render.InputSource{OCI: true, URL: plain.Host() + "/team/web", Secret: "pull"}}
			require.NoError(t, os.WriteFile(variables[render.EnvInput], require.Value(json.Marshal(input))(t), 0o600))
			require.NoError(t, os.WriteFile(variables[render.EnvResult], nil, 0o600))
			secret := filepath.Join(dir, render.SourceSecret)
			require.NoError(t, os.MkdirAll(secret, 0o700))
			require.NoError(t, os.WriteFile(filepath.Join(secret, "ca.crt"), authority, 0o600))
			args := checkSourceArgs(o)
			if args[0] != render.CheckSourceCommand {
				t.Fatalf("the arguments are %q", args)
			}
			code := checkSource(args[1:], func(name string) string { return variables[name] }, dir)
			answer := string(require.Value(os.ReadFile(variables[render.EnvResult]))(t))
			if code != 1 || !strings.Contains(answer, test.reason) || (answer == "") != (test.reason == "") {
				t.Errorf("exit code %d, and the answer is %q", code, answer)
			}
		})
	}
}
