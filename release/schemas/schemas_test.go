// SPDX-License-Identifier: Apache-2.0

package schemas

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"sigs.k8s.io/yaml"

	"goldsmith.dev/goldsmith/release/metadata"
)

var release = &metadata.Release{Revision: metadata.Revision{Version: "v0.1.0", Time: time.Unix(1_700_000_000, 0)}}

func TestTheArchiveHasWhatDescribesTheAPI(t *testing.T) {
	directory := t.TempDir()
	if err := errors.Join(
		os.MkdirAll(filepath.Join(directory, "images.goldsmith.dev"), 0o750),
		os.WriteFile(filepath.Join(directory, "images.goldsmith.dev", "image_v1alpha1.json"), []byte("{}"), 0o600),
	); err != nil {
		t.Fatal(err)
	}
	var archive, again bytes.Buffer
	if err := errors.Join(Write(&archive, "../..", directory, release), Write(&again, "../..", directory, release)); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(archive.Bytes(), again.Bytes()) {
		t.Error("the bytes differ")
	}
	files := unpack(t, &archive)
	var names []string
	for name := range files {
		names = append(names, name)
	}
	slices.Sort(names)
	want := []string{
		"LICENSE", "jsonschema/images.goldsmith.dev/image_v1alpha1.json", "monitoring/dashboard.json", "monitoring/prometheusrule.yaml",
		"monitoring/rules.yaml", "openapi/v3.json",
	}
	if !slices.Equal(names, want) {
		t.Errorf("the files are %v", names)
	}
	var rules struct {
		Groups []struct {
			Rules []struct{ Alert, Expr string }
		}
	}
	if err := yaml.Unmarshal(files["monitoring/rules.yaml"], &rules); err != nil || len(rules.Groups) == 0 || rules.Groups[0].Rules[0].Expr == "" {
		t.Errorf("%v: %+v", err, rules)
	}
}

func TestAnEmptyDirectoryOfSchemasIsRefused(t *testing.T) {
	if err := Write(io.Discard, "../..", t.TempDir(), release); err == nil {
		t.Error("an archive without schemas is written")
	}
}

func unpack(t *testing.T, archive io.Reader) map[string][]byte {
	t.Helper()
	files := map[string][]byte{}
	unzipped, err := gzip.NewReader(archive)
	if err != nil {
		t.Fatal(err)
	}
	for reader := tar.NewReader(unzipped); ; {
		header, err := reader.Next()
		if errors.Is(err, io.EOF) {
			return files
		}
		if err != nil {
			t.Fatal(err)
		}
		if files[header.Name], err = io.ReadAll(reader); err != nil {
			t.Fatal(err)
		}
	}
}
