// SPDX-License-Identifier: Apache-2.0

// Package up is Goldsmith in one process: the API server with an etcd inside, the controllers, and the agent that runs
// builds as local processes. The package connects these parts, and starts and stops them in order. It has no logic of
// theirs.
//
// The server must never serve without TLS and a token, nor on an address that another machine can reach.
package up
