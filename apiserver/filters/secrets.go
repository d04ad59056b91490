// SPDX-License-Identifier: Apache-2.0

package filters

import (
	"context"
	"net/http"
)

// secretKey is the key of the context of a request for a header that TakeSecrets has taken.
type secretKey string

// TakeSecrets takes headers with secrets out of requests, so that no filter behind it can log, audit or forward them. A handler reads such a
// header by Secret.
func TakeSecrets(headers []string, chain http.Handler) http.Handler {
	return http.HandlerFunc(func(writer http.ResponseWriter, request *http.Request) {
		ctx := request.Context()
		for _, header := range headers {
			if secret := request.Header.Get(header); secret != "" {
				ctx = context.WithValue(ctx, secretKey(header), secret)
			}
			request.Header.Del(header)
		}
		chain.ServeHTTP(writer, request.WithContext(ctx))
	})
}

// Secret returns the value of a header that TakeSecrets has taken out of the request of a context. Empty if the request had none.
func Secret(ctx context.Context, header string) string {
	secret, _ := ctx.Value(secretKey(header)).(string)
	return secret
}
