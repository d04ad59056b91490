// SPDX-License-Identifier: Apache-2.0

package s3

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"strings"
	"testing"
	"time"

	"goldsmith.dev/goldsmith/archive/s3/s3test"
	"goldsmith.dev/goldsmith/e2e/require"
)

// The server checks the signature of each request.
func TestKeysOfAnyCharacters(t *testing.T) {
	server, address := serve(t)
	for _, prefix := range []string{"", "a folder/ä+c=~&.:@!$'()*,;[]%2F/", "/double//slash/", "below/"} {
		b := require.Value(openBucket(t, address))(t)
		b.prefix, server.Path = prefix, ""
		if prefix == "below/" {
			b, server.Path = require.Value(openBucket(t, address+"/storage/v1/&prefix=below/"))(t), "/storage/v1"
		}
		for _, key := range []string{"v1/team/b-1/build.json", "a b/ä+c=~&.:@!$'()*,;[]%2F", "a//b", "x"} {
			for _, content := range []string{"", "content", strings.Repeat("long ", 500_000)} {
				require.NoError(t, b.Put(t.Context(), key, []byte(content)))
				r, size, err := b.Read(t.Context(), key)
				require.NoError(t, err)
				if got := require.Value(io.ReadAll(r))(t); string(got) != content || size != int64(len(content)) {
					t.Errorf("%q: got %d bytes of %d", key, len(got), size)
				}
				require.NoError(t, r.Close())
			}
			if server.Objects[prefix+key] == nil {
				t.Errorf("%q is not there", prefix+key)
			}
			var got []string
			require.NoError(t, b.List(t.Context(), key, "", func(key string, _ time.Time) { got = append(got, key) }))
			require.NoError(t, b.Ping(t.Context(), key))
			require.NoError(t, b.Delete(t.Context(), key))
			require.NoError(t, b.Delete(t.Context(), key))
			if _, _, err := b.Read(t.Context(), key); !errors.Is(err, fs.ErrNotExist) || len(got) != 1 || got[0] != key {
				t.Errorf("%q: listed are %q, then %v", key, got, err)
			}
		}
	}
}

func TestAListIsInOrder(t *testing.T) {
	server, address := serve(t)
	b := require.Value(openBucket(t, address+"&prefix=below/"))(t)
	for i := range 9 {
		server.Objects[fmt.Sprintf("below/v1/%d", i)], server.Objects[fmt.Sprintf("below/v1/%d-/x", i)] = []byte("x"), []byte("x")
	}
	list := func(ctx context.Context, delimiter string) (got string, err error) {
		err = b.List(ctx, "v1/", delimiter, func(key string, modified time.Time) {
			if got += " " + key; modified.IsZero() != strings.HasSuffix(key, "/") {
				t.Errorf("%s has the time %s", key, modified)
			}
		})
		return got, err
	}
	for delimiter, want := range map[string]string{"/": " v1/%d v1/%d-/", "": " v1/%d v1/%d-/x"} {
		got, err := list(t.Context(), delimiter)
		var all strings.Builder
		for i := range 9 {
			fmt.Fprintf(&all, want, i, i)
		}
		if err != nil || got != all.String() {
			t.Errorf("with %q: got %q, %v", delimiter, got, err)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	server.Set(func(http.ResponseWriter, *http.Request, int) bool { cancel(); return false })
	if got, err := list(ctx, ""); !errors.Is(err, context.Canceled) {
		t.Errorf("canceled between two pages: %q, %v", got, err)
	}
}

func TestHeadersOfNewObjects(t *testing.T) {
	server, address := serve(t)
	for query, want := range map[string]string{
		"": "|", "&ssetype=aes256": "AES256|", "&ssetype=aws:kms&kmskeyid=a-key": "aws:kms|a-key", "&kmskeyid=a-key": "aws:kms|a-key", "&ssetype=aws:kms:dsse": "aws:kms:dsse|",
	} {
		got := ""
		server.Set(func(_ http.ResponseWriter, r *http.Request, _ int) bool {
			got = r.Header.Get("X-Amz-Server-Side-Encryption") + "|" + r.Header.Get("X-Amz-Server-Side-Encryption-Aws-Kms-Key-Id")
			return false
		})
		require.NoError(t, require.Value(openBucket(t, address+query))(t).Put(t.Context(), "key", []byte("x")))
		if got != want {
			t.Errorf("%q: got %s", query, got)
		}
	}
}

func TestChecksumsOfResponses(t *testing.T) {
	server, address := serve(t)
	server.Objects["key"] = []byte("x")
	for query, want := range map[string]bool{"": true, "&response_checksum_validation=when_supported": true, "&response_checksum_validation=when_required": false} {
		server.Set(func(w http.ResponseWriter, r *http.Request, _ int) bool {
			if r.Header.Get("X-Amz-Checksum-Mode") == "ENABLED" {
				w.Header().Set("X-Amz-Checksum-Crc32", "AAAAAA==")
				w.Header().Set("X-Amz-Checksum-Type", "FULL_OBJECT")
			}
			return false
		})
		r, _, err := require.Value(openBucket(t, address+query))(t).Read(t.Context(), "key")
		require.NoError(t, err)
		if _, err := io.ReadAll(r); (err != nil) != want {
			t.Errorf("%q: a wrong checksum: %v", query, err)
		}
		require.NoError(t, r.Close())
	}
}

func TestWhatTheServerRefuses(t *testing.T) {
	server, address := serve(t)
	b := require.Value(openBucket(t, address))(t)
	for _, refusal := range []struct {
		status       int
		code, region string
		requests     int
		want         string
	}{
		{http.StatusNotFound, "NoSuchBucket", "", 1, "404 NoSuchBucket: message (request id-1); create the bucket logs"},
		{http.StatusForbidden, "AccessDenied", "", 1, "403 AccessDenied: message (request id-1); the account needs s3:ListBucket of the bucket logs"},
		{http.StatusForbidden, "SignatureDoesNotMatch", "us-east-1", 1, "403 SignatureDoesNotMatch: message (request id-1)"},
		{http.StatusMovedPermanently, "PermanentRedirect", "eu-central-1", 1, "301 PermanentRedirect: message (request id-1); set region=eu-central-1 in the URL"},
		{http.StatusBadRequest, "AuthorizationHeaderMalformed", "garage", 1, "set region=garage"},
		{http.StatusForbidden, "RequestTimeTooSkewed", "", 1, "set the clock of this machine"},
		{http.StatusPreconditionFailed, "PreconditionFailed", "", 1, "412 PreconditionFailed: message"},
		{http.StatusServiceUnavailable, "SlowDown", "", 3, "503 SlowDown: message"},
		{http.StatusInternalServerError, "InternalError", "", 3, "500 InternalError: message"},
	} {
		requests := 0
		server.Set(func(w http.ResponseWriter, _ *http.Request, number int) bool {
			requests = number
			w.Header().Set("X-Amz-Request-Id", "id-1")
			if refusal.region != "" {
				w.Header().Set("X-Amz-Bucket-Region", refusal.region)
			}
			s3test.Refuse(w, refusal.status, refusal.code, "message")
			return true
		})
		_, _, read := b.Read(t.Context(), "key")
		if requests != refusal.requests {
			t.Errorf("%s: %d requests", refusal.code, requests)
		}
		for _, err := range []error{read, b.Put(t.Context(), "key", []byte("x")), b.Delete(t.Context(), "key"), b.Ping(t.Context(), ""), b.List(t.Context(), "", "", nil)} {
			if err == nil || !strings.Contains(err.Error(), refusal.want) || errors.Is(err, fs.ErrNotExist) {
				t.Errorf("%s: got %v", refusal.code, err)
			}
		}
	}
	server.Set(func(w http.ResponseWriter, r *http.Request, number int) bool {
		if number == 1 {
			s3test.Refuse(w, http.StatusServiceUnavailable, "SlowDown", "Please reduce your request rate.")
		} else {
			w.WriteHeader(map[string]int{http.MethodPut: http.StatusCreated, http.MethodDelete: http.StatusOK}[r.Method])
		}
		return true
	})
	require.NoError(t, b.Put(t.Context(), "key", []byte("x")))
	answer := func(status int, body string) {
		server.Set(func(w http.ResponseWriter, _ *http.Request, _ int) bool {
			w.WriteHeader(status)
			_, _ = io.WriteString(w, body)
			return true
		})
	}
	answer(http.StatusOK, "")
	require.NoError(t, b.Delete(t.Context(), "key"))
	answer(http.StatusOK, "<Error><Code>AccessDenied</Code></Error>")
	if err := b.Delete(t.Context(), "key"); err == nil || !strings.Contains(err.Error(), "AccessDenied") {
		t.Errorf("a refusal with the status of success: %v", err)
	}
	for _, status := range []int{http.StatusNonAuthoritativeInfo, http.StatusNoContent} {
		answer(status, "")
		if _, _, err := b.Read(t.Context(), "key"); err == nil || !strings.Contains(err.Error(), fmt.Sprint(status)) {
			t.Errorf("status %d instead of an object: %v", status, err)
		}
		if err := b.List(t.Context(), "", "", nil); err == nil || errors.Is(err, fs.ErrNotExist) {
			t.Errorf("status %d instead of a list: %v", status, err)
		}
	}
}
