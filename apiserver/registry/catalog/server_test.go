// SPDX-License-Identifier: Apache-2.0

package catalog_test

import (
	"context"
	"os"
	"testing"

	"k8s.io/apiserver/pkg/authentication/user"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/yaml"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/apiserver"
	"goldsmith.dev/goldsmith/apiserver/builder"
	registry "goldsmith.dev/goldsmith/apiserver/registry/catalog"
	"goldsmith.dev/goldsmith/e2e/require"
	"goldsmith.dev/goldsmith/jobs/catalog"
)

// serve starts a server with a configuration of kinds, and returns that of its clients, which have all permissions.
func serve(t testing.TB, configured *registry.Configuration) *rest.Config {
	t.Helper()
	const token = "a-token-of-the-tests"
	options, err := apiserver.Register(builder.New("kinds"), apiserver.Options{Kinds: configured}).WithStorage(builder.Memory()).
		WithBearerToken(token, &user.DefaultInfo{Name: "ada", Groups: []string{user.SystemPrivilegedGroup}}).ToServerOptions()
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(context.Background())
	running, err := options.Start(ctx)
	require.NoError(t, err)
	t.Cleanup(func() {
		cancel()
		require.NoError(t, running.Wait())
	})
	require.NoError(t, running.WaitReady(t.Context()))
	config := running.ClientConfig()
	config.BearerToken, config.WarningHandler = token, rest.NoWarnings{}
	return config
}

// readKind compiles the kind of the document at a path.
func readKind(t testing.TB, path string) *catalog.Kind {
	t.Helper()
	return parseKind(t, require.Value(os.ReadFile(path))(t))
}

// parseKind compiles the kind of a document.
func parseKind(t testing.TB, document []byte) *catalog.Kind {
	t.Helper()
	declared := &v1alpha1.ImageKind{}
	require.NoError(t, yaml.UnmarshalStrict(document, declared))
	kind, errs := registry.Compile(t.Context(), declared)
	require.NoError(t, errs.ToAggregate())
	return kind
}
