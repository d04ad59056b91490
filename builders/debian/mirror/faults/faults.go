// SPDX-License-Identifier: Apache-2.0

// Package faults breaks the answers of a mirror, so that tests can see what a builder makes of each fault. It is for tests only.
package faults

import (
	"net/http"
	"strconv"
)

// A Fault returns a handler that answers wrongly what the next handler answers.
type Fault func(next http.Handler) http.Handler

// On returns a handler that answers the requests that match with the fault, and all others as next does.
func On(match func(*http.Request) bool, fault Fault, next http.Handler) http.Handler {
	faulty := fault(next)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if match(r) {
			faulty.ServeHTTP(w, r)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// Unreachable breaks the connection without an answer.
func Unreachable(http.Handler) http.Handler {
	return http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) })
}

// Status answers with a status code, and nothing of the file.
func Status(code int) Fault {
	return func(http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { http.Error(w, http.StatusText(code), code) })
	}
}

// Replaced answers with another file, such as an earlier one of the same name.
func Replaced(content []byte) Fault {
	return func(http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Length", strconv.Itoa(len(content)))
			if r.Method != http.MethodHead {
				_, _ = w.Write(content)
			}
		})
	}
}

// Half answers with the first half of the file, and breaks the connection.
func Half(next http.Handler) http.Handler {
	return answering(next, func(w *body, content []byte) (int, error) {
		if left := w.size/2 - w.written; int64(len(content)) > left {
			_, _ = w.ResponseWriter.Write(content[:max(left, 0)])
			_ = http.NewResponseController(w.ResponseWriter).Flush()
			panic(http.ErrAbortHandler)
		}
		return w.ResponseWriter.Write(content)
	})
}

// ChangedByte answers with the file, in the middle of which a byte differs.
func ChangedByte(next http.Handler) http.Handler {
	return answering(next, func(w *body, content []byte) (int, error) {
		if at := w.size/2 - w.written; at >= 0 && at < int64(len(content)) {
			content = append([]byte(nil), content...)
			content[at] ^= 1
		}
		return w.ResponseWriter.Write(content)
	})
}

// answering returns a handler whose answers are written by a function.
func answering(next http.Handler, write func(*body, []byte) (int, error)) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		next.ServeHTTP(&body{ResponseWriter: w, write: write}, r)
	})
}

// body is an answer that is written by a function. It hides what else its ResponseWriter can do, such as ReadFrom.
type body struct {
	http.ResponseWriter
	write         func(*body, []byte) (int, error)
	size, written int64 // size is that in the header
}

func (b *body) Write(content []byte) (int, error) {
	if b.written == 0 {
		b.size, _ = strconv.ParseInt(b.Header().Get("Content-Length"), 10, 64)
	}
	n, err := b.write(b, content)
	b.written += int64(n)
	return n, err
}
