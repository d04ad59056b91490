// SPDX-License-Identifier: Apache-2.0

// Command reference prints the reference page of the API: every resource with its verbs, and every field of every type.
//
// The resources come from the OpenAPI document that a server serves (apis/generated/openapi/v3.json), the types from the
// OpenAPI definitions of the Go types. A generator of reference pages for CustomResourceDefinitions does not fit: it looks
// for markers of controller-tools, and knows no subresources.
package main

import (
	"fmt"
	"os"

	"k8s.io/kube-openapi/pkg/common"
	"k8s.io/kube-openapi/pkg/validation/spec"

	"goldsmith.dev/goldsmith/apis/generated/openapi"
)

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: reference OPENAPI-V3-DOCUMENT")
		os.Exit(2)
	}
	if err := run(os.Args[1]); err != nil {
		fmt.Fprintln(os.Stderr, "print the API reference:", err)
		os.Exit(1)
	}
}

func run(file string) error {
	document, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	page, err := render(document, types())
	if err != nil {
		return fmt.Errorf("%s: %w", file, err)
	}
	_, err = os.Stdout.WriteString(page)
	return err
}

// types returns the schemas of the API's own types, by kind.
func types() map[string]spec.Schema {
	schemas := map[string]spec.Schema{}
	for model, definition := range openapi.GetOpenAPIDefinitions(spec.MustCreateRef) {
		if name, ours := ownType(model); ours {
			schemas[name] = definition.Schema
			if v2, ok := definition.Schema.Extensions[common.ExtensionV2Schema].(spec.Schema); ok {
				schemas[name] = v2
			}
		}
	}
	return schemas
}
