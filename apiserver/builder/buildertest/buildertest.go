// SPDX-License-Identifier: Apache-2.0

// Package buildertest runs servers of package builder for tests. Only tests import it.
package buildertest

import (
	"context"
	"flag"
	"io"
	"os"
	"testing"
	"time"

	"github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime"
	utilruntime "k8s.io/apimachinery/pkg/util/runtime"
	"k8s.io/apiserver/pkg/authentication/user"
	"k8s.io/client-go/kubernetes"
	restclient "k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"goldsmith.dev/goldsmith/apiserver/builder"
	"goldsmith.dev/goldsmith/apiserver/corekinds"
	"goldsmith.dev/goldsmith/apiserver/example"
	hub "goldsmith.dev/goldsmith/apiserver/example/library"
	v1 "goldsmith.dev/goldsmith/apiserver/example/library/v1"
	v2 "goldsmith.dev/goldsmith/apiserver/example/library/v2"
	"goldsmith.dev/goldsmith/apiserver/resources"
	"goldsmith.dev/goldsmith/e2e/require"
)

const (
	// Token is the bearer token of Admin.
	Token = "the-token-of-the-test"
	// Patience is how long a test waits for an expected event.
	Patience = time.Minute
)

// Admin is a user with every permission.
var Admin = &user.DefaultInfo{Name: "admin", Groups: []string{user.SystemPrivilegedGroup}}

// Main is the TestMain of a package whose tests run servers.
func Main(m *testing.M) {
	builder.QuietLogs(io.Discard)
	utilruntime.Must(flag.Set("test.parallel", "8")) // the default: most tests wait for a lease, a back-off or a deadline
	os.Exit(m.Run())
}

// EndlessLogs are logs of one line that go on until their context ends.
type EndlessLogs struct{}

// OpenLog returns the same log for every pod.
func (EndlessLogs) OpenLog(ctx context.Context, _ *corev1.Pod, _ *corev1.PodLogOptions) (io.ReadCloser, error) {
	reader, writer := io.Pipe()
	go func() {
		_, err := io.WriteString(writer, "line\n")
		<-ctx.Done()
		writer.CloseWithError(err)
	}()
	return reader, nil
}

// CoreKinds describes a server of core kinds, such as ConfigMaps and pods.
func CoreKinds(backend builder.StorageBackend) *builder.Server {
	return corekinds.Register(builder.New("test-apiserver").WithBearerToken(Token, Admin), EndlessLogs{}).WithStorage(backend)
}

// Library describes a server of the example API.
func Library(backend builder.StorageBackend) *builder.Server {
	return example.Register(builder.New("library-apiserver").WithBearerToken(Token, Admin)).WithStorage(backend)
}

// ComputedBooks describes a server of the example API whose books can only be read: compute returns them for each request.
func ComputedBooks(compute func(context.Context) ([]*hub.Book, error)) *builder.Server {
	return example.Describe(builder.New("library")).WithBearerToken(Token, Admin).
		WithResource(v2.SchemeGroupVersion, "books", func(*resources.Scope) (resources.Storages, error) {
			return resources.Storages{"": resources.NewReadOnly(resources.ReadOnly[*hub.Book]{
				New:      func() *hub.Book { return &hub.Book{} },
				NewList:  func() runtime.Object { return &hub.BookList{} },
				Resource: hub.Resource("books"),
				Singular: "book",
				Objects:  compute,
			})}, nil
		}, v1.SchemeGroupVersion)
}

// Start runs a server until the returned function is called, or the test ends.
func Start(t *testing.T, server *builder.Server) (*builder.Running, func()) {
	t.Helper()
	return StartOptions(t, require.Value(server.ToServerOptions())(t))
}

// StartOptions is Start for a server whose options a test has changed.
func StartOptions(t *testing.T, options *builder.Options) (*builder.Running, func()) {
	t.Helper()
	g := gomega.NewWithT(t)
	ctx, cancel := context.WithCancel(context.Background())
	running, err := options.Start(ctx)
	if err != nil {
		cancel()
		t.Fatal(err)
	}
	stop := func() {
		cancel()
		g.Expect(running.Wait()).To(gomega.Succeed())
	}
	t.Cleanup(stop)
	g.Expect(running.WaitReady(t.Context())).To(gomega.Succeed())
	return running, stop
}

// ConnectOutside returns a client like one outside of the process: with the server's CA and a token, nothing else.
func ConnectOutside(t *testing.T, running *builder.Running, token string) kubernetes.Interface {
	t.Helper()
	return require.Value(kubernetes.NewForConfig(&restclient.Config{
		Host:            running.Address(),
		BearerToken:     token,
		TLSClientConfig: restclient.TLSClientConfig{CAData: running.CertificateAuthority()},
	}))(t)
}

// ConnectLibrary returns a client that knows both versions of the example API. It panics if the connection is wrong.
func ConnectLibrary(running *builder.Running) client.WithWatch {
	scheme := runtime.NewScheme()
	utilruntime.Must(v1.AddToScheme(scheme))
	utilruntime.Must(v2.AddToScheme(scheme))
	library, err := client.NewWithWatch(running.ClientConfig(), client.Options{Scheme: scheme})
	utilruntime.Must(err)
	return library
}

// Parallel lets a test run beside others and returns its assertions.
func Parallel(t *testing.T) *gomega.WithT {
	t.Helper()
	t.Parallel()
	return gomega.NewWithT(t)
}
