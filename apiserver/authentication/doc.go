// SPDX-License-Identifier: Apache-2.0

// Package authentication decides who sent a request, and which requests need no further authorization.
//
// Standalone authenticates and authorizes with tokens of the server. Behind a kube-apiserver, MarkForwarded marks forwarded
// requests, and AuthorizedBefore skips a second authorization of them. ProxyChecks keeps the server unready until it can
// recognise forwarded requests.
//
// It must never trust a header without the proxy certificate of the kube-apiserver, nor keep a token.
package authentication
