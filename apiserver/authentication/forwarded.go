// SPDX-License-Identifier: Apache-2.0

package authentication

import (
	"context"
	"errors"
	"net/http"

	"k8s.io/apimachinery/pkg/util/sets"
	"k8s.io/apiserver/pkg/authentication/authenticator"
	"k8s.io/apiserver/pkg/authentication/group"
	"k8s.io/apiserver/pkg/authentication/request/headerrequest"
	"k8s.io/apiserver/pkg/authentication/request/union"
	"k8s.io/apiserver/pkg/authentication/user"
	"k8s.io/apiserver/pkg/authorization/authorizer"
	genericapiserver "k8s.io/apiserver/pkg/server"
	"k8s.io/apiserver/pkg/server/healthz"
)

// forwardedUser is a user whom the kube-apiserver authenticated before it forwarded the request.
type forwardedUser struct{ user.Info }

// MarkForwarded marks users whose request came with the proxy certificate of the kube-apiserver.
func MarkForwarded(info *genericapiserver.AuthenticationInfo) {
	headers := info.RequestHeaderConfig
	if headers == nil {
		return
	}
	proxy := headerrequest.NewDynamicVerifyOptionsSecure(headers.CAContentProvider.VerifyOptions, headers.AllowedClientNames,
		headers.UsernameHeaders, headers.UIDHeaders, headers.GroupHeaders, headers.ExtraHeaderPrefixes)
	info.Authenticator = union.New(mark(group.NewAuthenticatedGroupAdder(proxy)), info.Authenticator)
}

// ProxyChecks returns checks for /readyz that delay the readiness of a server until it has the authority of the kube-apiserver's proxy certificate, which the
// library reads after it has begun to serve. Until then the server treats forwarded requests as requests of system:anonymous,
// and refuses them.
func ProxyChecks(info *genericapiserver.AuthenticationInfo) []healthz.HealthChecker {
	headers := info.RequestHeaderConfig
	if headers == nil {
		return nil
	}
	return []healthz.HealthChecker{healthz.NamedCheck("front-proxy", func(*http.Request) error {
		if _, known := headers.CAContentProvider.VerifyOptions(); !known {
			return errors.New("ConfigMap kube-system/extension-apiserver-authentication was not read yet, or has no requestheader-client-ca-file: " +
				"is the aggregation layer of the cluster configured?")
		}
		return nil
	})}
}

func mark(proxy authenticator.Request) authenticator.Request {
	return authenticator.RequestFunc(func(request *http.Request) (*authenticator.Response, bool, error) {
		response, ok, err := proxy.AuthenticateRequest(request)
		if ok {
			response.User = forwardedUser{response.User}
		}
		return response, ok, err
	})
}

// AuthorizedBefore authorizes forwarded requests for the given API groups. The kube-apiserver has authorized a request with
// the same path, verb and user before it forwarded it. To ask it again, for each new name, would cost as much as the request
// itself. For requests that were not forwarded, the kube-apiserver is asked.
//
// This applies only to the attributes of the request itself. Other checks of a server, such as whether a patch may create an
// object, are sent to the kube-apiserver, which has not decided them yet.
func AuthorizedBefore(groups sets.Set[string], others authorizer.UnconditionalAuthorizer) authorizer.Authorizer {
	return authorizer.AuthorizerFunc(func(ctx context.Context, attributes authorizer.Attributes) (authorizer.Decision, string, error) {
		if _, forwarded := attributes.GetUser().(forwardedUser); forwarded && attributes.IsResourceRequest() && groups.Has(attributes.GetAPIGroup()) {
			return authorizer.DecisionAllow, "authorized by the kube-apiserver, which forwarded the request", nil
		}
		return others.Authorize(ctx, attributes)
	})
}
