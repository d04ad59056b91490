// SPDX-License-Identifier: Apache-2.0

package cluster

import (
	"context"
	"fmt"
	"strings"

	"goldsmith.dev/goldsmith/e2e/deadline"
)

// ConsoleHost is the name of the console in browsers.
const ConsoleHost = "console.example.com"

// ConsoleProvider signs users in to the console with OpenID Connect.
type ConsoleProvider struct {
	Issuer, ClientID, ClientSecret string
	// Authority is the provider's certificate authority in PEM.
	Authority string
}

// AddConsole installs the component console beside the installation, and waits until it serves. Without a provider, users paste tokens.
func (e Environment) AddConsole(ctx context.Context, provider *ConsoleProvider) error {
	ctx, stop := context.WithTimeout(ctx, deadline.Rollout.Deadline())
	defer stop()
	build := func(overlay string) *kustomization { return e.console(overlay, provider) }
	if err := e.withDirectory(build, func(directory string) error { return e.kubectl(ctx, "apply", "-k", directory) }); err != nil {
		return fmt.Errorf("install the console: %w", err)
	}
	return e.kubectl(ctx, "--namespace="+Namespace, "rollout", "status", "deployment/"+Console, "--timeout="+deadline.Rollout.Deadline().String())
}

// RemoveConsole removes the console again, with its pods.
func (e Environment) RemoveConsole(ctx context.Context) error {
	return e.withDirectory(func(overlay string) *kustomization { return e.console(overlay, nil) }, func(directory string) error {
		return e.kubectl(ctx, "delete", "-k", directory, "--ignore-not-found", "--cascade=foreground")
	})
}

// console is the component alone, and what it asks an operator for.
func (e Environment) console(overlay string, provider *ConsoleProvider) *kustomization {
	k := &kustomization{
		overlay: overlay, components: []string{"console"}, alone: true, files: map[string]string{},
		images:     []string{fmt.Sprintf("{name: %s, newTag: %q}", Console, e.Version)},
		configMaps: []string{fmt.Sprintf("{name: %s, namespace: %s, literals: [host=%s]}", Console, Namespace, ConsoleHost)},
	}
	if provider != nil {
		k.secrets = []string{fmt.Sprintf("{name: %s, namespace: %s, literals: [oidc-client-secret=%s, %q]}", Console, Namespace, provider.ClientSecret, "oidc-ca.crt="+provider.Authority)}
		var flags []string
		for _, flag := range []string{
			"--oidc-issuer=" + provider.Issuer, "--oidc-client-id=" + provider.ClientID,
			"--oidc-client-secret-file=/etc/goldsmith/oidc/oidc-client-secret", "--oidc-ca-file=/etc/goldsmith/oidc/oidc-ca.crt",
		} {
			flags = append(flags, fmt.Sprintf(`{"op": "add", "path": "/spec/template/spec/containers/0/args/-", "value": %q}`, flag))
		}
		k.patches = []string{fmt.Sprintf("{target: {kind: Deployment, name: %s}, patch: '[%s]'}", Console, strings.Join(flags, ", "))}
	}
	return k
}
