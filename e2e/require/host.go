// SPDX-License-Identifier: Apache-2.0

package require

import (
	"net"
	"net/http"
	"strings"
)

// Resolve sends a request for a name below localhost to 127.0.0.1. Browsers resolve such names themselves, and the resolvers of many machines do not.
func Resolve(request *http.Request) *http.Request {
	if strings.HasSuffix(request.URL.Hostname(), ".localhost") {
		request.Host, request.URL.Host = request.URL.Host, net.JoinHostPort("127.0.0.1", request.URL.Port())
	}
	return request
}
