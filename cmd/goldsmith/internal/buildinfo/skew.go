// SPDX-License-Identifier: Apache-2.0

package buildinfo

import (
	"fmt"

	"goldsmith.dev/goldsmith/cmd/internal/buildversion"
)

// skew returns a warning if a program does not support the version of its server, or "". A server of minor version n supports programs
// of n-1 to n+1.
func skew(program, server string) string {
	ours, known := buildversion.ReleaseOf(program)
	theirs, alsoKnown := buildversion.ReleaseOf(server)
	if !known || !alsoKnown {
		return ""
	}
	oldest, newest := theirs.Previous(), theirs.Next()
	switch {
	case ours.Compare(oldest) < 0:
		return fmt.Sprintf("warning: goldsmith %s is too old for the server, %s: install goldsmith %s to %s", program, server, oldest, newest)
	case ours.Compare(newest) > 0:
		return fmt.Sprintf("warning: the server, %s, is too old for goldsmith %s: upgrade the server to %s or later, or install goldsmith %s to %s",
			server, program, ours.Previous(), oldest, newest)
	}
	return ""
}
