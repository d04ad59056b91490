// SPDX-License-Identifier: Apache-2.0

package client

import (
	"bytes"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime"
	utilnet "k8s.io/apimachinery/pkg/util/net"
	"k8s.io/client-go/rest"

	"goldsmith.dev/goldsmith/jobs/publish/transport"
)

// UnreachableError reports a server that no connection can be made to, and what to do about it.
type UnreachableError struct {
	Server string
	// Kubeconfig is the file that names the server.
	Kubeconfig string
	Err        error
}

// Error names the server, the cause unless the server refuses connections, and the next step.
func (e *UnreachableError) Error() string {
	switch {
	case utilnet.IsConnectionRefused(e.Err):
		return "cannot reach the server at " + e.Server + `; is "goldsmith up" running?`
	case transport.Expired(e.Err) != "":
		return fmt.Sprintf(`cannot trust the server at %s: its certificate %s; restart the server, which renews its certificate, and check the clocks of both machines`,
			e.Server, transport.Expired(e.Err))
	case isUntrusted(e.Err):
		return fmt.Sprintf(`cannot trust the server at %s: %v; replace %s by the kubeconfig that "goldsmith up" of this server wrote`, e.Server, e.Err, e.Kubeconfig)
	default:
		return fmt.Sprintf("cannot reach the server at %s: %v; correct the server in %s, or name another kubeconfig with --kubeconfig", e.Server, e.Err, e.Kubeconfig)
	}
}

// Unwrap returns the cause.
func (e *UnreachableError) Unwrap() error {
	return e.Err
}

// reportConnection lets every request of a client that gets no connection end with an UnreachableError. If the server refuses the
// credentials, its message names the kubeconfig that has them.
func reportConnection(config *rest.Config, kubeconfig string) {
	config.Wrap(func(next http.RoundTripper) http.RoundTripper { return reporting{next, kubeconfig} })
}

type reporting struct {
	http.RoundTripper
	kubeconfig string
}

// RoundTrip replaces the error of a connection that cannot be made, and the message of refused credentials.
func (r reporting) RoundTrip(request *http.Request) (*http.Response, error) {
	response, err := r.RoundTripper.RoundTrip(request)
	server := request.URL.Scheme + "://" + request.URL.Host
	switch {
	case err != nil && request.Context().Err() == nil && isUnreachable(err):
		err = &UnreachableError{Server: server, Kubeconfig: r.kubeconfig, Err: err}
	case err == nil && response.StatusCode == http.StatusUnauthorized:
		err = replaceBody(response, apierrors.NewUnauthorized(fmt.Sprintf(
			`the server at %s does not accept the credentials in %s; use the kubeconfig that "goldsmith up" wrote last`, server, r.kubeconfig)))
	}
	return response, err
}

// isUnreachable reports whether a connection failed for a reason that people can correct.
func isUnreachable(err error) bool {
	dial, failed := errors.AsType[*net.OpError](err)
	timeout, ok := errors.AsType[net.Error](err)
	return failed && dial.Op == "dial" || ok && timeout.Timeout() || isUntrusted(err)
}

func isUntrusted(err error) bool {
	_, ok := errors.AsType[*tls.CertificateVerificationError](err)
	return ok
}

// replaceBody replaces the answer with a Status. The status code stays, because plugins for credentials read it.
func replaceBody(response *http.Response, refusal *apierrors.StatusError) error {
	status := refusal.Status()
	status.APIVersion, status.Kind = "v1", "Status"
	body, err := json.Marshal(&status)
	if err != nil {
		return fmt.Errorf("encode the refusal of the credentials: %w", err)
	}
	if err := response.Body.Close(); err != nil {
		return fmt.Errorf("close the answer of the server: %w", err)
	}
	response.Body, response.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
	response.Header.Set("Content-Type", runtime.ContentTypeJSON)
	response.Header.Set("Content-Length", strconv.Itoa(len(body)))
	return nil
}
