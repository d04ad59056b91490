// SPDX-License-Identifier: Apache-2.0

// Command openapischema prints the OpenAPI v2 definitions of the API, which applyconfiguration-gen reads to learn
// how lists and maps merge.
package main

import (
	"encoding/json"
	"fmt"
	"os"
	"strings"

	"k8s.io/kube-openapi/pkg/common"
	"k8s.io/kube-openapi/pkg/validation/spec"

	"goldsmith.dev/goldsmith/apis/generated/openapi"
)

// The API's model package, and its Go package in the form of one.
const (
	modelPackage = "dev.goldsmith.images.v1alpha1."
	goPackage    = "dev.goldsmith.goldsmith.apis.images.v1alpha1."
)

func main() {
	definitions := map[string]spec.Schema{}
	ref := func(name string) spec.Ref { return spec.MustCreateRef("#/definitions/" + name) }
	for name, definition := range openapi.GetOpenAPIDefinitions(ref) {
		definitions[name] = definition.Schema
		if v2, ok := definition.Schema.Extensions[common.ExtensionV2Schema].(spec.Schema); ok {
			definitions[name] = v2
		}
		// The generator knows no model packages: it looks for types by the names of their Go packages.
		if kind, ours := strings.CutPrefix(name, modelPackage); ours {
			definitions[goPackage+kind] = definitions[name]
		}
	}
	err := json.NewEncoder(os.Stdout).Encode(&spec.Swagger{SwaggerProps: spec.SwaggerProps{
		Swagger:     "2.0",
		Info:        &spec.Info{InfoProps: spec.InfoProps{Title: "Goldsmith", Version: "v1alpha1"}},
		Definitions: definitions,
	}})
	if err != nil {
		fmt.Fprintln(os.Stderr, "printing the OpenAPI definitions:", err)
		os.Exit(1)
	}
}
