// SPDX-License-Identifier: Apache-2.0

package builder_test

import (
	"context"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"
	"time"

	. "github.com/onsi/gomega"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apiserver/pkg/storage/storagebackend"

	"goldsmith.dev/goldsmith/apiserver/builder"
	"goldsmith.dev/goldsmith/apiserver/builder/buildertest"
	"goldsmith.dev/goldsmith/apiserver/storage/etcd"
	"goldsmith.dev/goldsmith/e2e/require"
)

// safeBuffer can be written to and read from at once.
type safeBuffer struct {
	lines chan string
}

func (b safeBuffer) Write(line []byte) (int, error) {
	b.lines <- string(line)
	return len(line), nil
}

// withToken is a caller that a standalone server lets in.
var withToken = caller{headers: map[string]string{"Authorization": "Bearer " + buildertest.Token}}

// starting is a server whose Start has not returned, with a client that knows its address already.
type starting struct {
	listener  net.Listener
	authority []byte
	lines     chan string
	started   chan error
	running   *builder.Running // once started has a value
	stop      context.CancelFunc
}

// startWithoutDependency starts a server one of whose dependencies does not answer.
func startWithoutDependency(t *testing.T, server *builder.Server, adjust func(*builder.Options)) *starting {
	t.Helper()
	g := NewWithT(t)
	listener := require.Value(net.Listen("tcp", "127.0.0.1:0"))(t)
	pair := newAuthority(t).issue(t, "server")
	certificate, key := encodePair(t, pair)
	certificateFile, keyFile := filepath.Join(t.TempDir(), "tls.crt"), filepath.Join(t.TempDir(), "tls.key")
	g.Expect(os.WriteFile(certificateFile, certificate, 0o600)).To(Succeed())
	g.Expect(os.WriteFile(keyFile, key, 0o600)).To(Succeed())
	out := safeBuffer{lines: make(chan string, 10)}
	options := require.Value(server.WithListener(listener).WithCertificate(certificateFile, keyFile).WithWriter(out).ToServerOptions())(t)
	if adjust != nil {
		adjust(options)
	}
	ctx, cancel := context.WithCancel(context.Background())
	s := &starting{
		listener: listener, authority: certificate,
		lines: out.lines, started: make(chan error, 1), stop: cancel,
	}
	returned := make(chan struct{})
	go func() {
		defer close(returned)
		var err error
		s.running, err = options.Start(ctx)
		s.started <- err
	}()
	t.Cleanup(func() {
		cancel()
		<-returned
		if s.running != nil {
			g.Expect(s.running.Wait()).To(Succeed())
		}
	})
	return s
}

// Address and CertificateAuthority are those of the server, as of a running server.
func (s *starting) Address() string              { return "https://" + s.listener.Addr().String() }
func (s *starting) CertificateAuthority() []byte { return s.authority }

func TestAServerWithoutItsEtcdSaysSoAndServesOnceItIsThere(t *testing.T) {
	g := buildertest.Parallel(t)
	directory := t.TempDir()
	sockets := etcd.WithSocketDirectory(t.TempDir())
	backend := require.Value(etcd.Start(t.Context(), directory, sockets))(t)
	transport := backend.Transport()
	g.Expect(backend.Stop()).To(Succeed())
	server := startWithoutDependency(t, buildertest.CoreKinds(builder.ExternalEtcd(transport)), nil)

	g.Eventually(server.lines).WithTimeout(buildertest.Patience).Should(Receive(And(
		HavePrefix("test-apiserver waits for etcd: connect to "+transport.ServerList[0]), ContainSubstring("no such file"))))
	g.Eventually(anybody.asking(t, server, "/readyz")).WithTimeout(buildertest.Patience).Should(And(HavePrefix("500 "), ContainSubstring("[-]etcd failed")))
	g.Expect(anybody.asking(t, server, "/livez")()).To(Equal("200 ok"))
	g.Expect(anybody.asking(t, server, "/api/v1/namespaces/default/pods")()).To(And(HavePrefix("503 "), ContainSubstring("ServiceUnavailable")))
	g.Expect(server.started).To(BeEmpty())

	backend = require.Value(etcd.Start(t.Context(), directory, sockets))(t)
	defer func() { g.Expect(backend.Stop()).To(Succeed()) }()
	g.Eventually(server.started).WithTimeout(buildertest.Patience).Should(Receive(BeNil()))
	g.Expect(server.running.WaitReady(t.Context())).To(Succeed())
	g.Expect(buildertest.ConnectOutside(t, server.running, buildertest.Token).CoreV1().Namespaces().List(t.Context(), metav1.ListOptions{})).Error().NotTo(HaveOccurred())

	g.Expect(backend.Stop()).To(Succeed())
	g.Eventually(withToken.asking(t, server, "/readyz")).WithTimeout(buildertest.Patience).Should(ContainSubstring("[-]etcd failed"))
	g.Expect(withToken.asking(t, server, "/livez")()).To(Equal("200 ok"), "a restart would not bring it back")
	server.stop()
	g.Expect(server.running.Wait()).To(Succeed())
}

func TestAServerThatDoesNotTrustItsEtcdSaysWhy(t *testing.T) {
	t.Parallel()
	stranger := httptest.NewTLSServer(http.NotFoundHandler())
	defer stranger.Close()
	authority := filepath.Join(t.TempDir(), "ca.crt")
	NewWithT(t).Expect(os.WriteFile(authority, newAuthority(t).pem(), 0o600)).To(Succeed())
	server := startWithoutDependency(t, buildertest.CoreKinds(builder.ExternalEtcd(storagebackend.TransportConfig{ServerList: []string{stranger.URL}, TrustedCAFile: authority})), nil)
	NewWithT(t).Eventually(server.lines).WithTimeout(buildertest.Patience).Should(Receive(ContainSubstring("certificate signed by unknown authority")))
}

func TestAServerThatMayNotAskItsClusterSaysSo(t *testing.T) {
	t.Parallel()
	for resource, check := range map[string]string{
		"extension-apiserver-authentication": "extension-apiserver-authentication",
		"subjectaccessreviews":               "delegated-authorization",
	} {
		t.Run(check, func(t *testing.T) {
			g := NewWithT(t)
			cluster := newFakeCluster(t, newAuthority(t).pem())
			cluster.refuse(resource)
			server := startWithoutDependency(t, delegatedServer(), func(options *builder.Options) { delegateTo(t, options, cluster) })
			g.Eventually(server.lines).WithTimeout(buildertest.Patience).Should(Receive(And(
				HavePrefix("delegated waits for "+check+": "), ContainSubstring("forbidden"))))
			g.Eventually(anybody.asking(t, server, "/readyz")).WithTimeout(buildertest.Patience).Should(ContainSubstring("[-]" + check + " failed"))

			cluster.refuse("")
			g.Eventually(server.started).WithTimeout(buildertest.Patience).Should(Receive(BeNil()))
			g.Expect(server.running.WaitReady(t.Context())).To(Succeed())
		})
	}
}

func TestAServerThatWaitsStopsWhenItIsTold(t *testing.T) {
	g := buildertest.Parallel(t)
	server := startWithoutDependency(t, buildertest.CoreKinds(builder.ExternalEtcd(storagebackend.TransportConfig{ServerList: []string{"unix:///nowhere"}})), nil)
	g.Eventually(server.lines).WithTimeout(buildertest.Patience).Should(Receive())
	server.stop()
	g.Eventually(server.started).WithTimeout(buildertest.Patience).Should(Receive(MatchError(context.Canceled)))
	g.Expect(server.listener.(*net.TCPListener).SetDeadline(time.Now())).To(MatchError(net.ErrClosed), "it still listens")
}
