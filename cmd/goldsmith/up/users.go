// SPDX-License-Identifier: Apache-2.0

package up

import (
	"net/http"

	"k8s.io/apiserver/pkg/authentication/user"
	"k8s.io/apiserver/pkg/authorization/authorizer"
	"k8s.io/client-go/rest"

	"goldsmith.dev/goldsmith/apiserver/builder"
)

// The names of the server's users besides builders. Both may do everything; by their names it can be told who did what.
const (
	administratorName = "goldsmith-admin"
	controllerName    = "goldsmith-controller"
)

// users are those who may talk to the server, with their tokens.
type users struct {
	administratorToken string
	controllerToken    string // of this run only
	builders           *builderTokens
}

func (s *system) newUsers() (*users, error) {
	token, err := s.data.token()
	if err != nil {
		return nil, err
	}
	return &users{administratorToken: token, controllerToken: newToken(), builders: newBuilderTokens()}, nil
}

// admit lets the users, and nobody else, into a server.
func (u *users) admit(server *builder.Server) *builder.Server {
	privileged := func(name string) user.Info {
		return &user.DefaultInfo{Name: name, Groups: []string{user.SystemPrivilegedGroup}}
	}
	return server.
		WithBearerToken(u.administratorToken, privileged(administratorName)).
		WithBearerToken(u.controllerToken, privileged(controllerName)).
		WithGuests(u.builders, authorizer.AuthorizerFunc(builderRights))
}

// administratorConfig connects as the holder of the kubeconfig does.
func (u *users) administratorConfig(server *builder.Running) *rest.Config {
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
func (u *users) controllerConfig(server *builder.Running, wrap func(http.RoundTripper) http.RoundTripper) *rest.Config {
	config := u.administratorConfig(server)
	config.BearerToken = u.controllerToken
	config.UserAgent = controllerName
	if wrap != nil {
		config.Wrap(wrap)
	}
	return config
}
