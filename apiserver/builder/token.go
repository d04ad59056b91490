// SPDX-License-Identifier: Apache-2.0

package builder

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"

	"k8s.io/apiserver/pkg/authentication/authenticator"
	"k8s.io/apiserver/pkg/authentication/group"
	"k8s.io/apiserver/pkg/authentication/request/bearertoken"
	"k8s.io/apiserver/pkg/authentication/user"
	"k8s.io/apiserver/pkg/authorization/authorizer"
	"k8s.io/apiserver/pkg/authorization/authorizerfactory"
)

// bearerToken keeps only a digest of the token, so that no dump or log contains the token.
type bearerToken struct {
	digest [sha256.Size]byte
	user   user.Info
}

func newBearerToken(token string, info user.Info) bearerToken {
	return bearerToken{digest: sha256.Sum256([]byte(token)), user: info}
}

// tokenAuthenticator authenticates the holders of the tokens, and guests.
func tokenAuthenticator(tokens []bearerToken, invited []guests) authenticator.Request {
	check := authenticator.TokenFunc(func(ctx context.Context, presented string) (*authenticator.Response, bool, error) {
		digest := sha256.Sum256([]byte(presented))
		for _, token := range tokens {
			if subtle.ConstantTimeCompare(digest[:], token.digest[:]) == 1 {
				return &authenticator.Response{User: token.user}, true, nil
			}
		}
		for _, guests := range invited {
			if response, ok, err := guests.tokens.AuthenticateToken(ctx, presented); ok || err != nil {
				return response, ok, err
			}
		}
		return nil, false, nil
	})
	return group.NewAuthenticatedGroupAdder(bearertoken.New(check))
}

// rightsOf authorizes members of system:masters for every request, guests by their rights, and everybody for the probes.
func rightsOf(probes authorizer.Authorizer, invited []guests) authorizer.Authorizer {
	privileged := authorizerfactory.NewPrivilegedGroups(user.SystemPrivilegedGroup)
	allowing := []authorizer.Authorizer{probes}
	for _, guests := range invited {
		allowing = append(allowing, guests.rights)
	}
	return authorizer.AuthorizerFunc(func(ctx context.Context, attributes authorizer.Attributes) (authorizer.Decision, string, error) {
		for _, rights := range allowing {
			if decision, reason, err := rights.Authorize(ctx, attributes); decision == authorizer.DecisionAllow {
				return decision, reason, err
			}
		}
		return privileged.Authorize(ctx, attributes)
	})
}
