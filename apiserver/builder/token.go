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
)

// bearerToken keeps only a digest of the token, so that the token itself is in no dump and no log.
type bearerToken struct {
	digest [sha256.Size]byte
	user   user.Info
}

func newBearerToken(token string, info user.Info) bearerToken {
	return bearerToken{digest: sha256.Sum256([]byte(token)), user: info}
}

// tokenAuthenticator lets the holders of the tokens in, and nobody else.
func tokenAuthenticator(tokens []bearerToken) authenticator.Request {
	check := authenticator.TokenFunc(func(_ context.Context, presented string) (*authenticator.Response, bool, error) {
		digest := sha256.Sum256([]byte(presented))
		for _, token := range tokens {
			if subtle.ConstantTimeCompare(digest[:], token.digest[:]) == 1 {
				return &authenticator.Response{User: token.user}, true, nil
			}
		}
		return nil, false, nil
	})
	return group.NewAuthenticatedGroupAdder(bearertoken.New(check))
}
