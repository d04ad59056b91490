// SPDX-License-Identifier: Apache-2.0

// Package filters has HTTP handlers around the API, as package filters of the generic server does: for web pages of other
// origins, for browsers, for clients that do not read, and for streams and clients of a server that stops.
//
// A filter must never touch an answer after its handler has returned: net/http would end the process.
package filters
