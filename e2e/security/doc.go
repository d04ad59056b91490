// SPDX-License-Identifier: Apache-2.0

// Package security says who may do what, however they ask: through kube-apiserver with the cluster's roles, past it with
// what is not theirs, or through what the controller does for them.
package security
