// SPDX-License-Identifier: Apache-2.0

// Package authentication decides who sent a request, and which requests need no further authorization: Standalone for a server
// with tokens of its own, MarkForwarded and AuthorizedBefore for a server behind the aggregation layer of a kube-apiserver.
//
// It must never trust a header without the proxy certificate of the kube-apiserver, nor keep a token.
package authentication
