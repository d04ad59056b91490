// SPDX-License-Identifier: Apache-2.0

package transport

import (
	"cmp"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"

	"oras.land/oras-go/v2/registry"
	"oras.land/oras-go/v2/registry/remote/auth"
	helpers "oras.land/oras-go/v2/registry/remote/credentials"
)

// dockerHub is the name that Docker's configuration has for the registry docker.io, which is served by dockerHubHost.
const (
	dockerHub     = "index.docker.io"
	dockerHubHost = "registry-1.docker.io"
)

// credentials are those of one repository.
type credentials struct {
	has    bool
	static auth.Credential
	helper string // the name of a credential helper to ask for server
	server string
}

type dockerConfig struct {
	Auths       map[string]dockerAuth `json:"auths"`
	CredHelpers map[string]string     `json:"credHelpers"`
	CredsStore  string                `json:"credsStore"`
}

type dockerAuth struct {
	Auth          string `json:"auth"`
	Username      string `json:"username"`
	Password      string `json:"password"`
	IdentityToken string `json:"identitytoken"`
	RegistryToken string `json:"registrytoken"`
}

// credentials finds the credentials for a repository, and the command that stores those of a user. The command is empty for a Secret.
func (o *Options) credentials(reference registry.Reference) (found credentials, command string, err error) {
	if len(o.Logins) == 0 {
		found, err = parseCredentials(o.DockerConfig, ".dockerconfigjson", reference, false)
		return found, "", err
	}
	for _, login := range o.Logins {
		if found, err = parseCredentials(login.Config, login.File, reference, true); err != nil || found.has {
			return found, login.Command, err
		}
		if login.Config != nil {
			command = cmp.Or(command, login.Command)
		}
	}
	return found, cmp.Or(command, o.Logins[len(o.Logins)-1].Command), nil
}

// parseCredentials finds the credentials for a repository in a file. An entry is for a host, or for a host and the beginning of a path; the
// longest path wins, as in Kubernetes. Errors name no content.
func parseCredentials(config []byte, file string, reference registry.Reference, allowHelpers bool) (credentials, error) {
	if len(config) == 0 {
		return credentials{}, nil
	}
	var parsed dockerConfig
	if err := json.Unmarshal(config, &parsed); err != nil {
		return credentials{}, errors.New(file + " is not JSON of a Docker configuration")
	}
	if allowHelpers {
		for _, server := range slices.Sorted(maps.Keys(parsed.CredHelpers)) {
			if match(server, reference) >= 0 {
				return credentials{has: true, helper: parsed.CredHelpers[server], server: server}, nil
			}
		}
		if parsed.CredsStore != "" {
			return credentials{has: true, helper: parsed.CredsStore, server: helpers.ServerAddressFromHostname(reference.Host())}, nil
		}
	}
	best, length := "", -1
	for _, server := range slices.Sorted(maps.Keys(parsed.Auths)) {
		if l := match(server, reference); l > length {
			best, length = server, l
		}
	}
	if length < 0 {
		return credentials{}, nil
	}
	static, err := parsed.Auths[best].credential(file)
	return credentials{has: static != auth.EmptyCredential, static: static}, err
}

// credential returns the credential of an entry. The file is for errors.
func (a dockerAuth) credential(file string) (auth.Credential, error) {
	c := auth.Credential{Username: a.Username, Password: a.Password, RefreshToken: a.IdentityToken, AccessToken: a.RegistryToken}
	if a.Auth != "" {
		decoded, err := base64.StdEncoding.DecodeString(a.Auth)
		name, password, ok := strings.Cut(strings.TrimRight(string(decoded), "\x00"), ":")
		if err != nil || !ok {
			return auth.EmptyCredential, errors.New("an auth in " + file + " is not USER:PASSWORD in base64")
		}
		c.Username, c.Password = name, password
	}
	if c.RefreshToken == "" && c.AccessToken == "" && (c.Username == "") != (c.Password == "") {
		return auth.EmptyCredential, errors.New("an entry in " + file + " has a user without a password, or a password without a user")
	}
	return c, nil
}

// match returns how specific an entry's server is for a repository; -1 if the entry is for others. A server is HOST or HOST/PATH,
// perhaps with a scheme, or with the /v1/ that docker login writes. Labels of the host can have wildcards.
func match(server string, reference registry.Reference) int {
	for _, scheme := range []string{"https://", "http://"} {
		server = strings.TrimPrefix(server, scheme)
	}
	host, prefix, _ := strings.Cut(server, "/")
	prefix = strings.Trim(prefix, "/")
	if prefix == "v1" || prefix == "v2" {
		prefix = ""
	}
	if !matchHost(host, reference.Registry) {
		return -1
	}
	if prefix != "" && prefix != reference.Repository && !strings.HasPrefix(reference.Repository, prefix+"/") {
		return -1
	}
	specific := 2 * len(prefix)
	if !strings.Contains(host, "*") {
		specific++
	}
	return specific
}

func matchHost(pattern, host string) bool {
	if host == "docker.io" {
		return slices.Contains([]string{host, dockerHub, dockerHubHost}, pattern)
	}
	pattern, host = strings.ToLower(strings.TrimSuffix(pattern, ":443")), strings.ToLower(strings.TrimSuffix(host, ":443"))
	patterns, labels := strings.Split(pattern, "."), strings.Split(host, ".")
	if len(patterns) != len(labels) {
		return false
	}
	for i := range patterns {
		if ok, err := path.Match(patterns[i], labels[i]); !ok || err != nil {
			return false
		}
	}
	return true
}

// get returns the credential, from the helper if there is one.
func (c *credentials) get(ctx context.Context) (auth.Credential, error) {
	if c.helper == "" {
		return c.static, nil
	}
	found, err := helpers.NewNativeStore(c.helper).Get(ctx, c.server)
	if err != nil {
		return auth.EmptyCredential, fmt.Errorf("ask docker-credential-%s: %w", c.helper, err)
	}
	c.static = found
	return found, nil
}

// secrets returns what no error may have. Texts of less than 4 bytes are not secret, and occur in any text.
func (c *credentials) secrets() []string {
	var secrets []string
	for _, secret := range []string{
		base64.StdEncoding.EncodeToString([]byte(c.static.Username + ":" + c.static.Password)),
		c.static.Password, c.static.RefreshToken, c.static.AccessToken,
	} {
		if len(secret) >= 4 {
			secrets = append(secrets, secret)
		}
	}
	return secrets
}
