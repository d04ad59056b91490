// SPDX-License-Identifier: Apache-2.0

package archive

import (
	"bytes"
	"io"
	"strings"
	"testing"

	"goldsmith.dev/goldsmith/e2e/require"
)

// While the archive is exported, a writer seals one log and makes a chunk of another longer.
func TestWhatIsExportedWhileItIsWrittenIsWhole(t *testing.T) {
	each(t, Options{}, func(t *testing.T, s *Store) {
		sealed, growing := attempt(), attempt()
		growing.Number = 2
		stream := []byte(strings.Repeat("2026-03-01T12:00:00Z a line\n", 200))
		first := keepOf(t, s, sealed, stream, 500)
		second := keepOf(t, s, growing, stream[:700], 0)
		to, n := open(t, "mem://", Options{}), 0
		require.NoError(t, s.Export(t.Context(), func(key string, content []byte) error {
			if n++; n == 2 {
				seal(t, first, Seal{})
				store(t, second, stream[700:])
			}
			return to.Import(t.Context(), key, bytes.NewReader(content))
		}))
		same(t, "the log that was sealed", readOf(t, to, sealed, Position{}), stream)
		same(t, "the log that grew", readOf(t, to, growing, Position{}), stream)
	})
}

func TestOnlyObjectsOfAnArchiveAreImported(t *testing.T) {
	to := open(t, "mem://", Options{})
	for _, key := range []string{"v1/../../etc/passwd", "v1/team/b/build.json/x", "v2/team/b/build.json", "v1/team/b/other", "v1/team/b/1-p/x.zst"} {
		if err := to.Import(t.Context(), key, strings.NewReader("")); err == nil {
			t.Errorf("%s was imported", key)
		}
	}
}

// endless is the content of a backup that declares any size.
type endless struct{ read int64 }

func (e *endless) Read(p []byte) (int, error) {
	e.read += int64(len(p))
	return len(p), nil
}

func TestAnImportReadsNoMoreThanAnObjectCanHave(t *testing.T) {
	content := &endless{}
	err := open(t, "mem://", Options{}).Import(t.Context(), "v1/team/b/build.json", io.LimitReader(content, 1<<40))
	if err == nil || !strings.Contains(err.Error(), "v1/team/b/build.json") || content.read > 2*maxObject {
		t.Errorf("%d bytes were read: %v", content.read, err)
	}
}
