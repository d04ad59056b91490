// SPDX-License-Identifier: Apache-2.0

package documents_test

import (
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"k8s.io/utils/ptr"

	"goldsmith.dev/goldsmith/apis/contents"
	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/e2e/require"
	"goldsmith.dev/goldsmith/jobs/documents"
	"goldsmith.dev/goldsmith/jobs/local/artifacts"
	"goldsmith.dev/goldsmith/jobs/result"
	"goldsmith.dev/goldsmith/jobs/sbom"

	jobslock "goldsmith.dev/goldsmith/jobs/lock"
)

const one = `{"version": 1, "packages": [{"name": "openssl", "version": "3.5.6-1", "architecture": "amd64"}]}`

// files are the files of a builder, by their names.
type files struct {
	contents map[string]string
	read     []string // the names of those that were read
}

func (f *files) open(content *result.Content) (io.ReadCloser, error) {
	f.read = append(f.read, content.File)
	text, ok := f.contents[content.File]
	if !ok {
		return nil, fs.ErrNotExist
	}
	return io.NopCloser(strings.NewReader(text)), nil
}

// reported returns an artifact of a target whose lock is in a file, as it is after the files were read.
func (f *files) reported(target, file string) result.Artifact {
	text := f.contents[file]
	return result.Artifact{
		Target:  target,
		Content: result.Content{Digest: digestOf("disk of " + target)},
		Lock: &result.Content{
			File: file, Digest: digestOf(text), SizeBytes: new(int64(len(text))), MediaType: v1alpha1.LockMediaType,
			Verified: v1alpha1.ArtifactVerifiedContent,
		},
	}
}

func digestOf(text string) string { return contents.Digest([]byte(text)) }

// lockOf returns a lock with packages of the names.
func lockOf(names ...string) string {
	its := v1alpha1.Lock{Version: v1alpha1.LockVersion}
	for _, name := range names {
		its.Packages = append(its.Packages, v1alpha1.Package{Name: name, Version: "1", Architecture: "all"})
	}
	text, err := json.Marshal(its)
	if err != nil {
		panic(err)
	}
	return string(text)
}

func TestArtifactsGetBills(t *testing.T) {
	f := &files{contents: map[string]string{"one": one, "copy": one, "two": lockOf("a", "b")}}
	reported := &result.Result{Artifacts: []result.Artifact{
		f.reported("linux/amd64/raw", "one"),
		f.reported("linux/arm64/raw", "two"),
		f.reported("linux/amd64/qcow2", "one"),
		f.reported("linux/amd64/oci", "copy"),
		{Target: "linux/arm64/iso"},
		{Target: "linux/arm64/vmdk", Lock: &result.Content{Location: "https://registry.example/lock"}},
	}}
	reported.Artifacts[1].SBOM = &result.Content{MediaType: "Application/vnd.CycloneDX+json"}
	reported.Artifacts[4].Packages, reported.Artifacts[4].Made = new(int32(7)), []result.Document{{}} // a builder cannot set them
	locks := require.Value(documents.Make(reported, f.open))(t)

	if want := []string{"one", "two"}; !slices.Equal(f.read, want) {
		t.Errorf("the files %v were read, want %v", f.read, want)
	}
	if len(locks) != 2 || locks[0].Digest != digestOf(one) || locks[1].Digest != digestOf(f.contents["two"]) {
		t.Errorf("got the locks %v", locks)
	}
	for _, lock := range locks {
		text := require.Value(io.ReadAll(require.Value(gzip.NewReader(bytes.NewReader(lock.Compressed)))(t)))(t)
		if digestOf(string(text)) != lock.Digest {
			t.Errorf("lock %s is %s", lock.Digest, text)
		}
	}
	for i, want := range []struct {
		packages *int32
		made     []string
	}{
		{new(int32(1)), []string{v1alpha1.MediaTypeCycloneDX, v1alpha1.MediaTypeSPDX}},
		{new(int32(2)), []string{v1alpha1.MediaTypeSPDX}},
		{new(int32(1)), []string{v1alpha1.MediaTypeCycloneDX, v1alpha1.MediaTypeSPDX}},
		{new(int32(1)), []string{v1alpha1.MediaTypeCycloneDX, v1alpha1.MediaTypeSPDX}},
		{},
		{},
	} {
		artifact := &reported.Artifacts[i]
		if !ptr.Equal(artifact.Packages, want.packages) {
			t.Errorf("%s: packages is %v, want %v", artifact.Target, artifact.Packages, want.packages)
		}
		var made []string
		for _, document := range artifact.Made {
			made = append(made, document.MediaType)
			var text, direct bytes.Buffer
			require.NoError(t, document.Write(&text))
			its := require.Value(jobslock.Read([]byte(f.contents[artifact.Lock.File])))(t)
			write := map[string]func(io.Writer, *v1alpha1.Lock, sbom.Subject) error{v1alpha1.MediaTypeCycloneDX: sbom.CycloneDX, v1alpha1.MediaTypeSPDX: sbom.SPDX}
			require.NoError(t, write[document.MediaType](&direct, its, sbom.Subject{Target: artifact.Target, Digest: artifact.Digest}))
			if text.String() != direct.String() || document.Digest != digestOf(text.String()) || *document.SizeBytes != int64(text.Len()) {
				t.Errorf("%s: %s of %d bytes is:\n%swant:\n%s", artifact.Target, document.Digest, *document.SizeBytes, &text, &direct)
			}
			if document.Type != v1alpha1.DocumentSBOM || document.Verified != v1alpha1.ArtifactVerifiedContent {
				t.Errorf("%s: the document is %s, verified %q", artifact.Target, document.Type, document.Verified)
			}
		}
		if !slices.Equal(made, want.made) {
			t.Errorf("%s: the documents are %v, want %v", artifact.Target, made, want.made)
		}
	}
}

// TestWrongLocks has locks that a builder has to correct. The message is fit for a terminal and for the status, whatever the lock has.
func TestWrongLocks(t *testing.T) {
	numbered := func(n int) (names []string) {
		for i := range n {
			names = append(names, fmt.Sprint("p", i))
		}
		return names
	}
	for name, tt := range map[string]struct{ text, want string }{
		"empty":         {"", `lock of artifact "linux/amd64/raw": is not a JSON object: `},
		"not JSON":      {"#!/bin/sh", `lock of artifact "linux/amd64/raw": is not a JSON object: `},
		"future":        {`{"version": 2}`, `lock of artifact "linux/amd64/raw": version is 2, must be 1: use a version of Goldsmith that reads this lock`},
		"large version": {`{"version": 1` + strings.Repeat("0", 5000) + `}`, `lock of artifact "linux/amd64/raw": version is 1000`},
		"no version":    {`{"version": 1, "packages": [{"name": "a", "architecture": "all"}]}`, `lock of artifact "linux/amd64/raw": packages[0].version is missing`},
		"too large":     {one + strings.Repeat(" ", v1alpha1.MaxLockBytes), `lock of artifact "linux/amd64/raw": has more than 8388608 bytes: leave out optional fields`},
		"too many":      {lockOf(numbered(100_000)...), `lock of artifact "linux/amd64/raw": has 100000 packages, at most 20000 are allowed`},
		"duplicates":    {lockOf("a", "b", "a"), `lock of artifact "linux/amd64/raw": packages[2] is the same as packages[0], a 1 all: list each package once`},
		"ESC":           {lockOf("a\u001b[31m"), `lock of artifact "linux/amd64/raw": packages[0].name is `},
		"right to left": {lockOf("a\u202egnp"), `lock of artifact "linux/amd64/raw": packages[0].name is `},
		"a long value":  {`{"version": 1, "packages": [], "tools": "` + strings.Repeat("é\u200b", 5000) + `"}`, `lock of artifact "linux/amd64/raw": tools is "é\u200bé`},
		"a password":    {`{"version": 1, "packages": [], "sources": [{"uri": "https://joe:secret@apt.example/"}]}`, `lock of artifact "linux/amd64/raw": sources[0].uri has a URL with a user, a query or a fragment`},
	} {
		t.Run(name, func(t *testing.T) {
			f := &files{contents: map[string]string{"lock": tt.text}}
			_, err := documents.Make(&result.Result{Artifacts: []result.Artifact{f.reported("linux/amd64/raw", "lock")}}, f.open)
			invalid, ok := errors.AsType[*artifacts.InvalidError](err)
			if !ok || !strings.HasPrefix(invalid.Text, tt.want) {
				t.Fatalf("got %v, want %s", err, tt.want)
			}
			if len(invalid.Text) > v1alpha1.MaxMessageBytes || !v1alpha1.Printable(invalid.Text) || strings.Contains(invalid.Text, "secret") {
				t.Errorf("the message of %d bytes is not fit: %q", len(invalid.Text), invalid.Text)
			}
		})
	}
}

// Random names cannot be compressed: a lock with them is as large in a request as on disk. Others are too large together.
func TestLocksThatAreTooLargeToBeRecorded(t *testing.T) {
	random := rand.NewChaCha8([32]byte{})
	for name, tt := range map[string]struct {
		targets int
		of      func(target, at int) string
		want    string
	}{
		"compressed": {1, func(int, int) string {
			name := make([]byte, 3072)
			_, _ = random.Read(name) // it never fails
			return base64.RawURLEncoding.EncodeToString(name)
		}, `lock of artifact "linux/a0/raw": has `},
		"together": {3, func(target, at int) string { return fmt.Sprintf("%d-%s-%d", target, strings.Repeat("x", 3000), at) },
			`lock of artifact "linux/a2/raw": is too large: the locks of a build have at most 16777216 bytes together: list fewer packages`},
	} {
		t.Run(name, func(t *testing.T) {
			f := &files{contents: map[string]string{}}
			reported := &result.Result{}
			for i := range tt.targets {
				var names []string
				for j := range 1900 {
					names = append(names, tt.of(i, j))
				}
				target := fmt.Sprintf("linux/a%d/raw", i)
				f.contents[target] = lockOf(names...)
				reported.Artifacts = append(reported.Artifacts, f.reported(target, target))
			}
			_, err := documents.Make(reported, f.open)
			if _, ok := errors.AsType[*artifacts.InvalidError](err); !ok || !strings.HasPrefix(err.Error(), tt.want) {
				t.Errorf("got %.300v, want %s", err, tt.want)
			}
		})
	}
}

// TestFilesThatCannotBeRead has faults that are not the builder's.
func TestFilesThatCannotBeRead(t *testing.T) {
	f := &files{contents: map[string]string{"lock": one}}
	reported := func() *result.Result {
		return &result.Result{Artifacts: []result.Artifact{f.reported("linux/amd64/raw", "lock")}}
	}
	made := reported()
	_ = require.Value(documents.Make(made, f.open))(t)
	for _, tt := range []struct{ text, want string }{
		{lockOf("a"), `read lock of artifact "linux/amd64/raw": the file was changed after its digest was computed`},
		{"", `read lock of artifact "linux/amd64/raw": file does not exist`},
	} {
		other := reported()
		f.contents["lock"] = tt.text
		if tt.text == "" {
			delete(f.contents, "lock")
		}
		_, err := documents.Make(other, f.open)
		for _, err := range []error{err, made.Artifacts[0].Made[0].Write(io.Discard)} {
			if _, invalid := errors.AsType[*artifacts.InvalidError](err); invalid || err == nil || err.Error() != tt.want {
				t.Errorf("got %v, want %s", err, tt.want)
			}
		}
		f.contents["lock"] = one
	}
}
