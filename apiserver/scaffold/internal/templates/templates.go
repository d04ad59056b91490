// SPDX-License-Identifier: Apache-2.0

// Package templates holds what is scaffolded: Go files with the actions of text/template.
package templates

import "embed"

// Files are the templates, in one folder for each thing that is scaffolded.
//
//go:embed resource backend
var Files embed.FS
