// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	_ "embed" // for the reasons
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"strings"

	"github.com/go-logr/logr"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/client-go/rest"
	certutil "k8s.io/client-go/util/cert"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/certwatcher"

	"goldsmith.dev/goldsmith/cmd/internal/buildversion"
	"goldsmith.dev/goldsmith/cmd/internal/flagvalue"
	"goldsmith.dev/goldsmith/cmd/internal/memory"
	"goldsmith.dev/goldsmith/console"
)

// reasons are those of `goldsmith explain`: console.Reasons in JSON. make generate writes the file.
//
//go:embed reasons.json
var reasons []byte

// options are the values of the flags.
type options struct {
	listen      string
	certificate string
	key         string
	hosts       []string
	server      string
	serverCA    string

	issuer           string
	clientID         string
	clientSecretFile string
	scopes           []string
	oidcCA           string

	verbosity int
}

// newCommand returns the command. log returns its logger, from the standard error of the command and the verbosity.
func newCommand(log func(out io.Writer, verbosity int) (logr.Logger, error)) *cobra.Command {
	o := &options{}
	command := &cobra.Command{
		Use:           "goldsmith-console",
		Short:         "Serve Goldsmith's web pages in a cluster",
		Version:       buildversion.Get(version),
		Args:          cobra.NoArgs,
		SilenceUsage:  true,
		SilenceErrors: true,
		RunE: func(command *cobra.Command, _ []string) error {
			logger, err := log(command.ErrOrStderr(), o.verbosity)
			if err != nil {
				return err
			}
			served, err := o.read(logger)
			if err != nil {
				return err
			}
			memory.Manage(command.Context())
			listener, err := net.Listen("tcp", o.listen)
			if err != nil {
				return fmt.Errorf("--listen %s: %w", o.listen, err)
			}
			logger.Info("serving the console", "version", buildversion.Get(version), "address", listener.Addr().String(), "hosts", o.hosts, "server", o.server, "issuer", o.issuer)
			return served.serve(command.Context(), listener)
		},
	}
	command.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return flagvalue.Explain(err) })
	command.SetVersionTemplate("{{.Name}} {{.Version}}\n")
	o.addTo(command.Flags())
	return command
}

func (o *options) addTo(flags *pflag.FlagSet) {
	flags.StringVar(&o.listen, "listen", ":8443", "address of the pages, with TLS, and of /healthz and /readyz")
	flags.StringVar(&o.certificate, "tls-cert-file", "", "file with the certificate of the pages, read again when it changes (required)")
	flags.StringVar(&o.key, "tls-private-key-file", "", "file with the key of the certificate, read again when it changes (required)")
	flags.StringSliceVar(&o.hosts, "host", nil, "name of the console in browsers, without port; repeatable (required)")
	flags.StringVar(&o.server, "server", "https://kubernetes.default.svc", "address of kube-apiserver")
	flags.StringVar(&o.serverCA, "server-ca-file", "", "file with the certificate authority of kube-apiserver, read again when it changes; default: the authorities of the system, or else of Mozilla")
	flags.StringVar(&o.issuer, "oidc-issuer", "", "URL of the OpenID Connect provider that signs users in, whose ID tokens kube-apiserver accepts; default: users paste a token")
	flags.StringVar(&o.clientID, "oidc-client-id", "", "client of the console at the provider, for which kube-apiserver accepts ID tokens")
	flags.StringVar(&o.clientSecretFile, "oidc-client-secret-file", "", "file with the secret of the client; default: the client is public")
	flags.StringSliceVar(&o.scopes, "oidc-scopes", []string{"profile", "email", "offline_access"}, "scopes to ask the provider for, besides openid; offline_access only if the provider has it")
	flags.StringVar(&o.oidcCA, "oidc-ca-file", "", "file with the certificate authority of the provider; default: the authorities of the system, or else of Mozilla")
	flags.IntVarP(&o.verbosity, "v", "v", 0, "verbosity of the log on stderr")
}

// problems are mistakes of flags, of which all are reported at once.
type problems []error

func (p *problems) add(format string, values ...any) { *p = append(*p, fmt.Errorf(format, values...)) }

// file reads the file of a flag.
func (p *problems) file(flag, path string) []byte {
	content, err := os.ReadFile(path)
	if err != nil {
		p.add("--%s: %w", flag, err)
	}
	return content
}

// authority reads the certificate authority of a flag. It is empty without the flag, and after a mistake.
func (p *problems) authority(flag, path string) []byte {
	if path == "" {
		return nil
	}
	content := p.file(flag, path)
	if content == nil {
		return nil
	}
	if _, err := certutil.ParseCertsPEM(content); err != nil {
		p.add("--%s: %s has no certificates in PEM: %w", flag, path, err)
	}
	return content
}

// https checks the address of a flag.
func (p *problems) https(flag, address string) {
	parsed, err := url.Parse(address)
	if err != nil || parsed.Scheme != "https" || parsed.Host == "" || parsed.RawQuery != "" || parsed.Fragment != "" || parsed.User != nil {
		p.add("--%s %q: must be an address that begins with https://", flag, address)
	}
}

// read checks the flags, reads their files and returns what is served.
func (o *options) read(logger logr.Logger) (*served, error) {
	var wrong problems
	certificate := o.readCertificate(&wrong)
	for i, host := range o.hosts {
		o.hosts[i] = strings.ToLower(host)
		if _, err := netip.ParseAddr(host); err != nil && len(validation.IsDNS1123Subdomain(o.hosts[i])) > 0 {
			wrong.add("--host %q: must be a name such as console.example.com, without https:// and port", host)
		}
	}
	if len(o.hosts) == 0 {
		wrong.add("--host is needed: the name of the console in browsers, such as console.example.com")
	}
	wrong.authority("server-ca-file", o.serverCA)
	cluster := console.Cluster{
		Server: &rest.Config{Host: o.server, TLSClientConfig: rest.TLSClientConfig{CAFile: o.serverCA}}, // which client-go reads again when it changes
		Hosts:  o.hosts,
		OIDC:   o.readOIDC(&wrong),
		Clock:  clock.RealClock{},
		Logger: logger,
	}
	wrong.https("server", o.server)
	if len(wrong) > 0 {
		return nil, errors.Join(wrong...)
	}
	if err := json.Unmarshal(reasons, &cluster.Reasons); err != nil {
		return nil, fmt.Errorf("read the reasons: %w", err)
	}
	pages, err := cluster.Handler()
	if err != nil {
		return nil, err
	}
	return &served{pages: pages, certificate: certificate, drain: drain, grace: grace}, nil
}

func (o *options) readCertificate(wrong *problems) *certwatcher.CertWatcher {
	if o.certificate == "" || o.key == "" {
		wrong.add("--tls-cert-file and --tls-private-key-file are needed: browsers keep sessions only with TLS")
		return nil
	}
	certificate, err := certwatcher.New(o.certificate, o.key)
	if err != nil {
		wrong.add("--tls-cert-file and --tls-private-key-file: %w", err)
	}
	return certificate
}

// readOIDC returns nil without a provider.
func (o *options) readOIDC(wrong *problems) *console.OIDC {
	if o.issuer == "" {
		if o.clientID != "" || o.clientSecretFile != "" || o.oidcCA != "" {
			wrong.add("--oidc-client-id, --oidc-client-secret-file and --oidc-ca-file need --oidc-issuer, the URL of the provider")
		}
		return nil
	}
	wrong.https("oidc-issuer", o.issuer)
	if o.clientID == "" {
		wrong.add("--oidc-issuer needs --oidc-client-id, the client of the console at the provider")
	}
	provider := &console.OIDC{Issuer: o.issuer, ClientID: o.clientID, Scopes: o.scopes}
	if o.clientSecretFile != "" {
		provider.ClientSecret = string(bytes.TrimSpace(wrong.file("oidc-client-secret-file", o.clientSecretFile)))
		if provider.ClientSecret == "" && len(*wrong) == 0 {
			wrong.add("--oidc-client-secret-file %s: the file is empty: remove the flag if the client is public", o.clientSecretFile)
		}
	}
	transport := http.DefaultTransport.(*http.Transport).Clone()
	if authority := wrong.authority("oidc-ca-file", o.oidcCA); authority != nil {
		transport.TLSClientConfig = &tls.Config{RootCAs: x509.NewCertPool(), MinVersion: tls.VersionTLS12}
		transport.TLSClientConfig.RootCAs.AppendCertsFromPEM(authority)
	}
	provider.Client = &http.Client{Transport: transport}
	return provider
}
