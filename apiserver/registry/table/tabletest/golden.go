// SPDX-License-Identifier: Apache-2.0

// Package tabletest holds tables against golden files, as kubectl prints them.
package tabletest

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apiserver/pkg/registry/rest"
	"k8s.io/cli-runtime/pkg/printers"
)

// Golden prints objects as kubectl get and kubectl get -o wide do, and compares with the file testdata/<test>.txt.
// With UPDATE_GOLDEN set, it writes the file instead.
func Golden(t *testing.T, convertor rest.TableConvertor, objects runtime.Object) {
	t.Helper()
	table, err := convertor.ConvertToTable(t.Context(), objects, nil)
	if err != nil {
		t.Fatal(err)
	}
	var printed bytes.Buffer
	for _, wide := range []bool{false, true} {
		if err := printers.NewTablePrinter(printers.PrintOptions{Wide: wide}).PrintObj(table, &printed); err != nil {
			t.Fatal(err)
		}
		printed.WriteByte('\n')
	}
	golden := filepath.Join("testdata", t.Name()+".txt")
	if os.Getenv("UPDATE_GOLDEN") != "" {
		if err := os.WriteFile(golden, printed.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), printed.String()); diff != "" {
		t.Errorf("the table differs from %s (-want +got):\n%s", golden, diff)
	}
}
