// SPDX-License-Identifier: Apache-2.0

package ocilayout

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"io"
	"math"
	"path"
	"strings"
	"sync"

	"github.com/klauspost/compress/zstd"
	ociv1 "github.com/opencontainers/image-spec/specs-go/v1"
)

// entry is where a file of a tar is.
type entry struct{ offset, size int64 }

// tarFile is a tar with the places of those of its files that a layout has.
type tarFile struct {
	content io.ReaderAt
	size    int64 // the most that it can have
	entries map[string]entry
}

// openTar finds the files of a layout in a tar, which can be compressed.
func openTar(ctx context.Context, file io.ReaderAt, size int64) (*tarFile, error) {
	magic := make([]byte, 6)
	if _, err := file.ReadAt(magic, 0); err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	t := &tarFile{file, size, map[string]entry{}}
	compressed := func(begin func(io.Reader) (io.Reader, error)) {
		t.size = math.MaxInt64
		t.content = &stream{ctx: ctx, begin: func() (io.Reader, error) { return begin(io.NewSectionReader(file, 0, size)) }}
	}
	switch {
	case bytes.HasPrefix(magic, []byte{0x1f, 0x8b}):
		compressed(func(r io.Reader) (io.Reader, error) { return gzip.NewReader(r) })
	case bytes.HasPrefix(magic, []byte{0x28, 0xb5, 0x2f, 0xfd}):
		// With a concurrency of 1 the decoder has no goroutine that somebody has to end.
		compressed(func(r io.Reader) (io.Reader, error) { return zstd.NewReader(r, zstd.WithDecoderConcurrency(1)) })
	case bytes.HasPrefix(magic, []byte("BZh")), bytes.HasPrefix(magic, []byte("\xfd7zXZ\x00")):
		return nil, &InvalidError{"the tar is compressed with bzip2 or xz: leave it uncompressed, or compress it with gzip or zstd", true}
	}
	return t, t.scan()
}

// scan finds the files of the tar that a layout can have.
func (t *tarFile) scan() error {
	source := io.NewSectionReader(t.content, 0, t.size)
	reader := tar.NewReader(source)
	for range MaxFiles {
		header, err := reader.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if isDamaged(err) {
			return &InvalidError{"it is no tar, or a damaged one: " + err.Error(), true}
		}
		if err != nil {
			return err
		}
		name := path.Clean(header.Name)
		known := name == ociv1.ImageLayoutFile || name == ociv1.ImageIndexFile || strings.HasPrefix(name, ociv1.ImageBlobsDir+"/")
		if header.Typeflag != tar.TypeReg || !known || len(name) > maxName {
			continue
		}
		offset, err := source.Seek(0, io.SeekCurrent) // the reader has read the header, and nothing of the file
		if err != nil {
			return err
		}
		t.entries[name] = entry{offset, header.Size}
	}
	return invalid("the tar has more than %d files", MaxFiles)
}

// isDamaged reports whether an error of reading is one of the content.
func isDamaged(err error) bool {
	for _, fault := range []error{
		tar.ErrHeader, tar.ErrInsecurePath, io.ErrUnexpectedEOF, gzip.ErrHeader, gzip.ErrChecksum,
		zstd.ErrMagicMismatch, zstd.ErrCRCMismatch, zstd.ErrWindowSizeExceeded, zstd.ErrReservedBlockType, zstd.ErrUnexpectedBlockSize,
	} {
		if errors.Is(err, fault) {
			return true
		}
	}
	return false
}

// open returns the content of a file; nil if the tar has no such file.
func (t *tarFile) open(name string) *io.SectionReader {
	place, ok := t.entries[name]
	if !ok {
		return nil
	}
	return io.NewSectionReader(t.content, place.offset, place.size)
}

// stream reads a compressed content at offsets. Reading on continues, and reading what comes before begins again.
type stream struct {
	ctx   context.Context
	begin func() (io.Reader, error)

	mu     sync.Mutex // a request that ended early can still read
	reader io.Reader
	offset int64
}

// ReadAt reads at an offset of the content without its compression.
func (s *stream) ReadAt(p []byte, offset int64) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.reader == nil || offset < s.offset {
		reader, err := s.begin()
		if err != nil {
			return 0, err
		}
		s.reader, s.offset = reader, 0
	}
	for s.offset < offset {
		if err := s.ctx.Err(); err != nil {
			return 0, err
		}
		n, err := io.CopyN(io.Discard, s.reader, min(offset-s.offset, 16<<20))
		s.offset += n
		if err != nil {
			return 0, err
		}
	}
	n, err := 0, error(nil)
	for n < len(p) && err == nil { // ReadFull does not tell the end of the content from compressed bytes that are cut off
		var read int
		read, err = s.reader.Read(p[n:])
		n += read
	}
	s.offset += int64(n)
	if n == len(p) {
		return n, nil
	}
	return n, err
}
