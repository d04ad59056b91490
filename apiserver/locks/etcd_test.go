// SPDX-License-Identifier: Apache-2.0

package locks

import (
	"net"
	"net/url"
	"os"
	"path/filepath"
	"testing"
	"time"

	. "github.com/onsi/gomega"
	"go.etcd.io/etcd/server/v3/embed"
	"go.uber.org/zap"
	"k8s.io/apiserver/pkg/storage/storagebackend"
	certutil "k8s.io/client-go/util/cert"

	"goldsmith.dev/goldsmith/e2e/require"
)

// TestALockIsTakenOverTLS locks in an etcd that only clients with the right CA trust.
func TestALockIsTakenOverTLS(t *testing.T) {
	t.Parallel()
	g := NewWithT(t)
	endpoint, authority := startSecureEtcd(t)
	storage := storagebackend.Config{Prefix: "/registry", Transport: storagebackend.TransportConfig{ServerList: []string{endpoint}, TrustedCAFile: authority}}
	lock := require.Value(New(&storage).Lock(t.Context(), "books/a"))(t)
	lock.Unlock()

	storage.Transport.TrustedCAFile = filepath.Join(t.TempDir(), "nothing.crt")
	_, err := New(&storage).Lock(t.Context(), "books/a")
	g.Expect(err).To(MatchError(ContainSubstring("read the CA: ")))
}

func startSecureEtcd(t *testing.T) (endpoint, authority string) {
	t.Helper()
	g := NewWithT(t)
	certificate, key, err := certutil.GenerateSelfSignedCertKey("127.0.0.1", []net.IP{net.IPv4(127, 0, 0, 1)}, nil)
	g.Expect(err).NotTo(HaveOccurred())
	directory := t.TempDir()
	certificateFile, keyFile := filepath.Join(directory, "tls.crt"), filepath.Join(directory, "tls.key")
	g.Expect(os.WriteFile(certificateFile, certificate, 0o600)).To(Succeed())
	g.Expect(os.WriteFile(keyFile, key, 0o600)).To(Succeed())

	address := url.URL{Scheme: "https", Host: require.FreeAddress(t)}
	config := embed.NewConfig()
	config.Dir = filepath.Join(directory, "etcd")
	config.ListenPeerUrls = nil
	config.ListenClientUrls, config.AdvertiseClientUrls = []url.URL{address}, []url.URL{address}
	config.ClientTLSInfo.CertFile, config.ClientTLSInfo.KeyFile = certificateFile, keyFile
	config.UnsafeNoFsync = true
	config.ZapLoggerBuilder = embed.NewZapLoggerBuilder(zap.NewNop())
	server := require.Value(embed.StartEtcd(config))(t)
	t.Cleanup(server.Close)
	g.Eventually(server.Server.ReadyNotify()).WithTimeout(time.Minute).Should(BeClosed())
	return address.String(), certificateFile
}
