// SPDX-License-Identifier: Apache-2.0

package local

import (
	"crypto/sha256"
	"encoding/hex"
	"io"
	"os"
	"path/filepath"
	"sync"
)

// programs knows the digests of programs, so that it reads a program again only after a change.
type programs struct {
	mu    sync.Mutex
	known map[string]program
}

type program struct {
	file   os.FileInfo
	digest string
}

// imageID returns the image of a builder with the digest of its program, which identifies the builder as the digest of an image does. The scripts and
// libraries that a program loads are not in it. Without the right to read the program, the image has no digest.
func (p *programs) imageID(image, path string) string {
	digest, err := p.digest(path)
	if err != nil {
		return image
	}
	return image + "@" + digest
}

func (p *programs) digest(path string) (string, error) {
	path, err := filepath.EvalSymlinks(path)
	if err != nil {
		return "", err
	}
	file, err := openRegular(path) // another file of the name cannot be run, and could be read for ever
	if err != nil {
		return "", err
	}
	defer func() { _ = file.Close() }() // only read from
	info, err := file.Stat()
	if err != nil {
		return "", err
	}
	p.mu.Lock() // also while it reads: builds that start together read a program once
	defer p.mu.Unlock()
	if known, ok := p.known[path]; ok && os.SameFile(known.file, info) && known.file.Size() == info.Size() && known.file.ModTime().Equal(info.ModTime()) {
		return known.digest, nil
	}
	sum := sha256.New()
	if _, err := io.Copy(sum, file); err != nil {
		return "", err
	}
	if p.known == nil {
		p.known = map[string]program{}
	}
	p.known[path] = program{info, "sha256:" + hex.EncodeToString(sum.Sum(nil))}
	return p.known[path].digest, nil
}
