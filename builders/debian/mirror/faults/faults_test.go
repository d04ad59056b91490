// SPDX-License-Identifier: Apache-2.0

package faults

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

// Each fault is what it is called, for the requests that match. All others get the file.
func TestFaults(t *testing.T) {
	file := strings.Repeat("0123456789", 100_000) // longer than the buffers between
	origin := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		http.ServeContent(w, r, "", time.Time{}, strings.NewReader(file))
	})
	for name, test := range map[string]struct {
		fault  Fault
		status int // 0: no answer
		body   string
		broken bool // while the body is read
	}{
		"unreachable":  {fault: Unreachable},
		"status":       {fault: Status(http.StatusServiceUnavailable), status: http.StatusServiceUnavailable, body: "Service Unavailable\n"},
		"replaced":     {fault: Replaced([]byte("old")), status: http.StatusOK, body: "old"},
		"half":         {fault: Half, status: http.StatusOK, body: file[:len(file)/2], broken: true},
		"changed byte": {fault: ChangedByte, status: http.StatusOK, body: file[:len(file)/2] + "1" + file[len(file)/2+1:]},
	} {
		t.Run(name, func(t *testing.T) {
			server := httptest.NewServer(On(func(r *http.Request) bool { return r.URL.Path == "/bad" }, test.fault, origin))
			defer server.Close()
			if status, body, err := get(t, server.URL+"/bad"); status != test.status || body != test.body || (err != nil) != (test.broken || test.status == 0) {
				t.Errorf("status %d, %d bytes, %v", status, len(body), err)
			}
			if status, body, err := get(t, server.URL+"/good"); status != http.StatusOK || body != file || err != nil {
				t.Errorf("what does not match: status %d, %d bytes, %v", status, len(body), err)
			}
		})
	}
}

func get(t *testing.T, url string) (status int, body string, err error) {
	t.Helper()
	response, err := http.Get(url)
	if err != nil {
		return 0, "", err
	}
	defer func() { _ = response.Body.Close() }()
	content, err := io.ReadAll(response.Body)
	return response.StatusCode, string(content), err
}
