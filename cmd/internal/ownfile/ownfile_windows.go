// SPDX-License-Identifier: Apache-2.0

package ownfile

import (
	"io/fs"
	"os"

	"golang.org/x/sys/windows"
)

// noFollow opens a link instead of its file.
const noFollow = windows.FILE_FLAG_OPEN_REPARSE_POINT

func explain(_ string, err error) error { return err }

// isOwn does not compare owners: on Windows, every user has a temporary directory of their own, and shares and memory sticks report owners
// that are not users of this machine.
func isOwn(file *os.File, info fs.FileInfo) bool {
	var found windows.ByHandleFileInformation
	return info.Mode().IsRegular() && windows.GetFileInformationByHandle(windows.Handle(file.Fd()), &found) == nil && found.NumberOfLinks == 1
}

// Owner returns "", because Windows does not tell owners as users.
func Owner(string) string { return "" }

// Trusted returns nil for every path that exists, because Windows does not compare owners.
func Trusted(path string) error {
	_, err := os.Stat(path)
	return err
}
