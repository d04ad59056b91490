// SPDX-License-Identifier: Apache-2.0

//go:build !linux

package plan

import (
	"context"
	"errors"
)

// askProgram fails: builders run on Linux only.
func askProgram(context.Context, string, string) (result string, exitCode int, log []byte, err error) {
	return "", 0, nil, errors.New("builders run on Linux only")
}
