// SPDX-License-Identifier: Apache-2.0

package clouds

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strings"
	"testing"
	"time"

	"gocloud.dev/blob/memblob"

	"goldsmith.dev/goldsmith/archive"
	"goldsmith.dev/goldsmith/e2e/require"
)

func TestABucketOfGocloud(t *testing.T) {
	b := bucket{memblob.OpenBucket(nil)}
	var want, got []string
	for i := range pageSize + 1 {
		key := fmt.Sprintf("v1/n/%04d/x", i)
		want = append(want, key)
		require.NoError(t, b.Put(t.Context(), key, []byte(key)))
	}
	list := func(prefix, delimiter string) {
		got = nil
		require.NoError(t, b.List(t.Context(), prefix, delimiter, func(key string, modified time.Time) {
			if got = append(got, key); modified.IsZero() != strings.HasSuffix(key, "/") {
				t.Errorf("%s has the time %s", key, modified)
			}
		}))
	}
	if list("v1/", ""); strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("listed are %d", len(got))
	}
	if list("v1/n/0000/", "/"); strings.Join(got, " ") != want[0] {
		t.Errorf("listed are %q", got)
	}
	if list("v1/", "/"); strings.Join(got, " ") != "v1/n/" {
		t.Errorf("listed are %q", got)
	}
	require.NoError(t, b.Ping(t.Context(), "v1/"))
	r, size, err := b.Read(t.Context(), want[0])
	require.NoError(t, err)
	if content := require.Value(io.ReadAll(r))(t); string(content) != want[0] || size != int64(len(content)) {
		t.Errorf("got %q of %d bytes", content, size)
	}
	require.NoError(t, r.Close())
	require.NoError(t, b.Delete(t.Context(), want[0]))
	if err := b.Delete(t.Context(), want[0]); err != nil && !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("deleted twice: %v", err)
	}
	if _, _, err := b.Read(t.Context(), want[0]); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a missing object: %v", err)
	}
	require.NoError(t, b.Close())
	if err := b.Ping(t.Context(), ""); err == nil {
		t.Error("a closed bucket answers")
	}
}

func TestCloudsAreOpened(t *testing.T) {
	for _, address := range []string{"gs://bucket?x=y", "azblob://container?x=y"} {
		if err := archive.Check(t.Context(), address, Open); err == nil || strings.Contains(err.Error(), "this program does not read") {
			t.Errorf("%s: %v", address, err)
		}
	}
}
