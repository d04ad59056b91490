// SPDX-License-Identifier: Apache-2.0

package up

import (
	"context"
	"crypto/rand"
	"fmt"
	"net/http"
	"strings"

	"k8s.io/apiserver/pkg/authentication/user"
	"k8s.io/client-go/rest"

	"goldsmith.dev/goldsmith/apiserver/builder"
	"goldsmith.dev/goldsmith/cmd/goldsmith/internal/datadir"
	"goldsmith.dev/goldsmith/cmd/goldsmith/internal/kubeconfig"
	"goldsmith.dev/goldsmith/cmd/goldsmith/internal/users"
)

// The names of the server's users besides builders and people. All can do everything. Their names tell who did what.
const (
	administratorName = "goldsmith-admin"
	controllerName    = "goldsmith-controller"
	signerName        = "goldsmith-signer"
)

// serverUsers are the users of the server.
type serverUsers struct {
	administratorToken string
	controllerToken    string // valid for this run only
	signerToken        string // valid for this run only
	people             *people
	builders           *builderTokens
}

func (s *system) newUsers() (*serverUsers, error) {
	token, err := s.data.Token()
	if err != nil {
		return nil, err
	}
	named, err := newPeople(s.data, s.options.Users, !s.options.Memory, func(line string) { s.notice(context.Background(), line) })
	if err != nil {
		return nil, err
	}
	return &serverUsers{administratorToken: token, controllerToken: rand.Text(), signerToken: rand.Text(), people: named, builders: newBuilderTokens()}, nil
}

// checkUserNames refuses invalid names, and duplicates.
func checkUserNames(names []string) error {
	seen := map[string]bool{}
	for _, name := range names {
		folded := strings.ToLower(name) // the files of two names are the same on some file systems
		if err := users.CheckName(name); err != nil {
			return fmt.Errorf("--user %q: %w", name, err)
		}
		if seen[folded] {
			return fmt.Errorf("--user %q: name is set twice: set each name once", name)
		}
		seen[folded] = true
	}
	return nil
}

// kubeconfigOf returns the path of the kubeconfig of a user.
func kubeconfigOf(data *datadir.Directory, name string) string {
	return data.Join("kubeconfigs", name)
}

// writeKubeconfigs writes the kubeconfigs of --user.
func (u *serverUsers) writeKubeconfigs(data *datadir.Directory, server *builder.Running) error {
	for name, token := range u.people.tokens() {
		if err := kubeconfig.Write(kubeconfigOf(data, name), kubeconfig.New(server.Address(), token, server.CertificateAuthority())); err != nil {
			return fmt.Errorf("user %s: %w", name, err)
		}
	}
	return nil
}

// admit lets only these users use a server.
func (u *serverUsers) admit(server *builder.Server) *builder.Server {
	privileged := func(name string) user.Info {
		return &user.DefaultInfo{Name: name, Groups: []string{user.SystemPrivilegedGroup}}
	}
	return server.
		WithBearerToken(u.administratorToken, privileged(administratorName)).
		WithBearerToken(u.controllerToken, privileged(controllerName)).
		WithBearerToken(u.signerToken, privileged(signerName)).
		WithGuests(u.builders, podRights{allowPods}).
		WithGuests(u.people, users.Rights)
}

// administratorConfig connects as the user of the kubeconfig does.
func (u *serverUsers) administratorConfig(server *builder.Running) *rest.Config {
	return &rest.Config{
		Host:            server.Address(),
		BearerToken:     u.administratorToken,
		TLSClientConfig: rest.TLSClientConfig{CAData: server.CertificateAuthority()},
		QPS:             -1, // no limit
		// Between processes of one machine compression costs more than it saves.
		DisableCompression: true,
	}
}

// controllerConfig connects the controllers.
func (u *serverUsers) controllerConfig(server *builder.Running, wrap func(http.RoundTripper) http.RoundTripper) *rest.Config {
	config := u.componentConfig(server, controllerName, u.controllerToken)
	if wrap != nil {
		config.Wrap(wrap)
	}
	return config
}

// signerConfig connects the signer.
func (u *serverUsers) signerConfig(server *builder.Running) *rest.Config {
	return u.componentConfig(server, signerName, u.signerToken)
}

func (u *serverUsers) componentConfig(server *builder.Running, name, token string) *rest.Config {
	config := u.administratorConfig(server)
	config.BearerToken = token
	config.UserAgent = name
	return config
}
