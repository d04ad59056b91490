// SPDX-License-Identifier: Apache-2.0

package validate

import (
	"go/ast"

	"golang.org/x/tools/go/analysis"
)

const objectMarker = "+k8s:deepcopy-gen:interfaces=k8s.io/apimachinery/pkg/runtime.Object"

var deepCopy = rule{
	name: "deepcopy",
	doc:  "check that object kinds are marked for deepcopy-gen: without DeepCopyObject, no scheme takes them",
	check: func(a *api) {
		marked := a.packageMarked("k8s:deepcopy-gen", "kubebuilder:object:generate")
		written := a.handWritten("DeepCopyObject")
		reported := false
		for _, kind := range a.kinds {
			if written[kind.name] || kind.markers.has("kubebuilder:object:root") {
				continue
			}
			if !kind.markers.deepCopyObject() {
				a.reportType(kind, markType(kind.declaration, objectMarker), "is no runtime.Object: mark it // %s", objectMarker)
			}
			if !marked && !reported && !kind.markers.has("k8s:deepcopy-gen") {
				reported = true
				a.report(a.packageClause(), "package "+a.pass.Pkg.Name(), "asks for no deep copies: mark it // +k8s:deepcopy-gen=package", a.markPackage())
			}
		}
	},
}

// packageMarked reports whether the package's own comments have one of the markers.
func (a *api) packageMarked(names ...string) bool {
	for _, file := range a.files {
		for _, group := range file.Comments {
			if _, found := read(group); group.End() < file.Package && found.has(names...) {
				return true
			}
		}
	}
	return false
}

// markPackage puts the marker above the package's comment. Without one it has no place.
func (a *api) markPackage() analysis.SuggestedFix {
	for _, file := range a.files {
		if file.Doc != nil {
			return analysis.SuggestedFix{
				Message: "ask for deep copies of the package",
				TextEdits: []analysis.TextEdit{
					{Pos: file.Doc.Pos(), End: file.Doc.Pos(), NewText: []byte("// +k8s:deepcopy-gen=package\n\n")},
				},
			}
		}
	}
	return noFix
}

// handWritten returns the types that have a method which is not generated.
func (a *api) handWritten(method string) map[string]bool {
	types := map[string]bool{}
	for _, file := range a.files {
		for _, decl := range file.Decls {
			function, ok := decl.(*ast.FuncDecl)
			if ok && function.Recv != nil && function.Name.Name == method {
				types[embeddedName(function.Recv.List[0].Type).Name] = true
			}
		}
	}
	return types
}
