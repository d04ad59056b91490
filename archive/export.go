// SPDX-License-Identifier: Apache-2.0

package archive

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path"
	"slices"
	"strings"
)

// Export calls each with every object of the archive, for Import into another archive. Writers may continue meanwhile: the
// seal of an attempt is exported first, and all chunks of the seal exist before the seal.
func (s *Store) Export(ctx context.Context, each func(key string, content []byte) error) error {
	var keys []string
	if err := s.list(ctx, root, "", func(e entry) { keys = append(keys, e.key) }); err != nil {
		return err
	}
	exported := map[string]bool{}
	for _, key := range keys {
		folder := path.Dir(key) + "/"
		switch {
		case path.Base(key) == buildName:
			if _, err := s.export(ctx, key, each); err != nil {
				return err
			}
		case !exported[folder]:
			exported[folder] = true
			if err := s.exportAttempt(ctx, folder, each); err != nil {
				return err
			}
		}
	}
	return nil
}

// exportAttempt lists an attempt again when a chunk is deleted between its listing and its reading: a longer chunk, which
// holds the same bytes, exists since before the deletion.
func (s *Store) exportAttempt(ctx context.Context, folder string, each func(key string, content []byte) error) error {
	done := map[string]bool{}
	for complete := false; !complete; {
		var keys []string
		if err := s.list(ctx, folder, "", func(e entry) { keys = append(keys, e.key) }); err != nil {
			return err
		}
		slices.SortStableFunc(keys, func(a, b string) int {
			switch {
			case path.Base(a) == sealName:
				return -1
			case path.Base(b) == sealName:
				return 1
			}
			return 0
		})
		complete = true
		for _, key := range keys {
			if done[key] || !isObject(key) {
				continue
			}
			there, err := s.export(ctx, key, each)
			if err != nil {
				return err
			}
			done[key], complete = there, complete && there
		}
	}
	return nil
}

// export returns whether the object still exists.
func (s *Store) export(ctx context.Context, key string, each func(key string, content []byte) error) (there bool, err error) {
	content, err := s.get(ctx, key, nil)
	if errors.Is(err, ErrNotFound) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	return true, each(key, content)
}

// Import stores one object of another archive's Export. It refuses an invalid key, and content that is larger than any object.
func (s *Store) Import(ctx context.Context, key string, content io.Reader) error {
	if !isObject(key) {
		return operationError("import", key, errBadName)
	}
	object, err := io.ReadAll(io.LimitReader(content, maxObject+1))
	if err == nil && len(object) > maxObject {
		err = fmt.Errorf("object is larger than the limit of %d bytes", maxObject)
	}
	if err != nil {
		return operationError("import", key, err)
	}
	return s.put(ctx, key, object)
}

// isObject reports whether a key belongs to a chunk, a cut, a seal or a build. A directory may also have temporary files.
func isObject(key string) bool {
	segments := strings.Split(key, "/")
	if !strings.HasPrefix(key, root) || len(segments) < 4 || slices.ContainsFunc(segments, func(s string) bool { return !isSegment(s) }) {
		return false
	}
	name := segments[len(segments)-1]
	switch len(segments) {
	case 4:
		return name == buildName
	case 5:
		_, _, isAttempt := parseAttempt(segments[3])
		_, isChunk := parseSpan(name)
		_, isCut := parseCutMark(name)
		return isAttempt && (isChunk || isCut || name == sealName)
	}
	return false
}
