// SPDX-License-Identifier: Apache-2.0

// Package openapi describes the API for clients: the definitions of its types, and the document that the server serves. Only this file
// is not generated.
package openapi

import _ "embed" // for the document

//go:embed v3.json
var document string

// Document returns the OpenAPI v3 document that the server serves for the API, as JSON.
func Document() string { return document }
