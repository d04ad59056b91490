// SPDX-License-Identifier: Apache-2.0

package output

import (
	"io"
	"os"

	"golang.org/x/sys/windows"
)

// interpretsSequences lets a terminal interpret control sequences, which older consoles print unless a program asks. It reports whether the
// terminal does.
func interpretsSequences(out io.Writer) bool {
	file, ok := out.(*os.File)
	if !ok {
		return false
	}
	var mode uint32
	console := windows.Handle(file.Fd())
	return windows.GetConsoleMode(console, &mode) == nil && windows.SetConsoleMode(console, mode|windows.ENABLE_VIRTUAL_TERMINAL_PROCESSING) == nil
}
