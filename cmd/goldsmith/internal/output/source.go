// SPDX-License-Identifier: Apache-2.0

package output

import (
	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/jobs/inputs"
)

// Source returns what a source resolved to: the abbreviated commit or digest, its first line, and the branch or tag. It is empty for none.
func Source(found *v1alpha1.SourceRevision) string {
	if found == nil {
		return ""
	}
	text := inputs.RevisionText(found)
	if found.Ref != "" {
		text += " (" + found.Ref + ")"
	}
	return text
}
