// SPDX-License-Identifier: Apache-2.0

//go:build unix

package output

import "io"

func interpretsSequences(io.Writer) bool { return true }
