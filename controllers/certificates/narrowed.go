// SPDX-License-Identifier: Apache-2.0

package certificates

import (
	"net/http"
	"strings"

	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/manager"
)

// narrowed is a manager whose configuration lists and watches one Secret by its name. The namespace also has Secrets that this process must not
// read, such as the keys of SigningKeys. cert-controller would list them all.
type narrowed struct {
	manager.Manager
	secret string
}

// GetConfig returns the configuration of clients.
func (n narrowed) GetConfig() *rest.Config {
	config := rest.CopyConfig(n.Manager.GetConfig())
	config.Wrap(func(next http.RoundTripper) http.RoundTripper { return named{next, n.secret} })
	return config
}

// named selects a Secret by its name in requests to list or watch Secrets.
type named struct {
	http.RoundTripper
	secret string
}

// RoundTrip sends a request.
func (n named) RoundTrip(request *http.Request) (*http.Response, error) {
	if request.Method == http.MethodGet && strings.HasSuffix(request.URL.Path, "/secrets") {
		request = request.Clone(request.Context())
		query := request.URL.Query()
		query.Set("fieldSelector", "metadata.name="+n.secret)
		request.URL.RawQuery = query.Encode()
	}
	return n.RoundTripper.RoundTrip(request)
}
