// SPDX-License-Identifier: Apache-2.0

package records

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/klauspost/compress/zstd"
	"k8s.io/apimachinery/pkg/types"

	"goldsmith.dev/goldsmith/apis/contents"
	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
)

const (
	// keepUnnamed is how long a lock is kept that no artifact names. A running build, or one that is recorded late, names it later.
	keepUnnamed = 31 * 24 * time.Hour
	// maxUnnamed is the maximum number of locks of an Image that no artifact names: a running build can upload any number of them.
	maxUnnamed = 100
	// maxBases is how many whole locks of an Image PutLock tries as the base of a delta: one for each target that a build can have.
	maxBases = 16
	// maxTried limits the bases of large locks, in bytes of locks and bases.
	maxTried = 2 * v1alpha1.MaxLockBytes
	// dictionaryID is the number of a base in the frame of a delta, which has no other dictionary.
	dictionaryID = 1

	// unneeded is the condition on locks that nothing needs. It includes no whole lock that has deltas.
	unneeded = "NOT EXISTS (SELECT 1 FROM artifacts a WHERE a.lock = locks.digest AND a.lock <> '') AND NOT EXISTS (SELECT 1 FROM locks d WHERE d.base = locks.digest)"
)

// PutLock records the lock of an artifact under the digest of its content. The UID is that of the Image of the build, or else of the build. A
// lock that is recorded already is kept longer. Expire deletes locks that no artifact of a recorded build names, and PutLock the oldest of them
// if an Image has more than 100. Errors: ErrInvalid.
//
// A lock is stored as a delta to an earlier lock of the Image if that is much smaller. The base of a delta is stored whole, so that a
// read needs two rows.
func (s *Store) PutLock(ctx context.Context, image types.UID, digest string, content []byte) error {
	operation := "record lock " + digest
	if len(content) == 0 || len(content) > v1alpha1.MaxLockBytes {
		return fmt.Errorf("%s: %w: a lock must have 1 to %d bytes, not %d", operation, ErrInvalid, v1alpha1.MaxLockBytes, len(content))
	}
	if actual := contents.Digest(content); digest != actual {
		return fmt.Errorf("%s: %w: the digest of its content is %s", operation, ErrInvalid, actual)
	}
	var known bool
	err := s.change(ctx, operation, func(ctx context.Context, tx database) (err error) {
		known, err = renewLock(ctx, tx, digest, s.clock.Now())
		return err
	})
	if err != nil {
		return err
	}
	if known {
		if _, err := s.Lock(ctx, digest); !errors.Is(err, ErrDamaged) {
			return err
		}
	}
	whole, err := compress(content, nil)
	if err != nil {
		return fmt.Errorf("%s: %w", operation, err)
	}
	if known { // it is stored whole, because it can be the base of others
		return s.change(ctx, operation, func(ctx context.Context, tx database) error {
			_, err := execute(ctx, tx, "UPDATE locks SET base = NULL, content = $1 WHERE digest = $2", whole, digest)
			return err
		})
	}
	base, delta, err := s.delta(ctx, image, content, len(whole))
	if err != nil {
		return fmt.Errorf("%s: %w", operation, err)
	}
	return s.change(ctx, operation, func(ctx context.Context, tx database) error {
		now := s.clock.Now()
		stored, to := whole, any(nil)
		if base != "" {
			exists, err := renewLock(ctx, tx, base, now)
			if err != nil {
				return err
			}
			if exists { // it can have expired meanwhile
				stored, to = delta, base
			}
		}
		_, err := execute(ctx, tx, `INSERT INTO locks (digest, image_uid, base, written, content) VALUES ($1, $2, $3, $4, $5)
			ON CONFLICT (digest) DO UPDATE SET written = excluded.written`, digest, string(image), to, now.UnixMicro(), stored)
		if err != nil {
			return err
		}
		_, err = execute(ctx, tx, "DELETE FROM locks WHERE digest IN (SELECT digest FROM locks WHERE image_uid = $1 AND "+unneeded+
			" ORDER BY written DESC, digest DESC LIMIT $2 OFFSET $3)", string(image), batch, maxUnnamed)
		return err
	})
}

// renewLock keeps a lock longer, and reports whether it is recorded.
func renewLock(ctx context.Context, tx database, digest string, now time.Time) (bool, error) {
	count, err := execute(ctx, tx, "UPDATE locks SET written = $1 WHERE digest = $2", now.UnixMicro(), digest)
	return count > 0, err
}

// delta returns the base of a lock, and the lock as a delta to it. base is empty if the lock is to be stored whole, in a number of bytes.
//
// Locks of other targets or variants are no good bases, so delta tries the bases that were used last until the lock is less than half as
// large. Deltas to one base grow. Once they are as large as a whole lock together, a new base makes all of them smaller.
func (s *Store) delta(ctx context.Context, image types.UID, content []byte, whole int) (base string, delta []byte, err error) {
	type candidate struct {
		digest string
		deltas int
	}
	bases, err := fetch(ctx, s, "list earlier locks", func(scan scanner) (c candidate, err error) {
		return c, scan(&c.digest, &c.deltas)
	}, `SELECT digest, (SELECT COALESCE(SUM(LENGTH(d.content)), 0) FROM locks d WHERE d.base = locks.digest) FROM locks
		WHERE image_uid = $1 AND base IS NULL ORDER BY written DESC, digest DESC LIMIT $2`, string(image), maxBases)
	if err != nil {
		return "", nil, err
	}
	tried := 0
	for _, earlier := range bases {
		dictionary, err := s.Lock(ctx, earlier.digest)
		switch {
		case errors.Is(err, ErrNotFound), errors.Is(err, ErrDamaged):
			continue
		case err != nil:
			return "", nil, err
		}
		if tried += len(content) + len(dictionary); tried > maxTried {
			return "", nil, nil
		}
		compressed, err := compress(content, dictionary)
		switch {
		case err != nil:
			return "", nil, err
		case 2*len(compressed) >= whole:
			continue
		case earlier.deltas+len(compressed) > whole:
			return "", nil, nil
		}
		return earlier.digest, compressed, nil
	}
	return "", nil, nil
}

// Lock returns the lock with a digest. Errors: ErrNotFound, and ErrDamaged if the recorded content is not that of the digest.
func (s *Store) Lock(ctx context.Context, digest string) ([]byte, error) {
	operation := "read lock " + digest
	type stored struct{ content, base []byte }
	found, err := fetch(ctx, s, operation, func(scan scanner) (row stored, err error) {
		return row, scan(&row.content, &row.base)
	}, "SELECT l.content, b.content FROM locks l LEFT JOIN locks b ON b.digest = l.base WHERE l.digest = $1", digest)
	if err != nil {
		return nil, err
	}
	if len(found) == 0 {
		return nil, fmt.Errorf("%s: %w", operation, ErrNotFound)
	}
	var dictionary []byte
	if base := found[0].base; base != nil {
		if dictionary, err = decompress(base, nil); err != nil {
			return nil, fmt.Errorf("%s: its base: %w", operation, err)
		}
	}
	content, err := decompress(found[0].content, dictionary)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", operation, err)
	}
	if actual := contents.Digest(content); actual != digest {
		return nil, fmt.Errorf("%s: %w: the digest of its content is %s", operation, ErrDamaged, actual)
	}
	return content, nil
}

// expireLocks deletes and counts the locks that nothing has needed for long. The base of a deleted delta is deleted by the next call.
func (s *Store) expireLocks(ctx context.Context, expired *int64) error {
	before := s.cutoff(keepUnnamed)
	type row struct {
		digest   string
		written  int64
		unneeded bool
	}
	for last := (row{written: math.MinInt64}); ; {
		// Read without a lock, because mostly there is nothing to delete.
		found, err := fetch(ctx, s, "list expired locks", func(scan scanner) (r row, err error) {
			return r, scan(&r.digest, &r.written, &r.unneeded)
		}, "SELECT digest, written, "+unneeded+" FROM locks WHERE written < $1 AND (written, digest) > ($2, $3) ORDER BY written, digest LIMIT $4",
			before, last.written, last.digest, MaxLimit)
		if err != nil {
			return err
		}
		var digests []string
		for _, lock := range found {
			if lock.unneeded {
				digests = append(digests, lock.digest)
			}
		}
		for some := range slices.Chunk(digests, batch) {
			var count int64
			err := s.change(ctx, "expire locks", func(ctx context.Context, tx database) (err error) {
				count, err = execute(ctx, tx, "DELETE FROM locks WHERE written < $1 AND digest IN ("+placeholders(1, len(some))+") AND "+unneeded,
					append([]any{before}, anySlice(some)...)...)
				return err
			})
			if err != nil {
				return err
			}
			*expired += count
		}
		if len(found) < MaxLimit {
			return nil
		}
		last = found[len(found)-1]
	}
}

// compress compresses a lock, as a delta to dictionary unless that is nil. At a lower level, zstd does not find what large locks have in common.
func compress(content, dictionary []byte) ([]byte, error) {
	options := []zstd.EOption{zstd.WithEncoderLevel(zstd.SpeedBetterCompression), zstd.WithEncoderConcurrency(1)}
	if dictionary != nil {
		options = append(options, zstd.WithEncoderDictRaw(dictionaryID, dictionary))
	}
	encoder, err := zstd.NewWriter(nil, options...)
	if err != nil {
		return nil, fmt.Errorf("compress: %w", err)
	}
	return encoder.EncodeAll(content, nil), nil
}

// decompress reverses compress. Errors: ErrDamaged.
func decompress(content, dictionary []byte) ([]byte, error) {
	options := []zstd.DOption{zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxMemory(v1alpha1.MaxLockBytes)}
	if dictionary != nil {
		options = append(options, zstd.WithDecoderDictRaw(dictionaryID, dictionary))
	}
	decoder, err := zstd.NewReader(nil, options...)
	if err != nil {
		return nil, fmt.Errorf("decompress: %w", err)
	}
	defer decoder.Close()
	decompressed, err := decoder.DecodeAll(content, nil)
	if err != nil {
		return nil, fmt.Errorf("%w: decompress: %w", ErrDamaged, err)
	}
	return decompressed, nil
}
