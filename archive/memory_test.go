// SPDX-License-Identifier: Apache-2.0

package archive

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"runtime"
	"strings"
	"testing"
	"time"
)

// realLog is what a build prints: names and versions that come again, digests that do not.
func realLog(lines int) []byte {
	packages := []string{"libc6", "openssl", "ca-certificates", "golang.org/x/net", "k8s.io/api", "react-dom", "numpy"}
	state := uint64(1)
	next := func(n uint64) uint64 {
		state = state*6364136223846793005 + 1442695040888963407
		return state >> 33 % n
	}
	var log bytes.Buffer
	now := epoch()
	for i := range lines {
		now = now.Add(time.Duration(next(20_000_000)))
		fmt.Fprintf(&log, "%s #%d %d.%03d ", now.Format(time.RFC3339Nano), 1+i/400, i/100, next(1000))
		name := packages[next(uint64(len(packages)))]
		switch next(5) {
		case 0:
			fmt.Fprintf(&log, "Get:%d http://deb.debian.org/debian bookworm/main amd64 %s [%d kB]\n", i%500, name, next(9000))
		case 1:
			fmt.Fprintf(&log, "Unpacking %s (%d.%d.%d-%d) ...\n", name, next(9), next(20), next(40), next(5))
		case 2:
			fmt.Fprintf(&log, "sha256:%016x%016x %d.%dMB / 48.2MB\n", next(1<<62)*0x9e3779b97f4a7c15, next(1<<62)*0xc2b2ae3d27d4eb4f, next(48), next(10))
		case 3:
			fmt.Fprintf(&log, "[%2d%%] Building CXX object src/%s/CMakeFiles/%d.dir/main.cc.o\n", next(100), name, next(300))
		default:
			fmt.Fprintf(&log, "go: downloading %s v%d.%d.%d\n", name, next(2), next(60), next(10))
		}
	}
	return log.Bytes()
}

// heap is what is in use, in bytes.
func heap() int64 {
	runtime.GC()
	var stats runtime.MemStats
	runtime.ReadMemStats(&stats)
	return int64(stats.HeapAlloc)
}

// memoryLimit is the most that a writer or a reader may hold, with what the compression needs, in bytes.
const memoryLimit = 24 << 20

func TestMemoryDoesNotGrowWithTheLog(t *testing.T) {
	const pieces = 64
	s := open(t, "file://"+t.TempDir(), Options{})
	piece := bytes.Repeat(realLog(5000), 10)[:4<<20] // of 256 MiB in all
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
		r, err := s.Reader(t.Context(), attempt(), from)
		must(t, err)
		for total := int64(0); ; {
			n, err := io.CopyN(io.Discard, StripTimestamps(r), 64<<20)
			total += n
			check(describe(from))
			if errors.Is(err, io.EOF) {
				break
			}
			must(t, err)
		}
	}
	if summary.Bytes != int64(pieces*len(piece)) {
		t.Errorf("got %d bytes", summary.Bytes)
	}
}

func TestALogOf2GiBKeepsItsHeadAndItsTail(t *testing.T) {
	const size, kept = 2 << 30, 64 << 20
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
	r, err := s.Reader(t.Context(), attempt(), Position{})
	must(t, err)
	read, err := io.Copy(io.Discard, r)
	must(t, err)
	must(t, r.Close())
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
