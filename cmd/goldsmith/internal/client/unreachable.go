// SPDX-License-Identifier: Apache-2.0

package client

import (
	"net/http"

	utilnet "k8s.io/apimachinery/pkg/util/net"
	"k8s.io/client-go/rest"
)

// UnreachableError reports a server that refuses connections, and what to do about it.
type UnreachableError struct {
	Server string
	Err    error
}

// Error names the server and the next step, which users need more than the cause.
func (e *UnreachableError) Error() string {
	return "cannot reach the server at " + e.Server + `; is "goldsmith up" running?`
}

// Unwrap returns the cause.
func (e *UnreachableError) Unwrap() error {
	return e.Err
}

// reportUnreachable lets every request of a client end with an UnreachableError if the server refuses the connection.
func reportUnreachable(config *rest.Config) {
	config.Wrap(func(next http.RoundTripper) http.RoundTripper { return reporting{next} })
}

type reporting struct{ http.RoundTripper }

// RoundTrip replaces the error of a refused connection.
func (r reporting) RoundTrip(request *http.Request) (*http.Response, error) {
	response, err := r.RoundTripper.RoundTrip(request)
	if utilnet.IsConnectionRefused(err) {
		err = &UnreachableError{Server: request.URL.Scheme + "://" + request.URL.Host, Err: err}
	}
	return response, err
}
