// SPDX-License-Identifier: Apache-2.0

package main

import (
	"archive/tar"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path"
	"strings"
)

// unpack implements the part of tar -x that Tilt uses: it unpacks files and folders from in into the folder that -C names.
// It replaces each file as a whole, so that a program may still run from the old file.
func unpack(args []string, in io.Reader) error {
	flags := flag.NewFlagSet("tar", flag.ContinueOnError)
	folder := flags.String("C", ".", "where to unpack")
	extract := flags.Bool("x", false, "unpack")
	from := flags.String("f", "", "where from: - is standard input")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if !*extract || *from != "-" || flags.NArg() > 0 {
		return fmt.Errorf("this is not a whole tar: it knows only -C DIR -x -f -, not %s", strings.Join(args, " "))
	}
	root, err := os.OpenRoot(*folder) // nothing is written outside it
	if err != nil {
		return err
	}
	defer func() { _ = root.Close() }()
	for archive := tar.NewReader(in); ; {
		header, err := archive.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err == nil {
			err = unpackOne(root, header, archive)
		}
		if err != nil {
			return fmt.Errorf("unpack: %w", err)
		}
	}
}

func unpackOne(root *os.Root, header *tar.Header, content io.Reader) error {
	name := path.Clean(strings.TrimLeft(header.Name, "/"))
	switch header.Typeflag {
	case tar.TypeDir:
		return root.MkdirAll(name, 0o755)
	case tar.TypeReg:
		if err := root.MkdirAll(path.Dir(name), 0o755); err != nil {
			return err
		}
		return replace(root, name, header.FileInfo().Mode().Perm(), content)
	default:
		return fmt.Errorf("%s: is neither a file nor a folder", header.Name)
	}
}

func replace(root *os.Root, name string, mode os.FileMode, content io.Reader) error {
	next := name + ".new"
	file, err := root.OpenFile(next, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, mode)
	if err != nil {
		return err
	}
	_, err = io.Copy(file, content)
	if err = errors.Join(err, file.Close()); err != nil {
		return err
	}
	return root.Rename(next, name)
}
