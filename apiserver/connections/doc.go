// SPDX-License-Identifier: Apache-2.0

// Package connections limits the connections of a listener, so that clients cannot use up the file descriptors of the process. It knows nothing of HTTP.
package connections
