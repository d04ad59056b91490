// SPDX-License-Identifier: Apache-2.0

package up

import (
	"crypto/rand"
	"fmt"
	"net/http"
	"regexp"
	"strings"

	"k8s.io/apiserver/pkg/authentication/user"
	"k8s.io/apiserver/pkg/authorization/authorizer"
	"k8s.io/client-go/rest"

	"goldsmith.dev/goldsmith/apiserver/builder"
	"goldsmith.dev/goldsmith/cmd/goldsmith/internal/datadir"
)

// The names of the server's users besides builders and the users of --user. All of them can do everything. Their names tell who did
// what.
const (
	administratorName = "goldsmith-admin"
	controllerName    = "goldsmith-controller"
)

// users are the tokens of the server's users.
type users struct {
	administratorToken string
	controllerToken    string            // valid for this run only
	people             map[string]string // token by name
	builders           *builderTokens
}

func (s *system) newUsers() (*users, error) {
	token, err := s.data.Token()
	if err != nil {
		return nil, err
	}
	people := map[string]string{}
	for _, name := range s.options.Users {
		if people[name], err = s.data.UserToken(name); err != nil {
			return nil, err
		}
	}
	return &users{administratorToken: token, controllerToken: rand.Text(), people: people, builders: newBuilderTokens()}, nil
}

// userName matches a valid name for --user, which is also the name of two files.
var userName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._@-]{0,62}$`)

// reservedNames are the prefixes of the names of the server's own users.
const reservedNames = "goldsmith-"

// checkUserNames refuses invalid names, names that the server itself uses, and duplicates.
func checkUserNames(names []string) error {
	seen := map[string]bool{}
	for _, name := range names {
		folded := strings.ToLower(name) // the files of two names are the same on some file systems
		switch {
		case strings.HasPrefix(folded, reservedNames), strings.HasPrefix(folded, "system:"):
			return fmt.Errorf("--user %q: choose another name: names that begin with %s or system: are reserved for the server", name, reservedNames)
		case !userName.MatchString(name):
			return fmt.Errorf("--user %q: must be 1 to 63 letters, digits and ._@-, and begin with a letter or a digit, such as ann or ann@example.com", name)
		case seen[folded]:
			return fmt.Errorf("--user %q: name is set twice: set each name once", name)
		}
		seen[folded] = true
	}
	return nil
}

// kubeconfigOf returns the path of the kubeconfig of a user of --user.
func kubeconfigOf(data *datadir.Directory, name string) string {
	return data.Join("kubeconfigs", name)
}

// writeKubeconfigs writes the kubeconfigs of --user.
func (u *users) writeKubeconfigs(data *datadir.Directory, server *builder.Running) error {
	for name, token := range u.people {
		if err := writeKubeconfig(kubeconfigOf(data, name), newKubeconfig(server.Address(), token, server.CertificateAuthority())); err != nil {
			return fmt.Errorf("user %s: %w", name, err)
		}
	}
	return nil
}

// admit lets only these users use a server.
func (u *users) admit(server *builder.Server) *builder.Server {
	privileged := func(name string) user.Info {
		return &user.DefaultInfo{Name: name, Groups: []string{user.SystemPrivilegedGroup}}
	}
	for name, token := range u.people {
		server = server.WithBearerToken(token, privileged(name))
	}
	return server.
		WithBearerToken(u.administratorToken, privileged(administratorName)).
		WithBearerToken(u.controllerToken, privileged(controllerName)).
		WithGuests(u.builders, authorizer.AuthorizerFunc(builderRights))
}

// administratorConfig connects as the user of the kubeconfig does.
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
