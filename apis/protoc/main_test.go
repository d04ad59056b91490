// SPDX-License-Identifier: Apache-2.0

package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/pluginpb"

	"goldsmith.dev/goldsmith/e2e/require"
)

// A plugin that keeps its request, and responds with what the test wrote into a file.
const plugin = `#!/bin/sh
cat > "$PLUGIN/request" && cat "$PLUGIN/response"
`

func TestThePluginReadsImportsFirstAndWritesGo(t *testing.T) {
	folder := newFolder(t, map[string]string{
		"example/a/a.proto": "syntax = \"proto2\";\npackage a;\nimport \"example/b/b.proto\";\n\n// Web serves pages.\nmessage Web { optional b.Port port = 1; }\n",
		"example/b/b.proto": "syntax = \"proto2\";\npackage b;\nmessage Port {}\n",
	})
	respond(t, folder, &pluginpb.CodeGeneratorResponse{File: []*pluginpb.CodeGeneratorResponse_File{
		{Name: new("example/a/a.pb.go"), Content: new("package a\n")},
	}})
	require.NoError(t, run(t.Context(), []string{".", folder}, folder, filepath.Join(folder, "example/a/a.proto")))

	content, err := os.ReadFile(filepath.Join(folder, "request"))
	require.NoError(t, err)
	request := &pluginpb.CodeGeneratorRequest{}
	require.NoError(t, proto.Unmarshal(content, request))
	var names, comments []string
	for _, file := range request.GetProtoFile() {
		names = append(names, file.GetName())
		for _, location := range file.GetSourceCodeInfo().GetLocation() {
			if location.LeadingComments != nil {
				comments = append(comments, location.GetLeadingComments())
			}
		}
	}
	if got, want := strings.Join(names, " "), "example/b/b.proto example/a/a.proto"; got != want {
		t.Errorf("the request has the files %s, not %s", got, want)
	}
	if got, want := strings.Join(comments, ""), " Web serves pages.\n"; got != want {
		t.Errorf("the request has the comments %q, not %q", got, want)
	}
	if got, want := strings.Join(request.GetFileToGenerate(), " "), "example/a/a.proto"; got != want {
		t.Errorf("the request asks for Go of %s, not %s", got, want)
	}
	generated, err := os.ReadFile(filepath.Join(folder, "example/a/a.pb.go"))
	if err != nil || string(generated) != "package a\n" {
		t.Errorf("the generated file is %q, %v", generated, err)
	}
}

func TestErrorsNameTheirCause(t *testing.T) {
	folder := newFolder(t, map[string]string{
		"good.proto": "syntax = \"proto2\";\nmessage Web {}\n",
		"bad.proto":  "syntax = \"proto2\";\nmessage Web { optional Port port = 1; }\n",
	})
	respond(t, folder, &pluginpb.CodeGeneratorResponse{Error: new("Web is not supported")})
	for _, test := range []struct{ file, want string }{
		{filepath.Join(folder, "good.proto"), "protoc-gen-gogo: Web is not supported"},
		{filepath.Join(folder, "bad.proto"), "bad.proto:2:24: field Web.port: unknown type Port"},
		{"/elsewhere/good.proto", "the file is in no folder of -I"},
	} {
		if err := run(t.Context(), []string{folder}, folder, test.file); err == nil || err.Error() != test.want {
			t.Errorf("%s: the error is %v, not %s", test.file, err, test.want)
		}
	}
}

// newFolder returns a folder with these files.
func newFolder(t *testing.T, files map[string]string) string {
	t.Helper()
	folder := t.TempDir()
	for name, content := range files {
		write(t, filepath.Join(folder, name), content, 0o600)
	}
	return folder
}

// respond puts a plugin on PATH that sends this response.
func respond(t *testing.T, folder string, response *pluginpb.CodeGeneratorResponse) {
	t.Helper()
	content, err := proto.Marshal(response)
	require.NoError(t, err)
	write(t, filepath.Join(folder, "response"), string(content), 0o600)
	commands := t.TempDir()
	write(t, filepath.Join(commands, "protoc-gen-gogo"), plugin, 0o700)
	t.Setenv("PLUGIN", folder)
	t.Setenv("PATH", commands+string(filepath.ListSeparator)+os.Getenv("PATH"))
}

func write(t *testing.T, file, content string, mode os.FileMode) {
	t.Helper()
	require.NoError(t, os.MkdirAll(filepath.Dir(file), 0o755))
	require.NoError(t, os.WriteFile(file, []byte(content), mode))
}
