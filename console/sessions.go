// SPDX-License-Identifier: Apache-2.0

package console

import (
	"crypto/rand"
	"crypto/sha256"
	"net"
	"slices"
	"strings"
	"sync"
	"time"

	"k8s.io/utils/clock"
)

const (
	// linkLifetime is how long a link works.
	linkLifetime = 10 * time.Minute
	// maxSessions is how many sessions there are at once. A further one ends the oldest.
	maxSessions = 64
)

// Sessions sign pages in. A link signs in one page, once. The page gets the token of a session, which ends after signInLimit, when its user signs
// out, and with this process: a page whose server has ended sends its token to anybody who listens at the port.
type Sessions struct {
	clock clock.PassiveClock
	// host is a name of this machine: browsers resolve all names below localhost themselves (RFC 6761). Each process has another one, which nobody knows
	// before. What another program leaves in a browser after this process, such as a service worker, does not see the next one's link.
	host string

	mutex    sync.Mutex
	codes    map[string]time.Time // of links, and when they end
	sessions []started            // the oldest first
}

// started is a session.
type started struct {
	token [sha256.Size]byte // its digest
	end   time.Time
}

// NewSessions returns the sessions of a process.
func NewSessions(clock clock.PassiveClock) *Sessions {
	return &Sessions{clock: clock, host: strings.ToLower(rand.Text()) + ".localhost", codes: map[string]time.Time{}}
}

// Link returns the URL of a page that signs itself in, at the port of an address. It works once, for ten minutes. The code is in the fragment, which
// browsers send to no server and which is in no log.
func (s *Sessions) Link(address net.Addr) string {
	code := rand.Text()
	s.mutex.Lock()
	defer s.mutex.Unlock()
	s.codes[code] = s.clock.Now().Add(linkLifetime)
	return "http://" + net.JoinHostPort(s.host, portOf(address)) + Path + "#code=" + code
}

// redeem reports whether a code is that of a link that still works. The link does not work any more.
func (s *Sessions) redeem(code string) bool {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	until, known := s.codes[code]
	delete(s.codes, code)
	return known && s.clock.Now().Before(until)
}

// tokenPrefix tells people and scanners for secrets what a token is.
const tokenPrefix = "goldsmith-console-"

// start starts a session, and returns its token.
func (s *Sessions) start() (token string) {
	token = tokenPrefix + rand.Text()
	s.mutex.Lock()
	defer s.mutex.Unlock()
	now := s.clock.Now()
	s.sessions = slices.DeleteFunc(s.sessions, func(each started) bool { return !now.Before(each.end) })
	s.sessions = append(s.sessions[max(0, len(s.sessions)-maxSessions+1):], started{sha256.Sum256([]byte(token)), now.Add(signInLimit)})
	return token
}

func (s *Sessions) valid(token string) bool {
	digest, now := sha256.Sum256([]byte(token)), s.clock.Now()
	s.mutex.Lock()
	defer s.mutex.Unlock()
	return slices.ContainsFunc(s.sessions, func(each started) bool { return each.token == digest && now.Before(each.end) })
}

func (s *Sessions) end(token string) {
	digest := sha256.Sum256([]byte(token))
	s.mutex.Lock()
	defer s.mutex.Unlock()
	s.sessions = slices.DeleteFunc(s.sessions, func(each started) bool { return each.token == digest })
}
