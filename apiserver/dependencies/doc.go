// SPDX-License-Identifier: Apache-2.0

// Package dependencies waits for the etcd and the kube-apiserver that a server needs to start.
//
// It must never answer a request for an object: a 404 of a server that has not started would tell a garbage collector that the
// object was deleted. Public answers must not contain the cause of a failure: the cause is only in the server's own output.
package dependencies
