// SPDX-License-Identifier: Apache-2.0

package table_test

import (
	"bytes"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/apiserver/registry/table"
	"goldsmith.dev/goldsmith/e2e/require"
)

func TestCellsAreEscaped(t *testing.T) {
	columns := []metav1.TableColumnDefinition{{Name: "Base", Type: "string"}, {Name: "Builds", Type: "integer"}}
	converted, err := table.New(columns, func(image *v1alpha1.Image) []any { return []any{image.Spec.Base.Reference, int64(1)} }).
		ConvertToTable(t.Context(), &v1alpha1.Image{Spec: v1alpha1.ImageSpec{BuildInputs: v1alpha1.BuildInputs{Base: v1alpha1.Base{Reference: "a\u202eb\u200b"}}}}, nil)
	require.NoError(t, err)
	if cells := converted.Rows[0].Cells; cells[0] != `a\u202eb\u200b` || cells[1] != int64(1) {
		t.Errorf("the cells are %q", cells)
	}
}

func TestAnEmptyListHasRowsInJSON(t *testing.T) {
	converted, err := table.New(nil, func(*v1alpha1.Image) []any { return nil }).ConvertToTable(t.Context(), &v1alpha1.ImageList{}, nil)
	require.NoError(t, err)
	if converted.Rows == nil {
		t.Error("the rows are null")
	}
}

func TestEveryTableEscapesItsCells(t *testing.T) {
	const apiserver, here = "../..", "../../registry/table/table.go"
	err := filepath.WalkDir(apiserver, func(path string, entry fs.DirEntry, err error) error {
		library := slices.Contains([]string{"builder", "example", "scaffold"}, entry.Name()) // it knows no texts of Goldsmith's users
		switch {
		case err != nil:
			return err
		case entry.IsDir() && library && filepath.Dir(path) == apiserver:
			return filepath.SkipDir
		case entry.IsDir() || path == here || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go"):
			return nil
		}
		source, err := os.ReadFile(path)
		if bytes.Contains(source, []byte("resources.NewTable(")) {
			t.Errorf("%s makes a table whose cells are not escaped: use table.New", path)
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
}
