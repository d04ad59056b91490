// SPDX-License-Identifier: Apache-2.0

package archive

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	testingclock "k8s.io/utils/clock/testing"

	"goldsmith.dev/goldsmith/e2e/require"
)

func digestOf(content []byte) string {
	sum := sha256.Sum256(content)
	return "sha256:" + hex.EncodeToString(sum[:])
}

func TestASummarySaysWhatIsKept(t *testing.T) {
	now := epoch().Add(time.Hour)
	each(t, Options{Clock: testingclock.NewFakePassiveClock(now)}, func(t *testing.T, s *Store) {
		stream := []byte("no time yet\n" + stamped(0, "one") + stamped(1500, "two") + "and more of it")
		w := keep(t, s, stream, 30)
		if summary, err := s.Summary(t.Context(), attempt()); summary != nil || err != nil {
			t.Fatalf("before the seal: %v, %v", summary, err)
		}
		got := seal(t, w, Seal{InPart: true, Why: "the node is gone"})
		if got.Stored <= 0 || len(got.Chunks) != (len(stream)+29)/30 {
			t.Errorf("stored %d, chunks %v", got.Stored, got.Chunks)
		}
		want := Summary{
			Bytes: int64(len(stream)), Stored: got.Stored, Chunks: got.Chunks, First: epoch(),
			Last: epoch().Add(1500 * time.Millisecond), Digest: digestOf(stream), InPart: true, Why: "the node is gone", Sealed: now,
		}
		stored := require.Value(s.Summary(t.Context(), attempt()))(t)
		for _, got := range []Summary{got, *stored} {
			if fmt.Sprintf("%+v", got) != fmt.Sprintf("%+v", want) {
				t.Errorf("got %+v, want %+v", got, want)
			}
		}
		if !w.Sealed() || w.Offset() != want.Bytes || w.Accepted() != want.Bytes {
			t.Errorf("sealed %t, at %d, %d", w.Sealed(), w.Offset(), w.Accepted())
		}
	})
}

func TestTheDigestIsOfWhatIsKept(t *testing.T) {
	s := newFake().open(Options{})
	limit := Limit{MaxBytes: 1 << 10}
	stream := lines(rand.New(rand.NewPCG(4, 4)), 9000)
	w := writer(t, s, limit)
	write(t, w, stream)
	summary := seal(t, w, Seal{})
	from, to := naiveCut(stream, limit)
	if want := digestOf(slices.Concat(stream[:from], stream[to:])); summary.Digest != want {
		t.Errorf("got %s, want %s", summary.Digest, want)
	}
}

func TestALogIsSealedOnce(t *testing.T) {
	each(t, Options{}, func(t *testing.T, s *Store) {
		first, second := writer(t, s, Limit{}), writer(t, s, Limit{})
		write(t, first, []byte("one\n"))
		one := seal(t, first, Seal{Why: "first"})
		write(t, second, []byte("one\ntwo\n"))
		for _, w := range []*Writer{first, second, writer(t, s, Limit{})} {
			if got := seal(t, w, Seal{InPart: true, Why: "second"}); got.Why != "first" || got.InPart || got.Digest != one.Digest {
				t.Errorf("got %+v, want %+v", got, one)
			}
			if err := w.Write(t.Context(), []byte("x")); !errors.Is(err, ErrSealed) || !strings.Contains(err.Error(), "team/b-1/1-p-1") {
				t.Errorf("a write then: %v", err)
			}
			flush(t, w)
		}
		same(t, "the log", readAll(t, s, Position{}), []byte("one\n"))
	})
}

func TestASealIsNotOfWhatIsNotThere(t *testing.T) {
	f := newFake()
	s := f.open(Options{})
	stream := bytes.Repeat([]byte("x"), 95)
	w := keep(t, s, stream, 10)
	last := prefixOf(t, attempt()) + chunkOf(stream, 90, 95).name()
	content := f.content[last]
	delete(f.content, last)
	if summary, err := w.Seal(t.Context(), Seal{}); err == nil || !strings.Contains(err.Error(), "95") {
		t.Errorf("got %+v, %v", summary, err)
	}
	if summary, err := s.Summary(t.Context(), attempt()); summary != nil || err != nil {
		t.Errorf("it is sealed: %+v, %v", summary, err)
	}
	f.content[last] = content
	seal(t, w, Seal{})
}

func TestASealLeavesNothingElse(t *testing.T) {
	f := newFake()
	s := f.open(Options{})
	stream := bytes.Repeat([]byte("x"), 95)
	w := keep(t, s, stream, 10)
	prefix := prefixOf(t, attempt())
	for _, name := range []string{chunkOf(stream, 0, 5).name(), chunkOf(stream, 3, 9).name(), chunkOf(stream, 90, 93).name(), "x.1a2b.tmp"} {
		f.content[prefix+name] = []byte("garbage")
	}
	other := attempt()
	other.Number = 12
	f.content[prefixOf(t, other)+chunkOf(stream, 0, 5).name()] = []byte("of another attempt")
	f.content["v1/team/b-1/"+buildName] = []byte("{}")
	seal(t, w, Seal{})
	if got := f.keys(prefix); len(got) != 11 || !slices.Contains(got, sealName) {
		t.Errorf("left are %q", got)
	}
	if got := f.keys("v1/"); len(got) != 13 {
		t.Errorf("left are %q", got)
	}
}

func TestASealThatCouldNotDeleteMayBeCalledAgain(t *testing.T) {
	f := newFake()
	s := f.open(Options{})
	stream := []byte("one\n")
	w := keep(t, s, stream, 0)
	garbage := prefixOf(t, attempt()) + chunkOf(stream, 0, 2).name()
	f.content[garbage] = []byte("garbage")
	f.before = func(c call) error {
		if c.operation == "delete" {
			return errors.New("503 slow down")
		}
		return nil
	}
	seal(t, w, Seal{})
	if n, err := w.LeftGarbage(); n != 1 || err == nil || !w.Sealed() {
		t.Errorf("%d are not deleted: %v, sealed %t", n, err, w.Sealed())
	}
	f.before = nil
	seal(t, w, Seal{})
	if got := f.keys(prefixOf(t, attempt())); len(got) != 2 {
		t.Errorf("left are %q", got)
	}
}

func TestATimestampInALineIsNone(t *testing.T) {
	s := newFake().open(Options{})
	text := strings.Repeat("x", 40) + "2026-03-01T13:00:00Z y and more\n"
	summary := seal(t, keep(t, s, []byte(text), 20), Seal{}) // a chunk begins with it
	if !summary.First.IsZero() || !summary.Last.IsZero() {
		t.Errorf("got %s to %s", summary.First, summary.Last)
	}
}
