// SPDX-License-Identifier: Apache-2.0

// Package ownfile opens the files that commands write, or go on with, in directories where others can write, such as /tmp. There, a file of
// a name that can be guessed may be somebody else's, or a link to another file of the user. This package writes to neither.
package ownfile

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
)

// ErrForeign reports a link, or a file that is not the user's own.
var ErrForeign = errors.New("is a link, or not a file of yours alone: remove it, or name another file")

// Open opens a regular file for writing as os.OpenFile does, if it is new, or if only this user has made it: it is no link, belongs to the
// user, and has no second name. Otherwise it fails with ErrForeign, and changes nothing. Windows does not compare owners.
func Open(path string, flag int, mode fs.FileMode) (*os.File, error) {
	file, err := os.OpenFile(path, flag&^os.O_TRUNC|noFollow, mode)
	if err != nil {
		return nil, explain(path, err)
	}
	info, err := file.Stat()
	if err == nil && !isOwn(file, info) {
		err = foreign(path)
	}
	if err == nil && flag&os.O_TRUNC != 0 {
		err = file.Truncate(0)
	}
	if err != nil {
		return nil, errors.Join(err, file.Close())
	}
	return file, nil
}

func foreign(path string) error { return fmt.Errorf("%s %w", path, ErrForeign) }

// Write replaces the content of a file that Open opens, or creates it.
func Write(path string, content []byte, mode fs.FileMode) error {
	file, err := Open(path, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, mode)
	if err != nil {
		return err
	}
	_, err = file.Write(content)
	return errors.Join(err, file.Close())
}
