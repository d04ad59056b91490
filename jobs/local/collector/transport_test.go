// SPDX-License-Identifier: Apache-2.0

package collector_test

import (
	"io"
	"net/http"
	"strings"
	"sync"
)

// transport is between a collector and its server: it counts what is asked, and can answer instead of the server.
type transport struct {
	server http.RoundTripper

	mutex  sync.Mutex
	counts map[string]int                   // by method; LIST and WATCH apart from GET
	answer func(*http.Request) (status int) // 0 lets the server answer
}

func (t *transport) RoundTrip(request *http.Request) (*http.Response, error) {
	t.mutex.Lock()
	t.counts[verb(request)]++
	status := 0
	if t.answer != nil {
		status = t.answer(request)
	}
	t.mutex.Unlock()
	if status == 0 {
		return t.server.RoundTrip(request)
	}
	return &http.Response{
		StatusCode: status, Status: http.StatusText(status), Request: request,
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: http.Header{}, Body: io.NopCloser(strings.NewReader("")),
	}, nil
}

func verb(request *http.Request) string {
	switch {
	case request.Method != http.MethodGet:
		return request.Method
	case request.URL.Query().Get("watch") != "":
		return "WATCH"
	case strings.HasSuffix(request.URL.Path, "s"): // the plural name is the last element
		return "LIST"
	default:
		return "GET"
	}
}

// intercept replaces how requests are answered; nil leaves all of them to the server.
func (t *transport) intercept(answer func(*http.Request) int) {
	t.mutex.Lock()
	defer t.mutex.Unlock()
	t.answer = answer
}

// takeCounts returns the requests since the last call.
func (t *transport) takeCounts() map[string]int {
	t.mutex.Lock()
	defer t.mutex.Unlock()
	counts := t.counts
	t.counts = map[string]int{}
	return counts
}
