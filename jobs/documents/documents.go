// SPDX-License-Identifier: Apache-2.0

// Package documents makes the documents about artifacts that Goldsmith derives from what a builder wrote: software bills of materials, from
// locks. A publisher calls it between reading the files of a builder and storing them.
package documents

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"strings"

	"goldsmith.dev/goldsmith/apis/contents"
	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/jobs/local/artifacts"
	"goldsmith.dev/goldsmith/jobs/lock"
	"goldsmith.dev/goldsmith/jobs/result"
	"goldsmith.dev/goldsmith/jobs/sbom"
)

const (
	// maxBytes is the maximum size in bytes of all locks of a build together. The server returns them in one answer.
	maxBytes = 16 << 20
	// maxCompressed is the maximum size in bytes of a lock that is compressed by gzip. In base64, it fits into a request.
	maxCompressed = 2 << 20
)

// Lock is a lock of at least one artifact of a build.
type Lock struct {
	// Digest is the digest of the lock: "sha256:" and 64 hex digits.
	Digest string
	// Compressed is the lock, compressed by gzip. The same lock has the same bytes.
	Compressed []byte
}

// Content returns the lock.
func (l *Lock) Content() ([]byte, error) {
	reader, err := gzip.NewReader(bytes.NewReader(l.Compressed))
	if err != nil {
		return nil, fmt.Errorf("decompress a lock: %w", err)
	}
	content, err := io.ReadAll(reader)
	if err != nil {
		return nil, fmt.Errorf("decompress a lock: %w", err)
	}
	return content, nil
}

// Compressed returns locks by digest, each compressed by gzip.
func Compressed(locks []Lock) map[string][]byte {
	all := map[string][]byte{}
	for i := range locks {
		all[locks[i].Digest] = locks[i].Compressed
	}
	return all
}

// bills are the bills of materials that an artifact with a lock gets, in the order of the status.
var bills = []struct {
	mediaType string
	write     func(io.Writer, *v1alpha1.Lock, sbom.Subject) error
}{
	{v1alpha1.MediaTypeCycloneDX, sbom.CycloneDX},
	{v1alpha1.MediaTypeSPDX, sbom.SPDX},
}

// Make reads the lock of each artifact whose lock was verified, counts the packages in it, and makes a bill of materials in each format,
// unless the builder has made one in this format. It returns the locks, each once, in the order of the artifacts. An error is an
// *artifacts.InvalidError if the lock is wrong, or that of read.
//
// read reads the file of a content. Make holds one lock in memory, and no bill. Document.Write reads the lock and makes the bill again, which
// gives the same bytes.
func Make(reported *result.Result, read func(*result.Content) (io.ReadCloser, error)) (locks []Lock, err error) {
	sharing := map[string][]*result.Artifact{} // by the digest of the lock
	var firsts []*result.Artifact
	for i := range reported.Artifacts {
		artifact := &reported.Artifacts[i]
		artifact.Packages, artifact.Made = nil, nil
		if artifact.Lock == nil || artifact.Lock.File == "" || artifact.Lock.Verified == "" {
			continue
		}
		if sharing[artifact.Lock.Digest] == nil {
			firsts = append(firsts, artifact)
		}
		sharing[artifact.Lock.Digest] = append(sharing[artifact.Lock.Digest], artifact)
	}
	size := 0
	for _, first := range firsts {
		of := *first.Lock
		name := fmt.Sprintf("lock of artifact %q", first.Target)
		content, err := load(&of, read)
		if err != nil {
			return nil, fmt.Errorf("read %s: %w", name, err)
		}
		its, err := lock.Read(content)
		if err != nil {
			return nil, invalid(name, err)
		}
		compressed := compress(content)
		if n := len(compressed); n > maxCompressed {
			return nil, invalid(name, fmt.Errorf("has %d bytes when it is compressed by gzip, at most %d are allowed: list fewer packages", n, maxCompressed))
		}
		if size += len(content); size > maxBytes {
			return nil, invalid(name, fmt.Errorf("is too large: the locks of a build have at most %d bytes together: list fewer packages, or let targets share a lock", maxBytes))
		}
		locks = append(locks, Lock{of.Digest, compressed})
		for _, artifact := range sharing[of.Digest] {
			artifact.Packages = new(int32(len(its.Packages))) //nolint:gosec // at most MaxLockPackages
			if err := addBills(artifact, its, func() (*v1alpha1.Lock, error) {
				content, err := load(&of, read)
				if err != nil {
					return nil, fmt.Errorf("read %s: %w", name, err)
				}
				return lock.Read(content)
			}); err != nil {
				return nil, err
			}
		}
	}
	return locks, nil
}

// load reads a lock, or as much of it as shows that it is too large.
func load(content *result.Content, read func(*result.Content) (io.ReadCloser, error)) ([]byte, error) {
	file, err := read(content)
	if err != nil {
		return nil, err
	}
	defer func() { _ = file.Close() }() // only read from
	text, err := io.ReadAll(io.LimitReader(file, v1alpha1.MaxLockBytes+1))
	if err != nil {
		return nil, err
	}
	if len(text) <= v1alpha1.MaxLockBytes && contents.Digest(text) != content.Digest {
		return nil, errors.New("the file was changed after its digest was computed")
	}
	return text, nil
}

// invalid returns the error for a lock that a builder has to correct. It is fit for the status, whatever the lock has.
func invalid(name string, err error) error {
	return &artifacts.InvalidError{Text: v1alpha1.CutMessage(name + ": " + err.Error())}
}

func compress(content []byte) []byte {
	var compressed bytes.Buffer
	writer := gzip.NewWriter(&compressed)
	_, _ = writer.Write(content) // a Buffer returns no error
	_ = writer.Close()
	return compressed.Bytes()
}

// addBills makes the bills of an artifact. again reads the lock again.
func addBills(artifact *result.Artifact, its *v1alpha1.Lock, again func() (*v1alpha1.Lock, error)) error {
	of := sbom.Subject{Target: artifact.Target, Digest: artifact.Digest}
	for _, bill := range bills {
		if own := artifact.SBOM; own != nil && strings.EqualFold(own.MediaType, bill.mediaType) {
			continue
		}
		sum, size := sha256.New(), counter(0)
		if err := bill.write(io.MultiWriter(sum, &size), its, of); err != nil {
			return err
		}
		artifact.Made = append(artifact.Made, result.Document{
			Type: v1alpha1.DocumentSBOM,
			Content: result.Content{
				Digest: "sha256:" + hex.EncodeToString(sum.Sum(nil)), SizeBytes: new(int64(size)), MediaType: bill.mediaType,
				Verified: v1alpha1.ArtifactVerifiedContent,
			},
			Write: func(to io.Writer) error {
				its, err := again()
				if err != nil {
					return err
				}
				return bill.write(to, its, of)
			},
		})
	}
	return nil
}

// counter counts bytes that are written to it.
type counter int64

func (c *counter) Write(content []byte) (int, error) {
	*c += counter(len(content))
	return len(content), nil
}
