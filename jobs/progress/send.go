// SPDX-License-Identifier: Apache-2.0

package progress

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"strconv"
	"strings"
	"time"
	"unicode"
)

const (
	// maxStage and maxMessage are the server's limits, in characters.
	maxStage   = 63
	maxMessage = 1024
	// requestLimit bounds how long one report may take.
	requestLimit = 5 * time.Second
	// maxAnswer is how much of an answer is read, so that the connection can be used again.
	maxAnswer = 64 << 10
)

// sender sends reports to one build.
type sender struct {
	client    *http.Client
	url       string
	tokenFile string
}

func newSender(getenv func(string) string) (*sender, bool) {
	s := &sender{url: getenv(envURL), tokenFile: getenv(envToken)}
	authority, err := os.ReadFile(getenv(envCA))
	if err != nil || s.url == "" {
		return nil, false
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(authority) {
		return nil, false
	}
	s.client = &http.Client{
		Timeout: requestLimit,
		// No proxy: a user who requests a build could set one, and it would see the token.
		Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}},
	}
	return s, true
}

// send sends one report. The token is read each time: it is replaced before it expires.
func (s *sender) send(ctx context.Context, report report) verdict {
	token, err := os.ReadFile(s.tokenFile)
	if err != nil {
		return verdict{again: true}
	}
	text, err := json.Marshal(report)
	if err != nil {
		return verdict{}
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, s.url, bytes.NewReader(text))
	if err != nil {
		return verdict{never: true}
	}
	request.Header.Set("Authorization", "Bearer "+strings.TrimSpace(string(token)))
	request.Header.Set("Content-Type", "application/json")
	response, err := s.client.Do(request)
	if err != nil {
		return verdict{again: true}
	}
	// The rest of the answer is ignored.
	_, _ = io.Copy(io.Discard, io.LimitReader(response.Body, maxAnswer))
	_ = response.Body.Close()
	return classify(response)
}

// classify returns what an answer means for this report and for later reports.
func classify(response *http.Response) verdict {
	code := response.StatusCode
	switch {
	case code == http.StatusTooManyRequests, code >= http.StatusInternalServerError:
		return verdict{again: true, after: retryAfter(response)}
	case code == http.StatusUnauthorized, code == http.StatusForbidden, code == http.StatusNotFound, code == http.StatusConflict:
		return verdict{never: true} // not allowed, or not the build's current attempt any more
	}
	return verdict{} // taken, or not fit to be
}

func retryAfter(response *http.Response) time.Duration {
	seconds, err := strconv.Atoi(response.Header.Get("Retry-After"))
	if err != nil || seconds < 0 {
		return 0
	}
	return min(time.Duration(seconds), maxWait/time.Second) * time.Second
}

// blanks are the symbols and letters without a visible glyph, which the server refuses.
const blanks = "\u2800\U00013441\U00013442\U0001d159"

// truncate makes text printable and cuts it to so many characters.
func truncate(text string, characters int) string {
	text = strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) && !unicode.In(r, unicode.Variation_Selector, unicode.Other_Default_Ignorable_Code_Point) && !strings.ContainsRune(blanks, r) {
			return r
		}
		return ' '
	}, strings.ToValidUTF8(text, "?"))
	if runes := []rune(text); len(runes) > characters {
		return string(runes[:characters])
	}
	return text
}
