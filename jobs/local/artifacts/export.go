// SPDX-License-Identifier: Apache-2.0

package artifacts

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"

	"github.com/opencontainers/go-digest"
	ociv1 "github.com/opencontainers/image-spec/specs-go/v1"

	"goldsmith.dev/goldsmith/jobs/result"
)

// Kept reports whether a path, relative to the directory of a store, is one that Export can pass on.
func Kept(name string) bool {
	hex, isBlob := strings.CutPrefix(name, path.Join(ociv1.ImageBlobsDir, digest.SHA256.String())+"/")
	switch {
	case isBlob:
		return result.ValidDigest(digest.SHA256.String() + ":" + hex)
	default:
		return name == ociv1.ImageLayoutFile || name == ociv1.ImageIndexFile
	}
}

// Export calls each with every file of a store: its index, the manifests and, if contents is set, the artifacts and documents. A store
// that is in use may change meanwhile: Export leaves out files that are removed, and none of the others changes. Export fails if each
// fails.
func Export(dir string, contents bool, each func(name string, file *os.File) error) error {
	top, err := os.OpenRoot(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer func() { _ = top.Close() }() // only read from
	e := &exporter{top: top, each: each, done: map[string]bool{}}
	var index ociv1.Index
	if err := e.export(ociv1.ImageLayoutFile, nil); err != nil {
		return err
	}
	if err := e.export(ociv1.ImageIndexFile, &index); err != nil {
		return err
	}
	for _, entry := range index.Manifests {
		var manifest ociv1.Manifest
		if err := e.export(blobName(entry.Digest), &manifest); err != nil {
			return err
		}
		blobs := []ociv1.Descriptor{manifest.Config}
		if contents {
			blobs = append(blobs, manifest.Layers...)
		}
		for _, blob := range blobs {
			if err := e.export(blobName(blob.Digest), nil); err != nil {
				return err
			}
		}
	}
	return nil
}

// blobName returns the path of a blob in a store.
func blobName(of digest.Digest) string {
	return path.Join(ociv1.ImageBlobsDir, digest.SHA256.String(), strings.TrimPrefix(of.String(), digest.SHA256.String()+":"))
}

type exporter struct {
	top  *os.Root
	each func(name string, file *os.File) error
	done map[string]bool
}

// export passes one file on, once, and decodes it if into is set. It ignores a file that is removed, or is not JSON as expected.
func (e *exporter) export(name string, into any) error {
	if !Kept(name) || e.done[name] {
		return nil
	}
	e.done[name] = true
	file, err := e.top.Open(filepath.FromSlash(name))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer func() { _ = file.Close() }() // only read from
	if into != nil {
		_ = json.NewDecoder(file).Decode(into)
		if _, err := file.Seek(0, 0); err != nil {
			return err
		}
	}
	if err := e.each(name, file); err != nil {
		return fmt.Errorf("export %s: %w", name, err)
	}
	return nil
}
