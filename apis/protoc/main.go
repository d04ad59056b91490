// SPDX-License-Identifier: Apache-2.0

// Command protoc stands in for the protobuf compiler of the same name, which go-to-protobuf runs and no Go module contains.
// It accepts only the arguments that go-to-protobuf passes, and runs only the plugin protoc-gen-gogo.
package main

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/bufbuild/protocompile"
	"github.com/bufbuild/protocompile/protoutil"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/pluginpb"
)

func main() {
	var importPaths []string
	flag.Func("I", "a `folder` to search for imports; may be repeated", func(folder string) error {
		importPaths = append(importPaths, folder)
		return nil
	})
	output := flag.String("gogo_out", "", "the `folder` to write Go files to")
	flag.Usage = func() {
		fmt.Fprintln(os.Stderr, "usage: protoc -I FOLDER... --gogo_out=FOLDER FILE")
		flag.PrintDefaults()
	}
	flag.Parse()
	if flag.NArg() != 1 || *output == "" {
		flag.Usage()
		os.Exit(2)
	}
	if err := run(context.Background(), importPaths, *output, flag.Arg(0)); err != nil {
		fmt.Fprintf(os.Stderr, "generate Go from %s: %v\n", flag.Arg(0), err)
		os.Exit(1)
	}
}

func run(ctx context.Context, importPaths []string, output, file string) error {
	name, err := importName(importPaths, file)
	if err != nil {
		return err
	}
	compiler := protocompile.Compiler{
		Resolver:       &protocompile.SourceResolver{ImportPaths: importPaths},
		SourceInfoMode: protocompile.SourceInfoStandard, // the comments and locations that protoc passes to plugins
	}
	files, err := compiler.Compile(ctx, name)
	if err != nil {
		return err
	}
	request := &pluginpb.CodeGeneratorRequest{FileToGenerate: []string{name}}
	addFile(request, files[0], map[string]bool{})
	response, err := runPlugin(ctx, request)
	if err != nil {
		return fmt.Errorf("protoc-gen-gogo: %w", err)
	}
	for _, generated := range response.GetFile() {
		path := filepath.Join(output, generated.GetName())
		if err := os.WriteFile(path, []byte(generated.GetContent()), 0o644); err != nil { //nolint:gosec // source code, which others may read
			return err
		}
	}
	return nil
}

// importName returns the name under which other files import this file: its path below the first folder that contains it.
func importName(importPaths []string, file string) (string, error) {
	for _, folder := range importPaths {
		if name, found := strings.CutPrefix(filepath.Clean(file), filepath.Clean(folder)+"/"); found {
			return name, nil
		}
	}
	return "", errors.New("the file is in no folder of -I")
}

// addFile adds a file to the request, after the files that it imports: a plugin reads a file once it knows the imported types.
func addFile(request *pluginpb.CodeGeneratorRequest, file protoreflect.FileDescriptor, added map[string]bool) {
	if added[file.Path()] {
		return
	}
	added[file.Path()] = true
	for i := range file.Imports().Len() {
		addFile(request, file.Imports().Get(i).FileDescriptor, added)
	}
	request.ProtoFile = append(request.ProtoFile, protoutil.ProtoFromFileDescriptor(file))
}

// runPlugin sends the request to protoc-gen-gogo and returns its response.
func runPlugin(ctx context.Context, request *pluginpb.CodeGeneratorRequest) (*pluginpb.CodeGeneratorResponse, error) {
	input, err := proto.Marshal(request)
	if err != nil {
		return nil, err
	}
	plugin := exec.CommandContext(ctx, "protoc-gen-gogo")
	plugin.Stdin = bytes.NewReader(input)
	plugin.Stderr = os.Stderr
	result, err := plugin.Output()
	if err != nil {
		return nil, err
	}
	response := &pluginpb.CodeGeneratorResponse{}
	if err := proto.Unmarshal(result, response); err != nil {
		return nil, err
	}
	if response.GetError() != "" {
		return nil, errors.New(response.GetError())
	}
	return response, nil
}
