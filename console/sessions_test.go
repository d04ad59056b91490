// SPDX-License-Identifier: Apache-2.0

package console

import (
	"encoding/base64"
	"slices"
	"strings"
	"testing"
	"time"

	testingclock "k8s.io/utils/clock/testing"

	"goldsmith.dev/goldsmith/e2e/require"
)

var noon = time.Date(2026, time.May, 1, 12, 0, 0, 0, time.UTC)

// codeOf returns the code of a link.
func codeOf(t *testing.T, link string) string {
	t.Helper()
	code, ok := strings.CutPrefix(link, "/ui/#code=")
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
		sessions := NewSessions("secret", clock)
		code := codeOf(t, sessions.Link())
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
	sessions, others := NewSessions("secret", clock), NewSessions("secret", clock)
	first, second := codeOf(t, sessions.Link()), codeOf(t, sessions.Link())
	if first == second {
		t.Error("two links have the same code")
	}
	for _, wrong := range []string{"", " ", "wrong", strings.ToLower(first), first[1:], first + " ", "/ui/#code=" + first, codeOf(t, others.Link())} {
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

func TestATokenIsValidForAWeek(t *testing.T) {
	t.Parallel()
	for age, want := range map[time.Duration]bool{
		0: true, 6 * 24 * time.Hour: true, 7*24*time.Hour - time.Second: true, 7 * 24 * time.Hour: false, 365 * 24 * time.Hour: false,
	} {
		clock := testingclock.NewFakePassiveClock(noon)
		sessions := NewSessions("secret", clock)
		token := sessions.token()
		clock.SetTime(noon.Add(age))
		if got := sessions.valid(token); got != want {
			t.Errorf("after %s: the token is valid: %t", age, got)
		}
		if got := NewSessions("secret", clock).valid(token); got != want {
			t.Errorf("after %s: the token is valid after a restart: %t", age, got)
		}
	}
}

func TestForgedTokensAreInvalid(t *testing.T) {
	t.Parallel()
	clock := testingclock.NewFakePassiveClock(noon)
	sessions := NewSessions("secret", clock)
	token := sessions.token()
	content := require.Value(base64.RawURLEncoding.DecodeString(strings.TrimPrefix(token, tokenPrefix)))(t)
	encode := func(content []byte) string { return tokenPrefix + base64.RawURLEncoding.EncodeToString(content) }
	changed := func(at int) string {
		forged := slices.Clone(content)
		forged[at] ^= 1
		return encode(forged)
	}
	if !sessions.valid(token) || encode(content) != token {
		t.Fatalf("the token %q is invalid", token)
	}
	for name, forged := range map[string]string{
		"nothing":             "",
		"the prefix alone":    tokenPrefix,
		"no prefix":           strings.TrimPrefix(token, tokenPrefix),
		"no base64":           tokenPrefix + "?" + token[len(tokenPrefix)+1:],
		"a later end":         changed(0),
		"an end a bit off":    changed(7),
		"another signature":   changed(8),
		"another last byte":   changed(len(content) - 1),
		"no signature":        encode(content[:8]),
		"a cut signature":     encode(content[:len(content)-1]),
		"a longer signature":  encode(append(slices.Clip(content), 0)),
		"an empty signature":  encode(append(content[:8:8], make([]byte, 32)...)),
		"that of another key": NewSessions("another secret", clock).token(),
		"that of no key":      NewSessions("", clock).token(),
		"a token of an API":   "eyJhbGciOiJSUzI1NiJ9.e30.e30",
		"spaces around":       " " + token + " ",
		"two tokens":          token + "," + token,
	} {
		if sessions.valid(forged) {
			t.Errorf("%s: the token %q is valid", name, forged)
		}
	}
}
