// SPDX-License-Identifier: Apache-2.0

package v1alpha1

import (
	"go/ast"
	"go/parser"
	"go/token"
	"strconv"
	"testing"
)

// TestEveryFailureReasonHasAClass reads the reasons from the source, so that none is forgotten.
func TestEveryFailureReasonHasAClass(t *testing.T) {
	file, err := parser.ParseFile(token.NewFileSet(), "reasons.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	found := 0
	ast.Inspect(file, func(node ast.Node) bool {
		constant, ok := node.(*ast.ValueSpec)
		if !ok {
			return true
		}
		if kind, ok := constant.Type.(*ast.Ident); !ok || kind.Name != "FailureReason" {
			return false
		}
		found++
		literal, ok := constant.Values[0].(*ast.BasicLit)
		if !ok {
			t.Fatalf("%s is not a literal", constant.Names[0].Name)
		}
		reason, err := strconv.Unquote(literal.Value)
		if err != nil || FailureReason(reason).Class() == "" {
			t.Errorf("%s has no class (%v)", reason, err)
		}
		return false
	})
	if found == 0 {
		t.Error("no reasons found")
	}
	if class := FailureReason("Because").Class(); class != "" {
		t.Errorf("an unknown reason has class %s", class)
	}
}
