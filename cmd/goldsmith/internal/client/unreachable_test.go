// SPDX-License-Identifier: Apache-2.0

package client

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"

	"goldsmith.dev/goldsmith/apis/generated/clientset/versioned"
	"goldsmith.dev/goldsmith/e2e/require"
)

// failing is a connection that fails.
type failing struct{ err error }

func (f failing) RoundTrip(*http.Request) (*http.Response, error) { return nil, f.err }

func TestAConnectionThatCannotBeMadeIsReportedWithTheNextStep(t *testing.T) {
	dial := func(cause error) error { return &net.OpError{Op: "dial", Net: "tcp", Err: cause} }
	for _, test := range []struct {
		name string
		err  error
		want string // "" for an error that is passed on
	}{
		{"a name without an address", dial(&net.DNSError{Err: "no such host", Name: "here.invalid", IsNotFound: true}),
			"cannot reach the server at https://here.invalid:1: dial tcp: lookup here.invalid: no such host; correct the server in the-kubeconfig, or name another kubeconfig with --kubeconfig"},
		{"a timeout", dial(context.DeadlineExceeded),
			"cannot reach the server at https://here.invalid:1: dial tcp: context deadline exceeded; correct the server in the-kubeconfig, or name another kubeconfig with --kubeconfig"},
		{"a certificate that has expired", &tls.CertificateVerificationError{Err: x509.CertificateInvalidError{
			Cert: &x509.Certificate{NotAfter: time.Unix(1_800_000_000, 0)}, Reason: x509.Expired, Detail: "current time 2030-01-01T00:00:00Z is after 2027-01-15T08:00:00Z",
		}}, "cannot trust the server at https://here.invalid:1: its certificate has expired at 2027-01-15T08:00:00Z; restart the server, which renews its certificate, and check the clocks of both machines"},
		{"a clock that is behind", &tls.CertificateVerificationError{Err: x509.CertificateInvalidError{
			Cert: &x509.Certificate{NotBefore: time.Unix(1_800_000_000, 0)}, Reason: x509.Expired, Detail: "current time 2020-01-01T00:00:00Z is before 2027-01-15T08:00:00Z",
		}}, "cannot trust the server at https://here.invalid:1: its certificate is not valid before 2027-01-15T08:00:00Z; restart the server, which renews its certificate, and check the clocks of both machines"},
		{"a connection that is lost", &net.OpError{Op: "read", Net: "tcp", Err: io.ErrUnexpectedEOF}, ""},
	} {
		request := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "https://here.invalid:1/apis", nil)
		response, err := reporting{failing{test.err}, "the-kubeconfig"}.RoundTrip(request)
		if response != nil {
			_ = response.Body.Close()
		}
		unreachable, ok := errors.AsType[*UnreachableError](err)
		if ok != (test.want != "") || ok && (unreachable.Error() != test.want || unreachable.Err != test.err) || !ok && !errors.Is(err, test.err) { //nolint:errorlint // the same error
			t.Errorf("%s: got %v, want %q", test.name, err, test.want)
		}
	}
}

func TestARequestThatIsCancelledIsNotAboutTheConnection(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	request := httptest.NewRequestWithContext(ctx, http.MethodGet, "https://here.invalid:1/apis", nil)
	response, err := reporting{failing{&net.OpError{Op: "dial", Net: "tcp", Err: ctx.Err()}}, "the-kubeconfig"}.RoundTrip(request)
	if response != nil {
		_ = response.Body.Close()
	}
	if _, ok := errors.AsType[*UnreachableError](err); ok || !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

func TestAServerOfAnotherAuthorityIsNotTrusted(t *testing.T) {
	server := httptest.NewUnstartedServer(http.NotFoundHandler())
	server.Config.ErrorLog = log.New(io.Discard, "", 0) // the server would log clients that do not trust it
	server.StartTLS()
	t.Cleanup(server.Close)
	_, err := list(t, &rest.Config{Host: server.URL})
	want := "cannot trust the server at " + server.URL + ": tls: failed to verify certificate: x509: certificate signed by unknown authority; " +
		`replace the-kubeconfig by the kubeconfig that "goldsmith up" of this server wrote`
	if unreachable, ok := errors.AsType[*UnreachableError](err); !ok || unreachable.Error() != want {
		t.Errorf("got %v, want %q", err, want)
	}
	authority := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})
	if _, err := list(t, &rest.Config{Host: server.URL, TLSClientConfig: rest.TLSClientConfig{CAData: authority}}); !apierrors.IsNotFound(err) {
		t.Errorf("with its authority: got %v", err)
	}
}

func TestRefusedCredentialsAreNamedByTheirKubeconfig(t *testing.T) {
	for _, contentType := range []string{"application/json", "text/plain"} {
		server := httptest.NewServer(http.HandlerFunc(func(writer http.ResponseWriter, _ *http.Request) {
			writer.Header().Set("Content-Type", contentType)
			writer.WriteHeader(http.StatusUnauthorized)
			_, _ = io.WriteString(writer, `{"kind":"Status","apiVersion":"v1","status":"Failure","message":"Unauthorized","reason":"Unauthorized","code":401}`)
		}))
		t.Cleanup(server.Close)
		stream, err := list(t, &rest.Config{Host: server.URL})
		want := "the server at " + server.URL + ` does not accept the credentials in the-kubeconfig; use the kubeconfig that "goldsmith up" wrote last`
		for _, err := range []error{err, stream} {
			if !apierrors.IsUnauthorized(err) || !strings.Contains(err.Error(), want) {
				t.Errorf("%s: got %v, want %q", contentType, err, want)
			}
		}
	}
}

// list returns the errors of a stream and of a list.
func list(t *testing.T, config *rest.Config) (stream, list error) {
	t.Helper()
	reportConnection(config, "the-kubeconfig")
	clients, err := versioned.NewForConfig(config)
	require.NoError(t, err)
	_, list = clients.ImagesV1alpha1().Images("team").List(t.Context(), metav1.ListOptions{})
	body, stream := clients.ImagesV1alpha1().RESTClient().Get().Namespace("team").Resource("images").MaxRetries(0).Stream(t.Context())
	if body != nil {
		_ = body.Close()
	}
	return stream, list
}
