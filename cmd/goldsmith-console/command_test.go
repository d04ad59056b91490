// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"io"
	"maps"
	"math"
	"os"
	"path/filepath"
	"runtime/debug"
	"strings"
	"testing"

	"github.com/go-logr/logr"
	certutil "k8s.io/client-go/util/cert"

	"goldsmith.dev/goldsmith/cmd/internal/buildversion"
	"goldsmith.dev/goldsmith/cmd/internal/processlog"
	"goldsmith.dev/goldsmith/e2e/require"
)

func execute(t *testing.T, args ...string) (string, error) {
	t.Helper()
	out := &bytes.Buffer{}
	// newProcessLogger would replace the logger of the process, which other tests use.
	command := newCommand(func(out io.Writer, verbosity int) (logr.Logger, error) { return processlog.New(out, verbosity), nil })
	command.SetOut(out)
	command.SetErr(out)
	command.SetArgs(args)
	err := command.ExecuteContext(t.Context())
	return out.String(), err
}

// folder has the files of a console.
type folder string

// newFolder returns a folder with a certificate for a host, and a text.
func newFolder(t *testing.T, host string) folder {
	t.Helper()
	f := folder(t.TempDir())
	f.certify(t, host)
	f.write(t, "text", "text\n")
	return f
}

func (f folder) path(name string) string { return filepath.Join(string(f), name) }

func (f folder) write(t *testing.T, name, content string) {
	t.Helper()
	require.NoError(t, os.WriteFile(f.path(name), []byte(content), 0o600))
}

func (f folder) certify(t *testing.T, host string) {
	t.Helper()
	certificate, key, err := certutil.GenerateSelfSignedCertKey(host, nil, nil)
	require.NoError(t, err)
	f.write(t, "tls.crt", string(certificate))
	f.write(t, "tls.key", string(key))
}

// flags are those of a console, of which some are replaced. A flag without a value is left out.
func (f folder) flags(replaced map[string]string) []string {
	all := map[string]string{
		"listen": "127.0.0.1:0", "tls-cert-file": f.path("tls.crt"), "tls-private-key-file": f.path("tls.key"), "host": "console.example.com",
	}
	maps.Copy(all, replaced)
	var args []string
	for name, value := range all {
		if value != "" {
			args = append(args, "--"+name+"="+value)
		}
	}
	return args
}

func TestVersionIsPrinted(t *testing.T) {
	if out, err := execute(t, "--version"); err != nil || out != "goldsmith-console "+buildversion.Get(version)+"\n" {
		t.Errorf("printed %q: %v", out, err)
	}
}

func TestBadFlagsAreRefused(t *testing.T) {
	t.Parallel()
	f := newFolder(t, "console.example.com")
	f.write(t, "empty", "\n \n")
	missing := f.path("missing")
	const provider, client = "https://login.example.com/realms/a", "goldsmith"
	for name, test := range map[string]struct {
		flags map[string]string
		want  []string
	}{
		"an argument":                   {map[string]string{"host console": "a"}, []string{"unknown flag"}},
		"nothing":                       {map[string]string{"tls-cert-file": "", "host": "", "tls-private-key-file": ""}, []string{"--tls-cert-file and --tls-private-key-file are needed: ", "--host is needed: "}},
		"a certificate without a key":   {map[string]string{"tls-private-key-file": ""}, []string{"--tls-cert-file and --tls-private-key-file are needed: "}},
		"a certificate that is missing": {map[string]string{"tls-cert-file": missing}, []string{"--tls-cert-file and --tls-private-key-file: open " + missing}},
		"a certificate that is none":    {map[string]string{"tls-cert-file": f.path("text")}, []string{"--tls-cert-file and --tls-private-key-file: tls: failed to find any PEM data"}},
		"the address as host":           {map[string]string{"host": "https://console.example.com"}, []string{`--host "https://console.example.com": must be a name such as console.example.com, without https:// and port`}},
		"a host with a port":            {map[string]string{"host": "a.example.com,b.example.com:8443"}, []string{`--host "b.example.com:8443": must be a name`}},
		"every host":                    {map[string]string{"host": "*.example.com"}, []string{`--host "*.example.com": must be a name`}},
		"an empty host":                 {map[string]string{"host": "a,"}, []string{`--host "": must be a name`}},
		"a cluster without TLS":         {map[string]string{"server": "http://kubernetes"}, []string{`--server "http://kubernetes": must be an address that begins with https://`}},
		"a cluster that is none":        {map[string]string{"server": "https://"}, []string{`--server "https://": must be an address`}},
		"an authority that is missing":  {map[string]string{"server-ca-file": missing}, []string{"--server-ca-file: open " + missing}},
		"an authority that is none":     {map[string]string{"server-ca-file": f.path("text")}, []string{"--server-ca-file: " + f.path("text") + " has no certificates in PEM"}},
		"a client without a provider":   {map[string]string{"oidc-client-id": client}, []string{"--oidc-client-id, --oidc-client-secret-file and --oidc-ca-file need --oidc-issuer"}},
		"a provider without a client":   {map[string]string{"oidc-issuer": provider}, []string{"--oidc-issuer needs --oidc-client-id"}},
		"a provider without TLS":        {map[string]string{"oidc-issuer": "http://login.example.com", "oidc-client-id": client}, []string{`--oidc-issuer "http://login.example.com": must be an address that begins with https://`}},
		"a secret that is missing":      {map[string]string{"oidc-issuer": provider, "oidc-client-id": client, "oidc-client-secret-file": missing}, []string{"--oidc-client-secret-file: open " + missing}},
		"a secret that is empty":        {map[string]string{"oidc-issuer": provider, "oidc-client-id": client, "oidc-client-secret-file": f.path("empty")}, []string{"--oidc-client-secret-file " + f.path("empty") + ": the file is empty: remove the flag if the client is public"}},
		"the provider's authority":      {map[string]string{"oidc-issuer": provider, "oidc-client-id": client, "oidc-ca-file": f.path("text")}, []string{"--oidc-ca-file: "}},
		"an address that is none":       {map[string]string{"listen": "nowhere"}, []string{"--listen nowhere: "}},
		"several mistakes":              {map[string]string{"host": "a b", "server": "a", "oidc-issuer": "b"}, []string{"--host", "--server", "--oidc-issuer \"b\"", "--oidc-issuer needs"}},
	} {
		_, err := execute(t, f.flags(test.flags)...)
		if err == nil {
			t.Errorf("%s: got no error", name)
			continue
		}
		if lines := strings.Split(err.Error(), "\n"); len(lines) != len(test.want) {
			t.Errorf("%s: got error %v", name, err)
		}
		for _, want := range test.want {
			if !strings.Contains(err.Error(), want) {
				t.Errorf("%s: got error %v, want %s", name, err, want)
			}
		}
	}
}

func TestFlagsThatAreRight(t *testing.T) {
	t.Parallel()
	f := newFolder(t, "console.example.com")
	f.write(t, "secret", "secret\n")
	o := &options{
		certificate: f.path("tls.crt"), key: f.path("tls.key"), hosts: []string{"Console.example.com", "localhost", "127.0.0.1", "::1"},
		server: "https://[::1]:6443", serverCA: f.path("tls.crt"),
		issuer: "https://login.example.com", clientID: "goldsmith", clientSecretFile: f.path("secret"), scopes: []string{"openid", "email"}, oidcCA: f.path("tls.crt"),
	}
	if _, err := o.read(logr.Discard()); err != nil {
		t.Error(err)
	}
	var wrong problems
	provider := o.readOIDC(&wrong)
	if len(wrong) > 0 || provider.ClientSecret != "secret" || strings.Join(provider.Scopes, " ") != "openid email" || o.hosts[0] != "console.example.com" {
		t.Errorf("got %+v, %v: %v", provider, o.hosts, wrong)
	}
}

func TestTheProgramLimitsItsMemory(t *testing.T) {
	defer debug.SetMemoryLimit(debug.SetMemoryLimit(math.MaxInt64))
	_, err := execute(t, newFolder(t, "a").flags(map[string]string{"listen": "nowhere"})...)
	if err == nil || debug.SetMemoryLimit(-1) == math.MaxInt64 {
		t.Errorf("the memory is not limited: %v", err)
	}
}
