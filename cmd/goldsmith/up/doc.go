// SPDX-License-Identifier: Apache-2.0

// Package up is Goldsmith in one process: the API server with an etcd inside, the controllers, and the agent that runs
// builds as local processes. It wires them together and starts and stops them in order; it holds no logic of theirs.
//
// It must never serve without TLS and a token, nor on an address that another machine can reach.
package up
