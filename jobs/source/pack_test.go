// SPDX-License-Identifier: Apache-2.0

package source

import (
	"bytes"
	"compress/zlib"
	"crypto/sha1"
	"encoding/binary"
	"errors"
	"io"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/go-git/go-git/v5/plumbing"

	"goldsmith.dev/goldsmith/e2e/require"
)

// deltas returns a pack in which most files are deltas, and the contents of the files.
func deltas(t testing.TB, options ...string) (packed []byte, contents map[string]bool) {
	t.Helper()
	folder := t.TempDir()
	git := func(input string, arguments ...string) []byte {
		command := exec.CommandContext(t.Context(), "git", arguments...)
		command.Dir, command.Stdin = folder, strings.NewReader(input)
		command.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + folder, "GIT_CONFIG_NOSYSTEM=1"}
		return require.Value(command.Output())(t)
	}
	git("", "init", "--quiet", "--bare")
	contents = map[string]bool{}
	var objects strings.Builder
	var text strings.Builder
	for i := range 3000 {
		_, _ = text.WriteString(strings.Repeat(string(rune('a'+i*i%23)), i%7) + "\n")
		if i%300 != 0 {
			continue
		}
		content := "first\n" + text.String()
		contents[content] = true
		_, _ = objects.Write(git(content, "hash-object", "-w", "--stdin"))
	}
	return git(objects.String(), append([]string{"pack-objects", "--stdout", "--quiet", "--depth=50", "--window=50"}, options...)...), contents
}

// open receives a pack.
func open(t testing.TB, packed []byte, l Limits) (*pack, error) {
	t.Helper()
	root := require.Value(os.OpenRoot(t.TempDir()))(t)
	t.Cleanup(func() { _ = root.Close() })
	require.NoError(t, root.Mkdir(scratchFolder, 0o700))
	file := require.Value(root.Create(packName))(t)
	err := errors.Join(receivePack(bytes.NewReader(packed), file, l.withDefaults()), file.Close())
	if err != nil {
		return nil, err
	}
	opened, err := openPack(t.Context(), root, packName)
	if err == nil {
		t.Cleanup(opened.close)
	}
	return opened, err
}

// each reads all files of a pack.
func (p *pack) each(visit func(size int64, content io.Reader) error) error {
	files, err := p.GetByType(plumbing.BlobObject)
	if err != nil {
		return err
	}
	return files.ForEach(func(found plumbing.EncodedObject) error {
		content, err := found.Reader()
		if err != nil {
			return err
		}
		return errors.Join(visit(found.Size(), content), content.Close())
	})
}

func TestFilesThatAreDeltas(t *testing.T) {
	for name, options := range map[string][]string{"by offset": {"--delta-base-offset"}, "by ID": nil} {
		packed, contents := deltas(t, options...)
		if len(packed) > 10_000 {
			t.Fatalf("the pack has %d bytes and cannot have many deltas", len(packed))
		}
		opened := require.Value(open(t, packed, Limits{}))(t)
		require.NoError(t, opened.each(func(size int64, content io.Reader) error {
			got := string(require.Value(io.ReadAll(content))(t))
			if int64(len(got)) != size || !contents[got] {
				t.Errorf("%s: got a file of %d bytes", name, len(got))
			}
			delete(contents, got)
			return nil
		}))
		if len(contents) > 0 {
			t.Errorf("%s: %d files are missing", name, len(contents))
		}
	}
}

// packed writes a pack by hand.
type packed struct {
	bytes.Buffer
	objects uint32
	last    int // where the last object begins
}

// add appends an object that declares a size.
func (p *packed) add(kind byte, size int, base []byte, content string) *packed {
	p.last = p.Len()
	declared := binary.AppendUvarint(nil, uint64(size)>>4)
	first := kind<<4 | byte(size&15)
	if size > 15 {
		_ = p.WriteByte(first | 0x80)
		_, _ = p.Write(declared)
	} else {
		_ = p.WriteByte(first)
	}
	_, _ = p.Write(base)
	compressed := zlib.NewWriter(p)
	_, _ = compressed.Write([]byte(content))
	_ = compressed.Close()
	p.objects++
	return p
}

// file appends a file.
func (p *packed) file(content string) *packed { return p.add(3, len(content), nil, content) }

// delta appends a delta of the object before it, or of an object that it names, which copies the beginning of the base again and again.
func (p *packed) delta(base, size int, id []byte) *packed {
	content := binary.AppendUvarint(binary.AppendUvarint(nil, uint64(base)), uint64(size))
	for size > 0 {
		length := min(size, base, 255)
		content = append(content, 0x90, byte(length))
		size -= length
	}
	if id != nil {
		return p.add(7, len(content), id, string(content))
	}
	return p.add(6, len(content), []byte{byte(p.Len() - p.last)}, string(content))
}

func (p *packed) bytes() []byte {
	all := binary.BigEndian.AppendUint32([]byte("PACK\x00\x00\x00\x02"), p.objects)
	all = append(all, p.Bytes()...)
	sum := sha1.Sum(all)
	return append(all, sum[:]...)
}

func TestPacksThatAreRefused(t *testing.T) {
	l := Limits{File: 1000, Written: 1000, Entries: 3}
	named := plumbing.ComputeHash(plumbing.BlobObject, []byte("0123456789"))
	for _, test := range []struct {
		name   string
		packed []byte
		reason string // empty if the pack is read
		text   string
	}{
		{"files", new(packed).file("a").file("0123456789").delta(10, 600, nil).bytes(), "", ""},
		{"a file that declares too much", new(packed).add(3, 5<<30, nil, "a").bytes(), TooLarge, "a file of 5120 MiB"},
		{"a file that declares more than it has", new(packed).add(3, 100, nil, "a").bytes(), Unavailable, "malformed pack"},
		{"a file that declares less than it has", new(packed).add(3, 1, nil, strings.Repeat("a", 1000)).bytes(), Unavailable, "malformed pack"},
		{"files that are too large together", new(packed).file(strings.Repeat("a", 900)).file(strings.Repeat("b", 900)).file(strings.Repeat("c", 900)).file(strings.Repeat("d", 500)).file(strings.Repeat("e", 900)).bytes(), TooLarge, "files of more than 4000 bytes"},
		{"a delta with a large result", new(packed).file("0123456789").delta(10, 1100, nil).bytes(), TooLarge, "a file of 1100 bytes"},
		{"a long chain of deltas", new(packed).file("0123456789").delta(10, 700, nil).delta(700, 700, nil).bytes(), TooLarge, "similar files of more than 1500 bytes"},
		{"many deltas that name their bases", new(packed).file("0123456789").delta(10, 700, named[:]).delta(10, 700, named[:]).bytes(), TooLarge, "similar files"},
		{"a delta without a base", new(packed).delta(10, 20, named[:]).bytes(), Unavailable, "malformed pack"},
		{"a delta before its base", new(packed).add(6, 1, []byte{100}, "a").bytes(), Unavailable, "malformed pack"},
		{"a delta of itself", new(packed).add(6, 1, []byte{0}, "a").bytes(), Unavailable, "malformed pack"},
		{"a delta without sizes", new(packed).file("0123456789").add(7, 1, named[:], "\xff").bytes(), Unavailable, "malformed pack"},
		{"a delta of another size", new(packed).file("0123456789").delta(11, 20, nil).bytes(), Unavailable, "malformed pack"},
		{"many objects", new(packed).file("").file("").file("").file("").file("").file("").file("").bytes(), TooLarge, "7 objects, more than 6"},
		{"a delta of itself by its ID", new(packed).delta(10, 10, named[:]).file("0123456789").bytes(), Unavailable, "an object is in the pack twice"},
		{"a wrong checksum", append(new(packed).file("a").bytes()[:30], make([]byte, 20)...), Unavailable, "malformed pack"},
		{"another version", []byte("PACK\x00\x00\x00\x04\x00\x00\x00\x00"), Unavailable, "malformed pack"},
		{"no pack", []byte("<html>"), Unavailable, "malformed pack"},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, err := open(t, test.packed, l)
			if test.reason == "" {
				require.NoError(t, err)
				return
			}
			got, ok := errors.AsType[*Error]((&connection{meter: &meter{}}).explain(t.Context(), err))
			if !ok || got.Reason != test.reason || !strings.Contains(got.Message, test.text) {
				t.Errorf("got %v", err)
			}
		})
	}
}

// FuzzPack checks that no pack that passes the limits crashes go-git, or has files beyond the limits. The input is the objects of a pack: the kind, the
// size that is declared, the base of a delta and the content, each with its length before it.
func FuzzPack(f *testing.F) {
	base := "0123456789"
	id := plumbing.ComputeHash(plumbing.BlobObject, []byte(base))
	f.Add([]byte("\x03\x0a\x00\x0a" + base + "\x06\x04\x01\x00\x04\x0a\x0a\x90\x0a"))
	f.Add([]byte("\x07\x04\x14" + string(id[:]) + "\x04\x0a\x0a\x90\x0a\x03\x0a\x00\x0a" + base))
	f.Add([]byte("\x03\x0a\x00\x0a" + base + "\x06\x06\x01\x00\x06\x0a\x0c\x90\x0a\x02ab\x06\x04\x01\x00\x04\x0c\x0c\x90\x0c"))
	f.Fuzz(func(t *testing.T, objects []byte) {
		p := new(packed)
		in := bytes.NewReader(objects)
		for in.Len() > 0 && p.objects < 100 {
			kind, _ := in.ReadByte()
			size, _ := binary.ReadUvarint(in)
			length, _ := in.ReadByte()
			base := make([]byte, length)
			_, _ = io.ReadFull(in, base)
			if kind&7 == 6 && length == 1 && base[0] == 0 {
				base[0] = byte(p.Len() - p.last)
			}
			length, _ = in.ReadByte()
			content := make([]byte, length)
			n, _ := io.ReadFull(in, content)
			p.add(kind&7, int(size&(1<<60-1)), base, string(content[:n]))
		}
		l := Limits{File: 1 << 20, Written: 8 << 20, Entries: 1000}
		opened, err := open(t, p.bytes(), l)
		if err != nil {
			return
		}
		_ = opened.each(func(size int64, content io.Reader) error {
			n, err := io.Copy(io.Discard, content)
			if size > l.File || err == nil && n != size {
				t.Errorf("read %d of %d bytes", n, size)
			}
			return err
		})
	})
}
