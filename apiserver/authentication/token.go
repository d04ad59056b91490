// SPDX-License-Identifier: Apache-2.0

package authentication

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"

	"k8s.io/apiserver/pkg/apis/apiserver"
	"k8s.io/apiserver/pkg/authentication/authenticator"
	"k8s.io/apiserver/pkg/authentication/group"
	"k8s.io/apiserver/pkg/authentication/request/anonymous"
	"k8s.io/apiserver/pkg/authentication/request/bearertoken"
	"k8s.io/apiserver/pkg/authentication/request/union"
	tokenunion "k8s.io/apiserver/pkg/authentication/token/union"
	"k8s.io/apiserver/pkg/authentication/user"
	"k8s.io/apiserver/pkg/authorization/authorizer"
	"k8s.io/apiserver/pkg/authorization/authorizerfactory"
	"k8s.io/apiserver/pkg/authorization/path"
)

// Tokens are the users of bearer tokens, by the digests of the tokens, so that no dump or log contains a token.
type Tokens map[[sha256.Size]byte]user.Info

// Add adds the holder of a token.
func (t Tokens) Add(token string, info user.Info) { t[sha256.Sum256([]byte(token))] = info }

// AuthenticateToken returns the holder of a token.
func (t Tokens) AuthenticateToken(_ context.Context, token string) (*authenticator.Response, bool, error) {
	info, known := t[sha256.Sum256([]byte(token))]
	return &authenticator.Response{User: info}, known, nil
}

// Guests are users whose tokens may change while the server runs, and whose rights are limited.
type Guests struct {
	Tokens authenticator.Token
	Rights authorizer.Authorizer
}

// Standalone returns the authentication and the authorization of a server without a cluster. Members of system:masters are
// authorized for every request, guests by their rights, and everybody for the probes.
func Standalone(tokens Tokens, guests []Guests) (authenticator.Request, authorizer.Authorizer, error) {
	// As those of kube-apiserver, these paths answer without a token: supervisors and load balancers have none. Their checks,
	// such as /readyz/etcd, need one.
	probes := []string{"/healthz", "/livez", "/readyz"}
	probing, err := path.NewAuthorizer(probes)
	if err != nil {
		return nil, nil, fmt.Errorf("let everybody probe the server: %w", err)
	}
	var unauthenticated []apiserver.AnonymousAuthCondition
	for _, probe := range probes {
		unauthenticated = append(unauthenticated, apiserver.AnonymousAuthCondition{Path: probe})
	}
	known, rights := []authenticator.Token{tokens}, []authorizer.Authorizer(nil)
	for _, guests := range guests {
		known, rights = append(known, guests.Tokens), append(rights, guests.Rights)
	}
	holders := group.NewAuthenticatedGroupAdder(bearertoken.New(tokenunion.NewFailOnError(known...)))
	return union.NewFailOnError(holders, anonymous.NewAuthenticator(unauthenticated)), privilegedOr(probing, rights), nil
}

// standalone authorizes members of system:masters, what one of the rights allows, and the probes.
type standalone struct {
	authorizer.AuthorizerFunc
	rights []authorizer.Authorizer
}

func privilegedOr(probing authorizer.Authorizer, rights []authorizer.Authorizer) standalone {
	privileged := authorizerfactory.NewPrivilegedGroups(user.SystemPrivilegedGroup)
	return standalone{func(ctx context.Context, attributes authorizer.Attributes) (authorizer.Decision, string, error) {
		for _, right := range append([]authorizer.Authorizer{probing}, rights...) {
			if decision, reason, err := right.Authorize(ctx, attributes); decision == authorizer.DecisionAllow {
				return decision, reason, err
			}
		}
		return privileged.Authorize(ctx, attributes)
	}, rights}
}

// RulesFor lists the rules of a user. As kube-apiserver, it leaves out the probes. The list is incomplete if the user has rights that are not a
// RuleResolver.
func (s standalone) RulesFor(ctx context.Context, info user.Info, namespace string) (
	of []authorizer.ResourceRuleInfo, paths []authorizer.NonResourceRuleInfo, incomplete bool, err error) {
	if slices.Contains(info.GetGroups(), user.SystemPrivilegedGroup) {
		return authorizerfactory.NewAlwaysAllowAuthorizer().RulesFor(ctx, info, namespace)
	}
	for _, right := range s.rights {
		listed, ok := right.(authorizer.RuleResolver)
		if !ok {
			incomplete, err = true, errors.New("the rules of this user cannot be listed")
			continue
		}
		moreOf, morePaths, more, failure := listed.RulesFor(ctx, info, namespace)
		of, paths, incomplete, err = append(of, moreOf...), append(paths, morePaths...), incomplete || more, errors.Join(err, failure)
	}
	return of, paths, incomplete, err
}
