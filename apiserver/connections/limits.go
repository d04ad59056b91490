// SPDX-License-Identifier: Apache-2.0

package connections

import "time"

const (
	// patience is how long a connection may take to its first authenticated request. It covers all that a stranger can do slowly: the TLS handshake,
	// headers, bodies, and the reading of answers.
	patience = 30 * time.Second
	// maxAuthenticated and maxStrangers limit Limits where there are very many file descriptors.
	maxAuthenticated, maxStrangers = 16_384, 1024
	// minStrangers is enough for the clients of one person that connect at the same time.
	minStrangers = 8
)

// Limits are the limits of one listener.
type Limits struct {
	// Authenticated is the maximum number of connections that had an authenticated request. One more takes the place of one whose owner has more than its own.
	Authenticated int
	// Strangers is the maximum number of all other connections. One more closes the oldest of them.
	Strangers int
	// Patience is how long a connection may be that of a stranger.
	Patience time.Duration
}

// OfProcess returns the limits for a listener of this process: a quarter of its file descriptors for authenticated connections, and a sixteenth for
// strangers. A process with two listeners keeps more than a third for its storage, files and processes.
func OfProcess() Limits { return of(descriptors()) }

func of(descriptors uint64) Limits {
	return Limits{
		Authenticated: int(min(descriptors/4, maxAuthenticated)),
		Strangers:     int(max(minStrangers, min(descriptors/16, maxStrangers))),
		Patience:      patience,
	}
}
