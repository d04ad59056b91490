// SPDX-License-Identifier: Apache-2.0

package console

import (
	"crypto/sha256"
	"net"
	"strings"
	"testing"
	"time"

	testingclock "k8s.io/utils/clock/testing"
)

var noon = time.Date(2026, time.May, 1, 12, 0, 0, 0, time.UTC)

// codeOf returns the code of a new link.
func codeOf(t *testing.T, sessions *Sessions) string {
	t.Helper()
	link := sessions.Link(&net.TCPAddr{IP: net.IPv6loopback, Port: 8080})
	code, ok := strings.CutPrefix(link, "http://"+sessions.host+":8080/ui/#code=")
	if !ok || len(code) < 26 {
		t.Fatalf("got link %q, want one whose code has 128 bits and is in the fragment", link)
	}
	return code
}

func TestALinkWorksOnceForTenMinutes(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		age      time.Duration
		attempts int
		want     bool
	}{
		"at once":             {0, 1, true},
		"a second time":       {0, 2, false},
		"a third time":        {0, 3, false},
		"just in time":        {10*time.Minute - 1, 1, true},
		"after ten minutes":   {10 * time.Minute, 1, false},
		"the day after":       {24 * time.Hour, 1, false},
		"twice and too late":  {10 * time.Minute, 2, false},
		"twice in the second": {time.Second, 2, false},
	} {
		clock := testingclock.NewFakePassiveClock(noon)
		sessions := NewSessions(clock)
		code := codeOf(t, sessions)
		clock.SetTime(noon.Add(test.age))
		var got bool
		for range test.attempts {
			got = sessions.redeem(code)
		}
		if got != test.want {
			t.Errorf("%s: the link works: %t", name, got)
		}
	}
}

func TestOnlyTheCodeOfALinkWorks(t *testing.T) {
	t.Parallel()
	clock := testingclock.NewFakePassiveClock(noon)
	sessions, others := NewSessions(clock), NewSessions(clock)
	first, second := codeOf(t, sessions), codeOf(t, sessions)
	if first == second {
		t.Error("two links have the same code")
	}
	for _, wrong := range []string{"", " ", "wrong", strings.ToLower(first), first[1:], first + " ", "/ui/#code=" + first, codeOf(t, others)} {
		if sessions.redeem(wrong) {
			t.Errorf("the code %q works", wrong)
		}
	}
	if others.redeem(second) {
		t.Error("the code works in another process")
	}
	for _, code := range []string{second, first} {
		if !sessions.redeem(code) {
			t.Error("a link no longer works after wrong codes, or after that of another link")
		}
	}
}

func TestATokenIsValidForTwelveHoursInItsProcess(t *testing.T) {
	t.Parallel()
	for age, want := range map[time.Duration]bool{0: true, 12*time.Hour - 1: true, 12 * time.Hour: false, 365 * 24 * time.Hour: false} {
		clock := testingclock.NewFakePassiveClock(noon)
		sessions, others := NewSessions(clock), NewSessions(clock)
		token := sessions.start()
		clock.SetTime(noon.Add(age))
		if got := sessions.valid(token); got != want {
			t.Errorf("after %s: the token is valid: %t", age, got)
		}
		if others.valid(token) {
			t.Errorf("after %s: the token is valid in another process", age)
		}
	}
}

func TestASignedOutTokenIsInvalid(t *testing.T) {
	t.Parallel()
	sessions := NewSessions(testingclock.NewFakePassiveClock(noon))
	first, second := sessions.start(), sessions.start()
	sessions.end("unknown")
	sessions.end(first)
	if sessions.valid(first) || !sessions.valid(second) {
		t.Error("the token is still valid, or that of another session is not")
	}
}

func TestANewSessionEndsTheOldestOfMany(t *testing.T) {
	t.Parallel()
	clock := testingclock.NewFakePassiveClock(noon)
	sessions := NewSessions(clock)
	tokens := []string{sessions.start()}
	for range maxSessions {
		tokens = append(tokens, sessions.start())
	}
	for i, token := range tokens {
		if got := sessions.valid(token); got != (i > 0) {
			t.Errorf("the token of session %d is valid: %t", i, got)
		}
	}
	clock.SetTime(noon.Add(signInLimit))
	sessions.start()
	if got := len(sessions.sessions); got != 1 {
		t.Errorf("%d sessions are kept, want the one that has not ended", got)
	}
}

func TestForgedTokensAreInvalid(t *testing.T) {
	t.Parallel()
	sessions := NewSessions(testingclock.NewFakePassiveClock(noon))
	token := sessions.start()
	digest := sha256.Sum256([]byte(token))
	if !sessions.valid(token) || len(token) != len(tokenPrefix)+26 || sessions.start() == token {
		t.Fatalf("the token %q is invalid, or is not random", token)
	}
	for _, forged := range []string{
		"", tokenPrefix, strings.TrimPrefix(token, tokenPrefix), strings.ToUpper(token), token[:len(token)-1], token + "A", " " + token + " ", token + "," + token, string(digest[:]),
	} {
		if sessions.valid(forged) {
			t.Errorf("the token %q is valid", forged)
		}
	}
}
