// SPDX-License-Identifier: Apache-2.0

package api

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
)

// root is the path of Goldsmith's API.
const root = "/apis/images.goldsmith.dev/v1alpha1"

// reply is the server's answer to a request.
type reply struct {
	code   int
	header http.Header
	body   []byte
}

// ask sends a request as it is, and reads the reply to its end. A header is given as "Name: value".
func (w *fixture) ask(ctx context.Context, method, path, body string, headers ...string) reply {
	GinkgoHelper()
	response := w.send(ctx, method, path, body, headers...)
	defer func() { _ = response.Body.Close() }()
	content, err := io.ReadAll(response.Body)
	Expect(err).NotTo(HaveOccurred())
	return reply{code: response.StatusCode, header: response.Header, body: content}
}

// get asks for a path.
func (w *fixture) get(ctx context.Context, path string, headers ...string) reply {
	GinkgoHelper()
	return w.ask(ctx, http.MethodGet, path, "", headers...)
}

// send sends a request, whose reply the caller reads and closes.
func (w *fixture) send(ctx context.Context, method, path, body string, headers ...string) *http.Response {
	GinkgoHelper()
	client, err := rest.HTTPClientFor(w.Config)
	Expect(err).NotTo(HaveOccurred())
	server, _, err := rest.DefaultServerUrlFor(w.Config)
	Expect(err).NotTo(HaveOccurred())
	request, err := http.NewRequestWithContext(ctx, method, strings.TrimSuffix(server.String(), "/")+path, strings.NewReader(body))
	Expect(err).NotTo(HaveOccurred())
	for _, header := range headers {
		name, value, _ := strings.Cut(header, ": ")
		request.Header.Add(name, value)
	}
	response, err := client.Do(request)
	Expect(err).NotTo(HaveOccurred())
	return response
}

// resourcePath is the path of something in the present namespace: "images?limit=1", "images/web/status".
func (w *fixture) resourcePath(what string) string {
	return root + "/namespaces/" + w.Namespace + "/" + what
}

// atBuiltIn is the same for kinds that are Kubernetes' own.
func (w *fixture) atBuiltIn(what string) string {
	return "/api/v1/namespaces/" + w.Namespace + "/" + what
}

// into decodes JSON.
func (r reply) into(object any) {
	GinkgoHelper()
	Expect(r.code).To(Equal(http.StatusOK), "%s", r.body)
	Expect(json.Unmarshal(r.body, object)).To(Succeed(), "%s", r.body)
}

// status is the answer of a server that refuses.
func (r reply) status() metav1.Status {
	GinkgoHelper()
	var status metav1.Status
	Expect(json.Unmarshal(r.body, &status)).To(Succeed(), "%s", r.body)
	Expect(status.Kind).To(Equal("Status"), "%s", r.body)
	return status
}
