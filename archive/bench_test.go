// SPDX-License-Identifier: Apache-2.0

package archive

import (
	"bytes"
	"compress/gzip"
	"context"
	"fmt"
	"io"
	"runtime"
	"testing"
	"time"

	"goldsmith.dev/goldsmith/e2e/require"
)

// BenchmarkArchive writes, flushes every 256 KiB or so as a follower does, and seals a log in memory, on one core,
// beside gzip -1 of the same bytes.
func BenchmarkArchive(b *testing.B) {
	before := runtime.GOMAXPROCS(1)
	b.Cleanup(func() { runtime.GOMAXPROCS(before) })
	log := bytes.Repeat(realLog(200_000), 3) // no window reaches from one to the next
	for _, flushed := range []int{0, 256 << 10} {
		b.Run(fmt.Sprintf("flush=%dKiB", flushed>>10), func(b *testing.B) {
			var archived, gzipped time.Duration
			var stored, zipped int64
			for b.Loop() {
				began := time.Now()
				stored = archive(b, log, flushed)
				archived += time.Since(began)
				began = time.Now()
				zipped = gzipFastest(b, log)
				gzipped += time.Since(began)
			}
			rate := func(d time.Duration) float64 { return float64(len(log)) * float64(b.N) / 1e6 / d.Seconds() }
			b.ReportMetric(rate(archived), "MB/s")
			b.ReportMetric(rate(gzipped), "gzip-MB/s")
			b.ReportMetric(gzipped.Seconds()/archived.Seconds(), "x-gzip")
			b.ReportMetric(float64(stored)/float64(zipped), "size/gzip")
			b.ReportMetric(0, "ns/op")
		})
	}
}

func archive(b *testing.B, log []byte, flushed int) int64 {
	s, err := Open(b.Context(), "mem://", Options{})
	require.NoError(b, err)
	w := writer(b, s, Limit{})
	for at := 0; at < len(log); {
		n := min(32<<10, len(log)-at)
		write(b, w, log[at:at+n])
		at += n
		if flushed > 0 && at%flushed == 0 {
			flush(b, w)
		}
	}
	return seal(b, w, Seal{}).Stored
}

func gzipFastest(b *testing.B, log []byte) int64 {
	var out bytes.Buffer
	z, err := gzip.NewWriterLevel(&out, gzip.BestSpeed)
	require.NoError(b, err)
	_, err = z.Write(log)
	require.NoError(b, err)
	require.NoError(b, z.Close())
	return int64(out.Len())
}

// BenchmarkRequests counts the requests for a log, and their KiB. The log grows at a constant rate, and is flushed every other second. The
// prefix of a metric tells what the requests are for:
//
//	write          the writer, including the seal
//	open-resume    another writer that continues the log, just before the seal
//	open-read      a reader of the whole log, just before the seal
//	open-tail      a reader of the last 100 lines, just before the seal
//	sealed-read    a reader of the whole log, after the seal
//	sealed-tail    a reader of the last 100 lines, after the seal
//
// The metric objects is the maximum number of stored objects.
func BenchmarkRequests(b *testing.B) {
	log := realLog(200_000)
	for _, run := range []struct {
		name       string
		size, rate int
	}{
		{"10KB/1MBps", 10_000, 1_000_000}, {"10KB/1KBps", 10_000, 1000},
		{"10MB/1MBps", 10_000_000, 1_000_000}, {"10MB/100KBps", 10_000_000, 100_000}, {"10MB/10KBps", 10_000_000, 10_000}, {"10MB/1KBps", 10_000_000, 1000},
		{"1GB/1MBps", 1_000_000_000, 1_000_000}, {"1GB/100KBps", 1_000_000_000, 100_000},
		{"24h/50Bps", 24 * 3600 * 50, 50},
	} {
		b.Run(run.name, func(b *testing.B) {
			for b.Loop() {
				requestsOf(b, log, run.size, 2*run.rate)
			}
			b.ReportMetric(0, "ns/op")
		})
	}
}

func requestsOf(b *testing.B, log []byte, size, flushed int) {
	c := &counter{objects: newFake()}
	s := newStore(c, "fake://", Options{})
	w := writer(b, s, Limit{})
	for at := 0; at < size; {
		end := min(at+flushed, size)
		for at < end {
			from := at % len(log)
			n := min(32<<10, end-at, len(log)-from)
			write(b, w, log[from:from+n])
			at += n
		}
		flush(b, w)
	}
	written, lines := *c, int64(100)
	reads := func(when string) {
		for name, from := range map[string]Position{"read": {}, "tail": {TailLines: &lines}} {
			*c = counter{objects: c.objects}
			r, err := s.Reader(b.Context(), attempt(), from)
			require.NoError(b, err)
			_, err = io.Copy(io.Discard, r)
			require.NoError(b, err)
			c.report(b, when+name)
		}
	}
	reads("open-")
	*c = counter{objects: c.objects}
	writer(b, s, Limit{})
	c.report(b, "open-resume")
	*c = written
	seal(b, w, Seal{})
	c.report(b, "write")
	b.ReportMetric(float64(c.most), "objects")
	reads("sealed-")
}

// counter counts requests. A list is a request for each 1000 keys.
type counter struct {
	objects
	puts, gets, lists, deletes, sent, received, now, most int
}

func (c *counter) report(b *testing.B, of string) {
	for unit, n := range map[string]int{"put": c.puts, "get": c.gets, "list": c.lists, "delete": c.deletes, "sent": c.sent >> 10, "received": c.received >> 10} {
		b.ReportMetric(float64(n), of+"-"+unit)
	}
}

func (c *counter) put(ctx context.Context, key string, content []byte) error {
	c.puts, c.sent, c.now = c.puts+1, c.sent+len(content), c.now+1
	c.most = max(c.most, c.now)
	return c.objects.put(ctx, key, content)
}

func (c *counter) get(ctx context.Context, key string, buffer []byte) ([]byte, error) {
	content, err := c.objects.get(ctx, key, buffer)
	c.gets, c.received = c.gets+1, c.received+len(content)-len(buffer)
	return content, err
}

func (c *counter) list(ctx context.Context, prefix, delimiter string, each func(entry)) error {
	keys := 0
	err := c.objects.list(ctx, prefix, delimiter, func(e entry) { keys++; each(e) })
	c.lists += 1 + max(0, keys-1)/1000
	return err
}

func (c *counter) remove(ctx context.Context, key string) error {
	c.deletes, c.now = c.deletes+1, c.now-1
	return c.objects.remove(ctx, key)
}

// BenchmarkFirstByte opens a log of a directory in its middle, and at its last 100 lines, and reads one byte.
func BenchmarkFirstByte(b *testing.B) {
	log := realLog(200_000)
	lines := int64(100)
	var small time.Duration // of the first reader with the same position
	for _, from := range []string{"offset", "tail", "since"} {
		for _, size := range []int64{1 << 20, 1 << 30} {
			b.Run(fmt.Sprintf("%s/%dMiB", from, size>>20), func(b *testing.B) {
				s := open(b, "file://"+b.TempDir(), Options{})
				fill(b, s, log, size)
				position := map[string]Position{
					"offset": {Offset: size/2 + 12345}, "tail": {TailLines: &lines}, "since": {Since: epoch().Add(90 * time.Second)},
				}[from]
				b.ResetTimer()
				for b.Loop() {
					r, err := s.Reader(b.Context(), attempt(), position)
					require.NoError(b, err)
					_, err = io.ReadFull(r, make([]byte, 1))
					require.NoError(b, err)
				}
				each := b.Elapsed() / time.Duration(b.N)
				if size == 1<<20 {
					small = each
				}
				b.ReportMetric(each.Seconds()/small.Seconds(), "x-1MiB")
			})
		}
	}
}

// fill seals a log of that size, made of copies of log.
func fill(b *testing.B, s *Store, log []byte, size int64) {
	w := writer(b, s, Limit{})
	for w.Accepted() < size {
		write(b, w, log[:min(int64(len(log)), size-w.Accepted())])
	}
	seal(b, w, Seal{})
}

// BenchmarkOpenReaders measures the memory of 100 open readers, each in the middle of a chunk.
func BenchmarkOpenReaders(b *testing.B) {
	const readers = 100
	s := open(b, "file://"+b.TempDir(), Options{})
	fill(b, s, realLog(200_000), 8<<20)
	for b.Loop() {
		before := heap()
		open := make([]io.ReadCloser, readers)
		for i := range open {
			r, err := s.Reader(b.Context(), attempt(), Position{Offset: int64(i) << 16})
			require.NoError(b, err)
			_, err = io.ReadFull(r, make([]byte, 1))
			require.NoError(b, err)
			open[i] = r
		}
		b.ReportMetric(float64(heap()-before)/readers/(1<<20), "MiB/reader")
		for _, r := range open {
			require.NoError(b, r.Close())
		}
		b.ReportMetric(float64(heap()-before)/readers/(1<<20), "MiB/closed-reader")
	}
	b.ReportMetric(0, "ns/op")
}

// realLog resembles the output of a build: names and versions repeat, digests do not.
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

// heap returns the bytes of the heap that are in use.
func heap() int64 {
	runtime.GC()
	var stats runtime.MemStats
	runtime.ReadMemStats(&stats)
	return int64(stats.HeapAlloc)
}
