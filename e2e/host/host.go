// SPDX-License-Identifier: Apache-2.0

// Package host serves what specs need beside a cluster, on an address of this machine that the pods of the cluster reach.
package host

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"

	"github.com/google/go-containerregistry/pkg/registry"
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/util/cert"
)

// Address returns the address of this machine in the network of the cluster's nodes.
func Address(ctx context.Context, kube kubernetes.Interface) string {
	GinkgoHelper()
	nodes, err := kube.CoreV1().Nodes().List(ctx, metav1.ListOptions{})
	Expect(err).NotTo(HaveOccurred())
	local, err := net.InterfaceAddrs()
	Expect(err).NotTo(HaveOccurred())
	for _, node := range nodes.Items {
		for _, address := range node.Status.Addresses {
			for _, candidate := range local {
				network, ok := candidate.(*net.IPNet)
				if ok && address.Type == corev1.NodeInternalIP && network.Contains(net.ParseIP(address.Address)) {
					return network.IP.String()
				}
			}
		}
	}
	Fail(fmt.Sprintf("this machine has no address in the network of the nodes: %v", local))
	return ""
}

// Registry is a registry that this process serves, with TLS and a password. Blobs are files of a temporary directory.
type Registry struct {
	// Host is its address and port.
	Host string
	// CA is the authority of its certificate, as PEM.
	CA []byte

	user     string
	password string
	handler  http.Handler
}

// NewRegistry serves a registry until the spec ends.
func NewRegistry(address string) *Registry {
	GinkgoHelper()
	r := &Registry{
		user: "robot", password: rand.Text(),
		handler: registry.New(registry.Logger(log.New(io.Discard, "", 0)), registry.WithBlobHandler(registry.NewDiskBlobHandler(GinkgoT().TempDir()))),
	}
	r.Host, r.CA = serveTLS(address, r.serve)
	return r
}

// serveTLS serves a handler until the spec ends. It returns where, and the authority of the certificate, as PEM.
func serveTLS(address string, handler http.HandlerFunc) (host string, ca []byte) {
	GinkgoHelper()
	certificate, key, err := cert.GenerateSelfSignedCertKey(address, []net.IP{net.ParseIP(address)}, nil)
	Expect(err).NotTo(HaveOccurred())
	pair, err := tls.X509KeyPair(certificate, key)
	Expect(err).NotTo(HaveOccurred())
	return serve(address, handler, &tls.Config{Certificates: []tls.Certificate{pair}, MinVersion: tls.VersionTLS12}), certificate
}

// serve serves a handler until the spec ends, without TLS if it is not configured. It returns where.
func serve(address string, handler http.HandlerFunc, config *tls.Config) (host string) {
	GinkgoHelper()
	listener, err := (&net.ListenConfig{}).Listen(context.Background(), "tcp", net.JoinHostPort(address, "0"))
	Expect(err).NotTo(HaveOccurred())
	server := httptest.NewUnstartedServer(handler)
	Expect(server.Listener.Close()).To(Succeed())
	server.Listener, server.TLS = listener, config
	if config != nil {
		server.StartTLS()
	} else {
		server.Start()
	}
	DeferCleanup(server.Close)
	return listener.Addr().String()
}

func (r *Registry) serve(w http.ResponseWriter, request *http.Request) {
	if user, password, ok := request.BasicAuth(); !ok || user != r.user || password != r.password {
		w.Header().Set("WWW-Authenticate", `Basic realm="registry"`)
		http.Error(w, "who are you?", http.StatusUnauthorized)
		return
	}
	r.handler.ServeHTTP(w, request)
}

// Credentials returns the file config.json of Docker with the credentials of the registry.
func (r *Registry) Credentials() []byte {
	GinkgoHelper()
	config, err := json.Marshal(map[string]any{"auths": map[string]any{r.Host: map[string]string{"username": r.user, "password": r.password}}})
	Expect(err).NotTo(HaveOccurred())
	return config
}

// Secret returns the credentials of the registry, and the authority of its certificate.
func (r *Registry) Secret() *corev1.Secret {
	GinkgoHelper()
	return &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Name: "registry"}, Type: corev1.SecretTypeDockerConfigJson,
		Data: map[string][]byte{corev1.DockerConfigJsonKey: r.Credentials(), "ca.crt": r.CA},
	}
}

// DigestOf returns the digest of the manifest that a tag names; empty if there is none.
func (r *Registry) DigestOf(repository, tag string) string {
	answer := httptest.NewRecorder()
	r.handler.ServeHTTP(answer, httptest.NewRequest(http.MethodHead, "/v2/"+repository+"/manifests/"+tag, nil))
	return answer.Header().Get("Docker-Content-Digest")
}
