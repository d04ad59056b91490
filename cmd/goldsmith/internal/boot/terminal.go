// SPDX-License-Identifier: Apache-2.0

package boot

import (
	"io"
	"os"

	"golang.org/x/sys/unix"
)

// keepTerminal returns a function that restores the present state of a terminal, which QEMU leaves as it is if it is killed. It also lets
// the terminal break long lines again, because SeaBIOS turns that off.
func keepTerminal(in io.Reader) (restore func()) {
	const breakLines = "\x1b[?7h"
	if file, ok := in.(*os.File); ok {
		if state, err := unix.IoctlGetTermios(int(file.Fd()), unix.TCGETS); err == nil {
			return func() {
				_ = unix.IoctlSetTermios(int(file.Fd()), unix.TCSETS, state) // nobody could do more
				_, _ = file.WriteString(breakLines)                          // a terminal is one for both directions
			}
		}
	}
	return func() {}
}
