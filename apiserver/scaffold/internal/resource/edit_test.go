// SPDX-License-Identifier: Apache-2.0

package resource

import (
	"strings"
	"testing"
)

const server = `// Package apiserver is the API.
package apiserver

import (
	"goldsmith.dev/goldsmith/apiserver/builder"

	"example.com/widgets/apiserver/widget"
)

// Register adds every resource.
func Register(described *builder.Server) *builder.Server {
	widget.Register(described) // the first one
	return described
}
`

func TestAResourceIsAddedToTheServer(t *testing.T) {
	changed, err := addResource("register.go", []byte(server), "example.com/widgets/apiserver/gadget")
	if err != nil {
		t.Fatal(err)
	}
	want := strings.NewReplacer(
		"\t\"example.com/widgets/apiserver/widget\"\n", "\t\"example.com/widgets/apiserver/gadget\"\n\t\"example.com/widgets/apiserver/widget\"\n",
		"// the first one\n", "// the first one\n\tgadget.Register(described)\n",
	).Replace(server)
	if string(changed) != want {
		t.Errorf("the server is now\n%s", changed)
	}
}

func TestAServerOfAnotherShapeIsLeftToAPerson(t *testing.T) {
	for _, source := range []string{
		"package apiserver\n",
		"package apiserver\nfunc Register() { return }\n",
		"package apiserver\nfunc Register(s *Server) *Server { return s.With(nil) }\n",
		"package apiserver\nfunc (x) Register(s *Server) *Server { return s }\n",
	} {
		if changed, err := addResource("register.go", []byte(source), "example.com/gadget"); err == nil {
			t.Errorf("%s became\n%s", source, changed)
		}
	}
	if _, err := addResource("register.go", []byte("package"), "example.com/gadget"); err == nil {
		t.Error("half a file was read")
	}
}

func TestAKindIsAddedToItsVersion(t *testing.T) {
	for source, want := range map[string]string{
		"scheme.AddKnownTypes(version,\n\t\t&Widget{},\n\t\t&WidgetList{},\n\t)": "scheme.AddKnownTypes(version,\n\t\t&Widget{},\n\t\t&WidgetList{},\n\t\t&Gadget{},\n\t\t&GadgetList{},\n\t)",
		"scheme.AddKnownTypes(version, &Widget{})":                               "scheme.AddKnownTypes(version, &Widget{},\n\t\t&Gadget{},\n\t\t&GadgetList{})",
	} {
		file := func(call string) string { return "package v1\n\nfunc add(scheme *Scheme) {\n\t" + call + "\n}\n" }
		changed, err := addKind("register.go", []byte(file(source)), "Gadget")
		if err != nil {
			t.Fatal(err)
		}
		if string(changed) != file(want) {
			t.Errorf("the file is now\n%s", changed)
		}
	}
	if _, err := addKind("register.go", []byte("package v1\n"), "Gadget"); err == nil || !strings.Contains(err.Error(), "no call of AddKnownTypes") {
		t.Errorf("error: %v", err)
	}
}
