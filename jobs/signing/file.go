// SPDX-License-Identifier: Apache-2.0

package signing

import (
	"bufio"
	"bytes"
	"crypto/ecdsa"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
)

const (
	// encodingPrefix begins every pre-authentication encoding of DSSE.
	encodingPrefix = "DSSEv1 "
	// maxPayload is the maximum size of a payload of simple signing that is recognised. No verifier reads a larger one: cosign reads 128 MiB, Goldsmith
	// 32 MiB and Podman 4 MiB.
	maxPayload = 128 << 20
)

// File is the content of a file, which a key signs as it is.
type File struct {
	sum [sha256.Size]byte
	// other is what a signature of the content signs in another protocol, or "".
	other string
}

// ReadFile reads the content of a file, which can be larger than the memory.
func ReadFile(content io.Reader) (*File, error) {
	sum := sha256.New()
	other, err := otherProtocol(io.TeeReader(content, sum), maxPayload)
	if err != nil {
		return nil, err
	}
	if _, err := io.Copy(sum, content); err != nil { // the rest of it
		return nil, err
	}
	return &File{[sha256.Size]byte(sum.Sum(nil)), other}, nil
}

// otherProtocol returns what a signature of a content signs in another protocol than that of files, or "". It reads as much as it needs, and no more
// than a limit.
func otherProtocol(content io.Reader, limit int64) (string, error) {
	text := bufio.NewReader(io.LimitReader(content, limit))
	start, err := text.Peek(len(encodingPrefix))
	switch {
	case err != nil && !errors.Is(err, io.EOF):
		return "", err
	case string(start) == encodingPrefix:
		return "the encoding of a statement, as DSSE signs it", nil
	}
	for {
		character, err := text.ReadByte()
		switch {
		case errors.Is(err, io.EOF):
			return "", nil
		case err != nil:
			return "", err
		case bytes.IndexByte([]byte(" \t\r\n"), character) >= 0:
			continue
		case character != '{': // an object alone is a payload
			return "", nil
		}
		break
	}
	var payload struct {
		Critical struct {
			Type  json.RawMessage `json:"type"`
			Image json.RawMessage `json:"image"`
		} `json:"critical"`
	}
	var syntax *json.SyntaxError
	var mistyped *json.UnmarshalTypeError // of one field: the others are read
	err = json.NewDecoder(io.MultiReader(bytes.NewReader([]byte("{")), text)).Decode(&payload)
	switch {
	case errors.As(err, &syntax), errors.Is(err, io.ErrUnexpectedEOF):
		return "", nil
	case err != nil && !errors.As(err, &mistyped):
		return "", err
	case payload.Critical.Type != nil || payload.Critical.Image != nil:
		return "the payload of the signature of an image (simple signing)", nil
	}
	return "", nil
}

// Digest returns the digest of the content: "sha256:" and 64 hex digits.
func (f *File) Digest() string { return "sha256:" + hex.EncodeToString(f.sum[:]) }

// Sum returns the SHA-256 of the content.
func (f *File) Sum() []byte { return f.sum[:] }

// Unsignable returns why no signature of the content is one of a file: it is one in another protocol. It is nil for any other content.
func (f *File) Unsignable() error {
	if f.other == "" {
		return nil
	}
	return fmt.Errorf("its content is %s: a signature of it says nothing about a file", f.other)
}

// SignFile returns the signature, in ASN.1, of a file as it is. It refuses what is signed in another protocol.
func (k *PrivateKey) SignFile(file *File) ([]byte, error) {
	if err := file.Unsignable(); err != nil {
		return nil, err
	}
	return k.sign(file.sum[:])
}

// VerifyFile reports whether a signature, in ASN.1, is one of this key of a file as it is. No signature of what is signed in another protocol is one.
func (k *PublicKey) VerifyFile(file *File, signature []byte) bool {
	return file.Unsignable() == nil && ecdsa.VerifyASN1(k.key, file.sum[:], signature)
}
