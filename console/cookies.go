// SPDX-License-Identifier: Apache-2.0

package console

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"
)

const (
	// cookiePrefix begins the names of all cookies. Browsers accept __Host- only from this host, with TLS, and for all paths, so that no other
	// host of the domain can set these cookies.
	cookiePrefix = "__Host-goldsmith-"
	// Browsers keep cookies of at most 4096 bytes with their names.
	cookieBytes = 3800
	// maxCookies is the number of cookies of a session. Ingresses limit the cookies of a request, by default to 8 KiB or more.
	maxCookies = 4
)

// What is sealed for one purpose does not open for another.
const (
	forSession = "session"
	forAttempt = "sign-in"
	forMessage = "message"
)

// box seals values, so that browsers can neither read nor change them.
type box struct{ cipher.AEAD }

// newBox returns a box with a key of its own, so that no cookie outlives the process that set it.
func newBox() (box, error) {
	key := make([]byte, 32)
	_, _ = rand.Read(key) // never fails
	block, err := aes.NewCipher(key)
	if err != nil {
		return box{}, fmt.Errorf("use the key of cookies: %w", err)
	}
	aead, err := cipher.NewGCMWithRandomNonce(block)
	if err != nil {
		return box{}, fmt.Errorf("use the key of cookies: %w", err)
	}
	return box{aead}, nil
}

// seal returns a value as the value of a cookie.
func (b box) seal(purpose string, value any) string {
	text, _ := json.Marshal(value)                                                       // structs of texts and numbers have no errors
	return base64.RawURLEncoding.EncodeToString(b.Seal(nil, nil, text, []byte(purpose))) //nolint:gosec // the cipher draws a nonce
}

// open reports whether a text was sealed for a purpose, and reads its value.
func (b box) open(purpose, sealed string, value any) bool {
	content, err := base64.RawURLEncoding.DecodeString(sealed)
	if err != nil {
		return false
	}
	text, err := b.Open(nil, nil, content, []byte(purpose))
	return err == nil && json.Unmarshal(text, value) == nil
}

// setCookie sets a cookie until the browser ends, or for a time. A time below 0 deletes the cookie.
func setCookie(writer http.ResponseWriter, name, value string, sameSite http.SameSite, lasts time.Duration) {
	http.SetCookie(writer, &http.Cookie{ //nolint:gosec // strict or lax
		Name: cookiePrefix + name, Value: value, MaxAge: int(lasts / time.Second),
		Path: "/", HttpOnly: true, Secure: true, SameSite: sameSite,
	})
}

func cookieOf(request *http.Request, name string) string {
	found, err := request.Cookie(cookiePrefix + name)
	if err != nil {
		return ""
	}
	return found.Value
}

func partName(index int) string { return forSession + "-" + strconv.Itoa(index) }

// fits reports whether a sealed session fits into the cookies of a browser.
func fits(sealed string) bool { return len(sealed) <= cookieBytes*maxCookies }

// setSession replaces the cookies of the session. Without a session, it deletes them.
func setSession(writer http.ResponseWriter, request *http.Request, sealed string) {
	count := (len(sealed) + cookieBytes - 1) / cookieBytes
	for i := range count {
		part := sealed[i*cookieBytes : min((i+1)*cookieBytes, len(sealed))]
		if i == 0 {
			part = strconv.Itoa(count) + "." + part // a former session can have had more cookies
		}
		setCookie(writer, partName(i), part, http.SameSiteStrictMode, 0)
	}
	for i := count; i < maxCookies; i++ {
		if cookieOf(request, partName(i)) != "" {
			setCookie(writer, partName(i), "", http.SameSiteStrictMode, -time.Second)
		}
	}
}

// sessionOf returns the sealed session of a request, or an empty text.
func sessionOf(request *http.Request) string {
	first, sealed, _ := strings.Cut(cookieOf(request, partName(0)), ".")
	count, _ := strconv.Atoi(first)
	for i := 1; i < min(count, maxCookies); i++ {
		sealed += cookieOf(request, partName(i))
	}
	return sealed
}
