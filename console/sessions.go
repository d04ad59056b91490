// SPDX-License-Identifier: Apache-2.0

package console

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"strings"
	"sync"
	"time"

	"k8s.io/utils/clock"
)

const (
	// linkLifetime is how long a link works.
	linkLifetime = 10 * time.Minute
	// sessionLifetime is how long a token is valid. A page that is open replaces its token before.
	sessionLifetime = 7 * 24 * time.Hour
)

// Sessions sign pages in. A link signs in one page, once. The page gets a token, which is valid until its time is over, in every
// process with the same key.
type Sessions struct {
	key   []byte
	clock clock.PassiveClock
	codes struct {
		sync.Mutex
		until map[string]time.Time
	}
}

// NewSessions returns the sessions of a secret. Whoever knows it can make tokens.
func NewSessions(secret string, clock clock.PassiveClock) *Sessions {
	key := sha256.Sum256([]byte("goldsmith console\x00" + secret))
	sessions := &Sessions{key: key[:], clock: clock}
	sessions.codes.until = map[string]time.Time{}
	return sessions
}

// Link returns the path of a page that signs itself in. It works once, for ten minutes. The code is in the fragment, which browsers send to no
// server and which is in no log.
func (s *Sessions) Link() string {
	code := rand.Text()
	s.codes.Lock()
	defer s.codes.Unlock()
	s.codes.until[code] = s.clock.Now().Add(linkLifetime)
	return Path + "#code=" + code
}

// redeem reports whether a code is that of a link that still works. The link does not work any more.
func (s *Sessions) redeem(code string) bool {
	s.codes.Lock()
	defer s.codes.Unlock()
	until, known := s.codes.until[code]
	delete(s.codes.until, code)
	return known && s.clock.Now().Before(until)
}

// token returns a new token: the second of its end and its signature.
func (s *Sessions) token() string {
	end := binary.BigEndian.AppendUint64(nil, second(s.clock.Now().Add(sessionLifetime)))
	return tokenPrefix + base64.RawURLEncoding.EncodeToString(append(end, s.sign(end)...))
}

// tokenPrefix tells people and scanners for secrets what a token is.
const tokenPrefix = "goldsmith-console-"

func (s *Sessions) valid(token string) bool {
	encoded, ok := strings.CutPrefix(token, tokenPrefix)
	content, err := base64.RawURLEncoding.DecodeString(encoded)
	if !ok || err != nil || len(content) != 8+sha256.Size {
		return false
	}
	end, signature := content[:8], content[8:]
	return hmac.Equal(signature, s.sign(end)) && second(s.clock.Now()) < binary.BigEndian.Uint64(end)
}

func second(at time.Time) uint64 { return uint64(at.Unix()) } //nolint:gosec // not negative, because no clock is before 1970

func (s *Sessions) sign(end []byte) []byte {
	mac := hmac.New(sha256.New, s.key)
	mac.Write(end)
	return mac.Sum(nil)
}
