// SPDX-License-Identifier: Apache-2.0

package archive

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"testing"

	"goldsmith.dev/goldsmith/e2e/require"
)

func originOf(text []byte) Origin {
	return func(context.Context) (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(text)), nil }
}

// readDamaged reads a log that is damaged.
func readDamaged(t *testing.T, s *Store) []byte {
	t.Helper()
	r := require.Value(s.Reader(t.Context(), attempt(), Position{}))(t)
	got, err := io.ReadAll(r)
	if !errors.Is(err, ErrDamaged) {
		t.Errorf("got %d bytes, %v", len(got), err)
	}
	return got
}

func TestAnUnsealedLogOutlivesDamage(t *testing.T) {
	var stream []byte
	for i := range 1200 {
		stream = append(stream, stamped(i, fmt.Sprintf("line %d of a log", i))...)
	}
	limit := Limit{MaxBytes: 64 << 10}
	whole := newFake()
	w := writer(t, whole.open(Options{}), limit)
	for at := range 12 {
		store(t, w, stream[at*2000:at*2000+2000])
	}
	stored, prefix := stream[:12*2000], prefixOf(t, attempt())
	names := whole.keys(prefix)
	for at, name := range names {
		lost, ok := parseSpan(name)
		if !ok {
			t.Fatal(name)
		}
		for what, damage := range map[string]func(f *fake){
			"damaged": func(f *fake) { f.content[prefix+name] = f.content[prefix+name][:20] },
			"missing": func(f *fake) { delete(f.content, prefix+name) },
		} {
			if what == "missing" && at == len(names)-1 {
				continue // nobody knows that there was one
			}
			t.Run(fmt.Sprintf("%s %d of %d", what, at, len(names)), func(t *testing.T) {
				f := newFake()
				f.content = maps.Clone(whole.content)
				s := f.open(Options{})
				damage(f)
				notice := fmt.Appendf(nil, " [goldsmith: %d bytes of the log are missing here, ", lost.textEnd-lost.text)
				if got := readDamaged(t, s); !bytes.Contains(got, notice) || !bytes.HasPrefix(got, stream[:lost.start]) || !bytes.HasSuffix(got, stored[lost.end:]) {
					t.Errorf("got %q", got)
				}
				if err := s.Verify(t.Context(), attempt(), nil, originOf(append([]byte("2"), stream...))); !errors.Is(err, ErrDamaged) {
					t.Errorf("the log of another pod: %v", err)
				}

				damagedStore := f.content
				f.content = maps.Clone(damagedStore)
				require.NoError(t, s.Verify(t.Context(), attempt(), nil, originOf(stream)))
				same(t, "stored again", readAll(t, s, Position{}), stored)

				for has, origin := range map[bool]Origin{true: originOf(stream), false: nil} {
					f.content = maps.Clone(damagedStore)
					w := writer(t, s, limit)
					if w.Offset() != int64(len(stored)) {
						t.Fatalf("it continues at %d", w.Offset())
					}
					tail, err := w.Tail(t.Context())
					if require.NoError(t, err); !bytes.Contains(stored, tail) || len(tail) == 0 {
						t.Errorf("its end is %q", tail)
					}
					write(t, w, stream[len(stored):])
					summary := seal(t, w, Seal{Origin: origin})
					if has {
						same(t, "sealed", readAll(t, s, Position{}), stream)
						if summary.Digest != digestOf(stream) {
							t.Errorf("the digest is %q", summary.Digest)
						}
						continue
					}
					if got := readDamaged(t, s); !bytes.Contains(got, notice) || !bytes.HasSuffix(got, stream[lost.end:]) || summary.Digest != "" {
						t.Errorf("digest %q: got %q", summary.Digest, got)
					}
					if err := s.Verify(t.Context(), attempt(), &summary, nil); !errors.Is(err, ErrDamaged) {
						t.Errorf("a damaged log is sealed: %v", err)
					}
				}
			})
		}
	}
}

func TestOnlyBytesThatTheLimitHasCutAreNotDamage(t *testing.T) {
	f := newFake()
	s := f.open(Options{})
	stream := bytes.Repeat([]byte(stamped(0, "a line of a log")), 1000)
	w := writer(t, s, Limit{MaxBytes: 4 << 10})
	for text := stream; len(text) > 0; text = text[min(len(text), 500):] {
		store(t, w, text[:min(len(text), 500)])
	}
	prefix, dropped := prefixOf(t, attempt()), []byte("bytes of the log were dropped because of history.logMaxBytes]")
	if got := readAll(t, s, Position{}); bytes.Count(got, dropped) != 1 {
		t.Errorf("got %q", got)
	}
	copied := newFake().open(Options{})
	require.NoError(t, s.Export(t.Context(), func(key string, content []byte) error {
		return copied.Import(t.Context(), key, bytes.NewReader(content))
	}))
	same(t, "from a backup", readAll(t, copied, Position{}), readAll(t, s, Position{}))
	names := slices.DeleteFunc(f.keys(prefix), func(name string) bool { _, ok := parseSpan(name); return !ok })
	for _, name := range names[:len(names)-1] {
		content := f.content[prefix+name]
		delete(f.content, prefix+name)
		if got := readDamaged(t, s); bytes.Count(got, dropped) != 1 || bytes.Count(got, []byte("bytes of the log are missing here")) != 1 {
			t.Errorf("without %s: got %q", name, got)
		}
		f.content[prefix+name] = content
	}

	for _, name := range names[1 : len(names)-1] { // whose neighbour may be what the limit has cut
		content := f.content[prefix+name]
		f.content[prefix+name] = nil
		all := readDamaged(t, s)
		for n := int64(0); n < int64(bytes.Count(all, []byte{'\n'})); n += 1 + n/3 {
			r := require.Value(s.Reader(t.Context(), attempt(), Position{TailLines: &n}))(t)
			got, err := io.ReadAll(r)
			if want := naiveRead(all, Position{TailLines: &n}); !bytes.Equal(got, want) || errors.Is(err, ErrDamaged) != bytes.Contains(want, []byte("missing")) {
				t.Errorf("%s is damaged, the last %d lines: %d bytes, want %d, %v", name, n, len(got), len(want), err)
			}
		}
		f.content[prefix+name] = content
	}

	sealed := seal(t, writer(t, s, Limit{MaxBytes: 4 << 10}), Seal{})
	delete(f.content, prefix+sealName)
	if got := readAll(t, s, Position{}); bytes.Count(got, dropped) != 1 || sealed.Cut == 0 {
		t.Errorf("without its seal: %q", got)
	}
}

func TestNoFlippedBitIsRead(t *testing.T) {
	stream := []byte(stamped(0, "a line") + stamped(1, "another line") + stamped(2, "a third line"))
	f := newFake()
	s := f.open(Options{})
	w := writer(t, s, Limit{MaxBytes: 1})
	write(t, w, stream)
	seal(t, w, Seal{})
	for key, content := range f.content {
		for bit := range 8 * len(content) {
			content[bit/8] ^= 1 << (bit % 8)
			r := require.Value(s.Reader(t.Context(), attempt(), Position{}))(t)
			if got, err := io.ReadAll(r); !errors.Is(err, ErrDamaged) && (err != nil || !bytes.Equal(got, stream)) {
				t.Errorf("bit %d of %s: got %q, %v", bit, key, got, err)
			}
			content[bit/8] ^= 1 << (bit % 8)
		}
	}
}

func TestAnObjectWithoutAChecksumIsDamaged(t *testing.T) {
	f := newFake()
	s := f.open(Options{})
	require.NoError(t, s.PutBuild(t.Context(), finished("b-1")))
	key := "v1/team/b-1/" + buildName
	body, _, _ := bytes.Cut(f.content[key], []byte(sumField))
	f.content[key] = append(body, '}')
	if build, err := s.GetBuild(t.Context(), "team", "b-1"); !errors.Is(err, ErrDamaged) {
		t.Errorf("got %+v, %v", build, err)
	}
}
