// SPDX-License-Identifier: Apache-2.0

package source

import (
	"cmp"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/cache"
	"github.com/go-git/go-git/v5/plumbing/format/idxfile"
	"github.com/go-git/go-git/v5/plumbing/format/packfile"
	"github.com/go-git/go-git/v5/plumbing/object"
)

const (
	// objectsPerEntry is how many objects a pack can have for each entry that a source can have: the pack can have files outside of
	// git.path. go-git needs 400 bytes of memory for an object.
	objectsPerEntry = 2
	// inflation is how many bytes all objects of a pack can have, for each byte that files of a source can have.
	inflation = 4
	// maxMessage is how large a commit can be. go-git needs a time that grows with the square of a signature in it.
	maxMessage = 128 << 10
	// cached is how many bytes of the bases of deltas go-git has in memory while files are written.
	cached = 16 << 20
)

// spool writes a pack to a file while go-git reads it, and keeps the error, because go-git drops the causes of some errors.
type spool struct {
	from io.Reader
	to   io.Writer
	err  error
}

func (s *spool) Read(b []byte) (int, error) {
	n, err := s.from.Read(b)
	if _, failed := s.to.Write(b[:n]); failed != nil {
		err = &fileError{failed}
	}
	if err != nil && !errors.Is(err, io.EOF) {
		s.err = err
	}
	return n, err
}

// receivePack writes a pack into a file. go-git limits neither the size of an object nor that of a chain of deltas, and has both in memory when it
// makes the index of a pack. So this pass refuses a pack by the sizes that its objects declare, and go-git inflates no object beyond these.
func receivePack(stream io.Reader, file io.Writer, l Limits) error {
	in := &spool{from: stream, to: file}
	if err := checkPack(packfile.NewScanner(in), l); err != nil {
		if in.err != nil {
			err = in.err
		} else if !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
			err = malformed(err)
		}
		return err
	}
	return nil
}

// malformed marks an error of go-git about what a server sent.
func malformed(err error) error {
	if _, ok := errors.AsType[*Error](err); ok {
		return err
	}
	return fmt.Errorf("%w: %w", errMalformed, err)
}

// sizes are those of the objects of a pack, in the order of the pack.
type sizes struct {
	limits  Limits
	total   int64
	deltas  int64 // bytes of all deltas and their results
	named   bool  // whether a delta names its base by an ID, so that its chain is unknown
	entries []sizeEntry
}

type sizeEntry struct{ offset, chain int64 }

func checkPack(scanner *packfile.Scanner, l Limits) error {
	_, count, err := scanner.Header()
	if err != nil {
		return err
	}
	if int64(count) > objectsPerEntry*int64(l.Entries) {
		return failure(TooLarge, "the commit has %d objects, more than %d; use a smaller repository", count, objectsPerEntry*l.Entries)
	}
	s := &sizes{limits: l, entries: make([]sizeEntry, 0, count)}
	for range count {
		header, err := scanner.NextObjectHeader()
		if err != nil {
			return err
		}
		if err := s.spend(header.Length); err != nil {
			return err
		}
		var content beginning
		n, _, err := scanner.NextObject(&content)
		if err != nil {
			return err
		}
		if n != header.Length {
			return errMalformed
		}
		if err := s.add(header, content); err != nil {
			return err
		}
	}
	if s.named {
		if err := s.checkChain(s.deltas); err != nil {
			return err
		}
	}
	_, err = scanner.Checksum()
	return err
}

// spend refuses a size that is too large.
func (s *sizes) spend(size int64) error {
	s.total += size
	switch most := inflation * s.limits.Written; {
	case size > s.limits.File:
		return failure(TooLarge, "the commit has a file of %s, more than %s; move it elsewhere; git ls-tree -r -l lists sizes", bytesText(size), bytesText(s.limits.File))
	case s.total > most:
		return failure(TooLarge, "the commit has files of more than %s; move large files elsewhere", bytesText(most))
	}
	return nil
}

// checkChain limits the bytes of an object, and of all objects of which it is a delta: go-git can have all of them in memory.
func (s *sizes) checkChain(size int64) error {
	if most := s.limits.File + s.limits.File/2; size > most {
		return failure(TooLarge, "the commit has similar files of more than %s in all, which are too many for the memory; move large files elsewhere", bytesText(most))
	}
	return nil
}

// add remembers an object. A delta begins with the sizes of its base and of its result.
func (s *sizes) add(header *packfile.ObjectHeader, content beginning) error {
	entry := sizeEntry{header.Offset, header.Length}
	if header.Type.IsDelta() {
		_, n := binary.Uvarint(content)
		result, m := binary.Uvarint(content[max(n, 0):])
		if n <= 0 || m <= 0 || result > 1<<53 {
			return errMalformed
		}
		if err := s.spend(int64(result)); err != nil {
			return err
		}
		entry.chain += int64(result)
		s.deltas += entry.chain
		s.named = s.named || header.Type == plumbing.REFDeltaObject
	}
	if header.Type == plumbing.OFSDeltaObject {
		i, ok := slices.BinarySearchFunc(s.entries, header.OffsetReference, func(e sizeEntry, offset int64) int { return cmp.Compare(e.offset, offset) })
		if !ok {
			return errMalformed
		}
		entry.chain += s.entries[i].chain
		if err := s.checkChain(entry.chain); err != nil {
			return err
		}
	}
	s.entries = append(s.entries, entry)
	return nil
}

// beginning keeps the first bytes that are written to it, enough for two numbers.
type beginning []byte

func (b *beginning) Write(content []byte) (int, error) {
	*b = append(*b, content[:min(len(content), max(0, 2*binary.MaxVarintLen64-len(*b)))]...)
	return len(content), nil
}

// pack is a pack with its index.
type pack struct {
	*packfile.Packfile
	file *os.File
}

// openPack makes the index of a pack that was received. The caller closes the pack.
func openPack(ctx context.Context, root *os.Root, name string) (*pack, error) {
	file, err := root.Open(name)
	if err != nil {
		return nil, &fileError{err}
	}
	opened, err := indexPack(ctx, file)
	if err != nil {
		_ = file.Close() // only read from
		return nil, malformed(err)
	}
	return opened, nil
}

func indexPack(ctx context.Context, file *os.File) (*pack, error) {
	index := &idxfile.Writer{}
	scanner := packfile.NewScanner(interruptible{file, ctx})
	parser, err := packfile.NewParser(scanner, index)
	if err != nil {
		return nil, err
	}
	_, count, err := scanner.Header()
	if err != nil {
		return nil, err
	}
	if _, err := parser.Parse(); err != nil {
		return nil, err
	}
	objects, err := index.Index()
	if err != nil {
		return nil, err
	}
	// An object that is twice in a pack can be a delta of itself, which go-git follows until the stack is full.
	if found, err := objects.Count(); err != nil || found != int64(count) {
		return nil, fmt.Errorf("an object is in the pack twice")
	}
	// Without a file system each file is in memory while it is written. With one go-git streams it, and a hostile delta takes hours.
	return &pack{packfile.NewPackfileWithCache(objects, nil, scratchFile{file}, cache.NewObjectLRU(cached), 0), file}, nil
}

func (p *pack) close() { _ = p.file.Close() } // only read from

// interruptible is a file that cannot be read after the end of a context.
type interruptible struct {
	*os.File
	ctx context.Context //nolint:containedctx // it lives as long as one call
}

func (f interruptible) Read(b []byte) (int, error) {
	if err := f.ctx.Err(); err != nil {
		return 0, err
	}
	return f.File.Read(b)
}

// scratchFile is a file that nobody else uses.
type scratchFile struct{ *os.File }

// Lock does nothing.
func (scratchFile) Lock() error { return nil }

// Unlock does nothing.
func (scratchFile) Unlock() error { return nil }

// commit returns a commit of the pack, or nil.
func (p *pack) commit(id plumbing.Hash) (*object.Commit, error) {
	found, err := p.Get(id)
	if errors.Is(err, plumbing.ErrObjectNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, malformed(err)
	}
	return decodeCommit(found)
}

func errMessage(size int64) error {
	return failure(TooLarge, "the commit has a message and signatures of %s, more than %s; shorten the message", bytesText(size), bytesText(maxMessage))
}

func decodeCommit(found plumbing.EncodedObject) (*object.Commit, error) {
	switch {
	case found.Type() != plumbing.CommitObject:
		return nil, failure(Unsupported, "the ref leads to a %s, not to a commit; correct git.ref", found.Type())
	case found.Size() > maxMessage:
		return nil, errMessage(found.Size())
	}
	commit, err := object.DecodeCommit(nil, found)
	if err != nil {
		return nil, malformed(err)
	}
	return commit, nil
}

// readCommit reads a commit from the beginning of a pack: servers send commits first.
func readCommit(stream io.Reader, id plumbing.Hash) (*object.Commit, error) {
	scanner := packfile.NewScanner(stream)
	_, count, err := scanner.Header()
	if err != nil {
		return nil, malformed(err)
	}
	for range min(count, commitObjects) {
		header, err := scanner.NextObjectHeader()
		if err != nil {
			return nil, malformed(err)
		}
		if header.Type == plumbing.CommitObject && header.Length > maxMessage {
			return nil, errMessage(header.Length)
		}
		if header.Type.IsDelta() || header.Length > maxMessage {
			break
		}
		content := &plumbing.MemoryObject{}
		content.SetType(header.Type)
		if _, _, err := scanner.NextObject(content); err != nil {
			return nil, malformed(err)
		}
		if content.Hash() == id {
			return decodeCommit(content)
		}
	}
	return nil, failure(Unavailable, "the server did not send the commit %s", id)
}
