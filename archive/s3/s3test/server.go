// SPDX-License-Identifier: Apache-2.0

// Package s3test is an S3 server for tests.
package s3test

import (
	"crypto/md5"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/xml"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Server speaks just enough of S3 for the archive: the objects of the bucket "logs", and ListObjectsV2. It refuses what some servers do not
// support: chunked signatures, checksums in headers and trailers of their own, and the question for the bucket's region.
type Server struct {
	// Objects by their keys.
	Objects map[string][]byte
	// Secret is the key of the signatures that requests must have. Empty means that the server reads none.
	Secret string
	// Path of the server, without a slash at its end. Empty is the root.
	Path string

	mu       sync.Mutex
	requests int
	fault    func(w http.ResponseWriter, r *http.Request, number int) bool
}

// Set sets the fault of the requests that follow. It may answer a request itself, and then returns true. The number of each request begins
// with 1. Nil means no fault.
func (s *Server) Set(fault func(w http.ResponseWriter, r *http.Request, number int) bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.fault, s.requests = fault, 0
}

// ServeHTTP implements http.Handler.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	s.requests++
	number, fault := s.requests, s.fault
	s.mu.Unlock()
	if fault != nil && fault(w, r, number) {
		return
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	if refused := unsupported(r, body); refused != "" {
		Refuse(w, http.StatusNotImplemented, "NotImplemented", refused)
		return
	}
	if s.Secret != "" && !strings.HasSuffix(r.Header.Get("Authorization"), "Signature="+signature(r, s.Secret)) {
		Refuse(w, http.StatusForbidden, "SignatureDoesNotMatch", "The signature does not match.")
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	key := strings.TrimPrefix(strings.TrimPrefix(r.URL.Path, s.Path+"/logs"), "/")
	switch {
	case r.Method == http.MethodPut:
		s.Objects[key] = body
	case r.Method == http.MethodDelete:
		delete(s.Objects, key)
		w.WriteHeader(http.StatusNoContent)
	case key == "":
		s.list(w, r)
	default:
		s.get(w, r, key)
	}
}

func (s *Server) get(w http.ResponseWriter, r *http.Request, key string) {
	content, ok := s.Objects[key]
	if !ok {
		Refuse(w, http.StatusNotFound, "NoSuchKey", "The specified key does not exist.")
		return
	}
	w.Header().Set("Last-Modified", time.Now().UTC().Format(http.TimeFormat))
	w.Header().Set("Etag", `"1"`)
	w.Header().Set("Content-Length", strconv.Itoa(len(content)))
	if r.Method == http.MethodGet {
		_, _ = w.Write(content)
	}
}

type listed struct {
	XMLName               xml.Name `xml:"ListBucketResult"`
	IsTruncated           bool
	EncodingType          string
	NextContinuationToken string `xml:",omitempty"`
	Contents              []listedObject
	CommonPrefixes        []listedPrefix
}

type listedObject struct {
	Key          string
	LastModified string
	Size         int
	ETag         string
}

type listedPrefix struct{ Prefix string }

// list gives pages of at most three entries.
func (s *Server) list(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	prefix, after := q.Get("prefix"), q.Get("continuation-token")
	result := listed{EncodingType: q.Get("encoding-type")}
	encode := func(name string) string {
		if result.EncodingType == "url" {
			return url.QueryEscape(name)
		}
		return name
	}
	entries := 0
	for _, key := range slices.Sorted(maps.Keys(s.Objects)) {
		if !strings.HasPrefix(key, prefix) {
			continue
		}
		folder, _, cut := strings.Cut(key[len(prefix):], "/")
		cut = cut && q.Get("delimiter") != ""
		name := key
		if cut {
			name = prefix + folder + "/"
		}
		if name <= after {
			continue
		}
		if entries == 3 {
			result.IsTruncated, result.NextContinuationToken = true, after
			break
		}
		entries++
		after = name
		if cut {
			result.CommonPrefixes = append(result.CommonPrefixes, listedPrefix{encode(name)})
		} else {
			result.Contents = append(result.Contents, listedObject{encode(key), "2026-03-01T12:00:00.000Z", len(s.Objects[key]), `"1"`})
		}
	}
	w.Header().Set("Content-Type", "application/xml")
	_ = xml.NewEncoder(w).Encode(result)
}

// unsupported returns what a request has that some servers do not support, or "".
func unsupported(r *http.Request, body []byte) string {
	sha, sum := sha256.Sum256(body), md5.Sum(body)
	switch {
	case r.URL.Query().Has("location"):
		return "the region of the bucket"
	case r.Header.Get("X-Amz-Content-Sha256") != hex.EncodeToString(sha[:]):
		return "X-Amz-Content-Sha256: " + r.Header.Get("X-Amz-Content-Sha256")
	case r.Method == http.MethodPut && r.Header.Get("Content-Md5") != base64.StdEncoding.EncodeToString(sum[:]):
		return "Content-MD5: " + r.Header.Get("Content-Md5")
	case len(r.Trailer) > 0 || r.Header.Get("Content-Encoding") != "" || r.ContentLength < 0:
		return "chunks"
	}
	for name := range r.Header {
		if strings.HasPrefix(name, "X-Amz-Checksum-") && name != "X-Amz-Checksum-Mode" || strings.HasPrefix(name, "X-Amz-Sdk-") {
			return name
		}
	}
	return ""
}

// Refuse answers a request with an error of S3.
func Refuse(w http.ResponseWriter, status int, code, message string) {
	w.Header().Set("Content-Type", "application/xml")
	w.WriteHeader(status)
	_, _ = fmt.Fprintf(w, "<Error><Code>%s</Code><Message>%s</Message></Error>", code, message)
}
