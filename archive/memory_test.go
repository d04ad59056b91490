// SPDX-License-Identifier: Apache-2.0

//go:build !race

// The race detector needs memory of its own, and minutes for GiB of log.

package archive

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"goldsmith.dev/goldsmith/e2e/require"
)

// memoryLimit is the most memory that a writer or a reader may hold, including compression, in bytes.
const memoryLimit = 24 << 20

func TestMemoryDoesNotGrowWithTheLog(t *testing.T) {
	pieces := 64 // of 256 MiB in all
	if testing.Short() {
		pieces = 16
	}
	s := open(t, "file://"+t.TempDir(), Options{})
	piece := bytes.Repeat(realLog(5000), 10)[:4<<20]
	before := heap()
	check := func(what string) {
		t.Helper()
		if grown := heap() - before; grown > memoryLimit {
			t.Fatalf("%s: %d MiB are in use", what, grown>>20)
		}
	}
	w := writer(t, s, Limit{})
	for i := range pieces {
		write(t, w, piece)
		if i%16 == 0 {
			check("write")
		}
	}
	summary := seal(t, w, Seal{})
	check("seal")
	lines := int64(3_000_000)
	for _, from := range []Position{{}, {Since: epoch()}, {TailLines: &lines}} {
		r := require.Value(s.Reader(t.Context(), attempt(), from))(t)
		for total := int64(0); ; {
			n, err := io.CopyN(io.Discard, StripTimestamps(r), 64<<20)
			total += n
			check(describe(from))
			if errors.Is(err, io.EOF) {
				break
			}
			require.NoError(t, err)
		}
	}
	if summary.Bytes != int64(pieces*len(piece)) {
		t.Errorf("got %d bytes", summary.Bytes)
	}
}

func TestALogOf2GiBKeepsItsHeadAndItsTail(t *testing.T) {
	const kept = 64 << 20
	size := int64(2 << 30)
	if testing.Short() {
		size = 4 * kept
	}
	s := open(t, "file://"+t.TempDir(), Options{})
	piece := bytes.Repeat([]byte("0123456789abcde\n"), 4<<20/16)
	before := heap()
	w := writer(t, s, Limit{MaxBytes: kept})
	for w.Accepted() < size {
		write(t, w, piece)
		if grown := heap() - before; grown > memoryLimit {
			t.Fatalf("%d MiB are in use", grown>>20)
		}
	}
	summary := seal(t, w, Seal{})
	r := require.Value(s.Reader(t.Context(), attempt(), Position{}))(t)
	read := require.Value(io.Copy(io.Discard, r))(t)
	require.NoError(t, r.Close())
	left := summary.Bytes - summary.Cut
	if summary.Bytes != size || left > kept || left < kept*9/10 || read <= left || read > left+1024 { // with a line about the cut
		t.Errorf("%d bytes are read, of %+v", read, summary)
	}
}

func TestALineOf50MiB(t *testing.T) {
	s := newFake().open(Options{})
	text := strings.Repeat("0123456789", 5<<20)
	stream := []byte(stamped(0, "before") + stamped(1000, text) + stamped(2000, "after"))
	keep(t, s, stream, 0)
	same(t, "all", readAll(t, s, Position{}), stream)
	same(t, "stripped", stripped(t, readAll(t, s, Position{}), 1<<16), []byte("before\n"+text+"\nafter\n"))
	for _, from := range []Position{
		{Since: epoch().Add(time.Millisecond)}, {Since: epoch().Add(1001 * time.Millisecond)}, {Since: epoch().Add(time.Hour)},
		{Offset: 30 << 20}, {Offset: 30 << 20, Since: epoch()},
	} {
		same(t, describe(from), readAll(t, s, from), naiveRead(stream, from))
	}
	for n := range int64(4) {
		from := Position{TailLines: &n}
		same(t, describe(from), readAll(t, s, from), naiveRead(stream, from))
	}
}
