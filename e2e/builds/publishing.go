// SPDX-License-Identifier: Apache-2.0

package builds

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
	"strings"

	"github.com/google/go-containerregistry/pkg/registry"
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/util/cert"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/e2e/workspace"
)

func describePublishing(w *fixture) {
	Describe("An image with an output", func() {
		It("is published with the credentials of its Secret, and not without them, and others start from it", Label("gate"), func(ctx SpecContext) {
			registry := newRegistry(w.hostAddress(ctx))
			image := workspace.NewImage("web")
			image.Spec.Output = &v1alpha1.Output{Repository: registry.host + "/team/web", SecretRef: &v1alpha1.SecretReference{Name: "registry"}}
			w.CreateImage(ctx, image)
			denied := w.WaitForBuild(ctx, "web-1", failedWith("Config/RegistryDenied"))
			Expect(denied.Status.Failure.Message).To(ContainSubstring("Secret %s/registry of output.secretRef does not exist", w.Namespace))
			Expect(denied.Status.Artifacts).To(BeEmpty())
			Expect(w.Log(ctx, "web-1", nil)).To(MatchRegexp(`(?s)step 1/1.*\ngoldsmith: waiting for the result.*output\.secretRef does not exist`))

			_, err := w.Kube.CoreV1().Secrets(w.Namespace).Create(ctx, registry.secret(), metav1.CreateOptions{})
			Expect(err).NotTo(HaveOccurred())
			build := w.Succeeded(ctx, w.Request(ctx, "web", "again").Name)

			artifact := build.Status.Artifacts[0]
			digest, published := strings.CutPrefix(artifact.Location, image.Spec.Output.Repository+"@")
			Expect(published).To(BeTrue(), artifact.Location)
			Expect(artifact.Verified).To(Equal(v1alpha1.ArtifactVerifiedContent))
			Expect(artifact.Tag).To(Equal(build.Name))
			Expect(registry.digestOf("team/web", build.Name)).To(Equal(digest))
			Expect(registry.digestOf("team/web", "web-1")).To(BeEmpty())

			By("another image starts from the published artifact")
			based := workspace.NewImage("based")
			based.Spec.Base = v1alpha1.Base{ImageRef: &v1alpha1.BaseImageReference{Name: "web"}}
			w.CreateImage(ctx, based)
			denied = w.WaitForBuild(ctx, "based-1", failedWith("Config/RegistryRefused")) // without an output it has no Secret, which has the authority of the registry
			Expect(denied.Status.Failure.Message).To(ContainSubstring("artifact linux/amd64/raw of build %s of base web: fetch from %s", build.Name, registry.host))
			Expect(w.Log(ctx, "based-1", nil)).To(MatchRegexp(`(?s)goldsmith: fetching linux/amd64/raw of build .*\ngoldsmith: artifact linux/amd64/raw of build .*: fetch from `))
			w.ChangeImage(ctx, "based", func(image *v1alpha1.Image) {
				image.Spec.Output = &v1alpha1.Output{Repository: registry.host + "/team/based", SecretRef: &v1alpha1.SecretReference{Name: "registry"}}
			})
			w.Succeeded(ctx, "based-2")
			Expect(w.Log(ctx, "based-2", nil)).To(And(
				MatchRegexp(`(?s)goldsmith: fetching linux/amd64/raw of build .*\ngoldsmith: fetched .*\nstep 1/1.*\ngoldsmith: pushed linux/amd64/raw in .*\ngoldsmith: published linux/amd64/raw: `),
				ContainSubstring("the base has linux/amd64/raw, %d bytes, %s", artifact.SizeBytes, artifact.Digest)))
		})
	})
}

// hostAddress returns the address of this machine in the network of the cluster's nodes.
func (w *fixture) hostAddress(ctx context.Context) string {
	GinkgoHelper()
	nodes, err := w.Kube.CoreV1().Nodes().List(ctx, metav1.ListOptions{})
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

// servedRegistry is a registry that this process serves, with TLS and a password.
type servedRegistry struct {
	host     string
	user     string
	password string
	ca       []byte
	handler  http.Handler
}

// newRegistry serves a registry until the spec ends.
func newRegistry(address string) *servedRegistry {
	GinkgoHelper()
	certificate, key, err := cert.GenerateSelfSignedCertKey(address, []net.IP{net.ParseIP(address)}, nil)
	Expect(err).NotTo(HaveOccurred())
	pair, err := tls.X509KeyPair(certificate, key)
	Expect(err).NotTo(HaveOccurred())
	listener, err := (&net.ListenConfig{}).Listen(context.Background(), "tcp", net.JoinHostPort(address, "0"))
	Expect(err).NotTo(HaveOccurred())
	r := &servedRegistry{
		host: listener.Addr().String(), user: "robot", password: rand.Text(), ca: certificate,
		handler: registry.New(registry.Logger(log.New(io.Discard, "", 0))),
	}
	server := httptest.NewUnstartedServer(http.HandlerFunc(r.serve))
	Expect(server.Listener.Close()).To(Succeed())
	server.Listener, server.TLS = listener, &tls.Config{Certificates: []tls.Certificate{pair}, MinVersion: tls.VersionTLS12}
	server.StartTLS()
	DeferCleanup(server.Close)
	return r
}

func (r *servedRegistry) serve(w http.ResponseWriter, request *http.Request) {
	if user, password, ok := request.BasicAuth(); !ok || user != r.user || password != r.password {
		w.Header().Set("WWW-Authenticate", `Basic realm="registry"`)
		http.Error(w, "who are you?", http.StatusUnauthorized)
		return
	}
	r.handler.ServeHTTP(w, request)
}

// secret returns the credentials of the registry, and the authority of its certificate.
func (r *servedRegistry) secret() *corev1.Secret {
	GinkgoHelper()
	config, err := json.Marshal(map[string]any{"auths": map[string]any{r.host: map[string]string{"username": r.user, "password": r.password}}})
	Expect(err).NotTo(HaveOccurred())
	return &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Name: "registry"}, Type: corev1.SecretTypeDockerConfigJson,
		Data: map[string][]byte{corev1.DockerConfigJsonKey: config, "ca.crt": r.ca},
	}
}

// digestOf returns the digest of the manifest that a tag names; empty if there is none.
func (r *servedRegistry) digestOf(repository, tag string) string {
	answer := httptest.NewRecorder()
	r.handler.ServeHTTP(answer, httptest.NewRequest(http.MethodHead, "/v2/"+repository+"/manifests/"+tag, nil))
	return answer.Header().Get("Docker-Content-Digest")
}
