// SPDX-License-Identifier: Apache-2.0

package archive

import (
	"bytes"
	"context"
	"errors"
	"io"
	"io/fs"
	"maps"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"
)

// memory is a bucket in memory.
type memory struct {
	mu      sync.Mutex
	objects map[string]memoryObject
}

type memoryObject struct {
	content  []byte
	modified time.Time
}

func openMemory(_ context.Context, u *url.URL) (Bucket, error) {
	if u.RawQuery != "" {
		return nil, errors.New("remove the query: an archive in memory has no parameters")
	}
	return &memory{objects: map[string]memoryObject{}}, nil
}

// Put implements Bucket.
func (m *memory) Put(_ context.Context, key string, content []byte) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.objects[key] = memoryObject{slices.Clone(content), time.Now()}
	return nil
}

// Read implements Bucket.
func (m *memory) Read(_ context.Context, key string) (io.ReadCloser, int64, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	o, ok := m.objects[key]
	if !ok {
		return nil, 0, fs.ErrNotExist
	}
	return io.NopCloser(bytes.NewReader(o.content)), int64(len(o.content)), nil
}

// List calls each without the lock, so that each may use the bucket.
func (m *memory) List(_ context.Context, prefix, delimiter string, each func(string, time.Time)) error {
	m.mu.Lock()
	objects := maps.Clone(m.objects)
	m.mu.Unlock()
	cut := cutting(prefix, delimiter, each)
	for _, key := range slices.Sorted(maps.Keys(objects)) {
		if strings.HasPrefix(key, prefix) {
			cut(key, objects[key].modified)
		}
	}
	return nil
}

// Delete implements Bucket.
func (m *memory) Delete(_ context.Context, key string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.objects, key)
	return nil
}

// Ping implements Bucket.
func (*memory) Ping(context.Context, string) error { return nil }

// Close implements Bucket.
func (*memory) Close() error { return nil }
