// SPDX-License-Identifier: Apache-2.0

// Command openapischema prints the OpenAPI v2 definitions of the API, which applyconfiguration-gen reads to learn
// how lists and maps merge.
package main

import (
	"encoding/json"
	"fmt"
	"os"

	"k8s.io/kube-openapi/pkg/common"
	"k8s.io/kube-openapi/pkg/validation/spec"

	"goldsmith.dev/goldsmith/apis/generated/openapi"
)

func main() {
	definitions := map[string]spec.Schema{}
	ref := func(name string) spec.Ref { return spec.MustCreateRef("#/definitions/" + name) }
	for name, definition := range openapi.GetOpenAPIDefinitions(ref) {
		definitions[name] = definition.Schema
		if v2, ok := definition.Schema.Extensions[common.ExtensionV2Schema].(spec.Schema); ok {
			definitions[name] = v2
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
