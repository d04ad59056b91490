// SPDX-License-Identifier: Apache-2.0

package security

import (
	"crypto/tls"
	"encoding/json"
	"net"
	"net/http"
	"net/http/httptest"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	admissionv1 "k8s.io/api/admission/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// serveWebhook serves an admission webhook on this address of the machine until the spec ends. Refusal returns the reason to
// refuse an object by its name, or "" to admit it. serveWebhook returns the URL, and the certificate to trust.
func serveWebhook(address net.IP, refusal func(name string) string) (url string, bundle []byte) {
	GinkgoHelper()
	listener, err := net.Listen("tcp", net.JoinHostPort(address.String(), "0"))
	Expect(err).NotTo(HaveOccurred())
	certificate := selfSigned("webhook", address)
	hook := &httptest.Server{
		Listener: listener,
		TLS:      &tls.Config{Certificates: []tls.Certificate{certificate}, MinVersion: tls.VersionTLS12},
		Config: &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			review := admissionv1.AdmissionReview{}
			if err := json.NewDecoder(r.Body).Decode(&review); err != nil || review.Request == nil {
				http.Error(w, "no review", http.StatusBadRequest)
				return
			}
			said := refusal(review.Request.Name)
			review.Response = &admissionv1.AdmissionResponse{UID: review.Request.UID, Allowed: said == "", Result: &metav1.Status{Message: said}}
			review.Request = nil
			w.Header().Set("Content-Type", "application/json")
			_ = json.NewEncoder(w).Encode(review) // this fails only if the client has disconnected
		})},
	}
	hook.StartTLS()
	DeferCleanup(hook.Close)
	return hook.URL, toPEM(certificate)
}
