// SPDX-License-Identifier: Apache-2.0

package tools

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path"
	"regexp"
	"slices"
)

const (
	certificates = "usr/share/ca-certificates"
	bundle       = "etc/ssl/certs/ca-certificates.crt"
	sourcesList  = "etc/apt/sources.list"
	programMode  = 0o755
	fileMode     = 0o644

	writableByOthers = 0o022
)

// repair does what the scripts of the packages would do, and removes what depends on the machine.
func (c contents) repair(directory string) (err error) {
	root, err := os.OpenRoot(directory)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, root.Close()) }()
	for _, name := range c.Removed {
		if err := root.RemoveAll(name); err != nil {
			return err
		}
	}
	for _, name := range c.Directories {
		if err := errors.Join(root.MkdirAll(name, programMode), root.Chmod(name, programMode)); err != nil { // whatever the umask
			return err
		}
	}
	for name, content := range c.Files {
		if err := put(root, name, content, fileMode); err != nil {
			return err
		}
	}
	for name, content := range c.Executables {
		if err := put(root, name, content, programMode); err != nil {
			return err
		}
	}
	for name, target := range c.Links {
		if err := link(root, name, target); err != nil {
			return err
		}
	}
	for name, added := range map[string]string{"passwd": c.Users, "group": c.Groups} {
		accounts, err := root.ReadFile("usr/share/base-passwd/" + name + ".master")
		if err != nil {
			return err
		}
		if err := put(root, "etc/"+name, string(accounts)+added, fileMode); err != nil {
			return err
		}
	}
	if err := trustCertificates(root); err != nil {
		return err
	}
	if err := verifySources(root); err != nil {
		return err
	}
	return plainModes(root)
}

// put writes a file instead of another file, or of a link.
func put(root *os.Root, name, content string, mode fs.FileMode) error {
	if err := root.RemoveAll(name); err != nil {
		return err
	}
	if err := root.MkdirAll(path.Dir(name), programMode); err != nil {
		return err
	}
	if err := root.WriteFile(name, []byte(content), mode); err != nil {
		return err
	}
	return root.Chmod(name, mode) // whatever the umask
}

func link(root *os.Root, name, target string) error {
	if _, err := root.Stat(path.Join(path.Dir(name), target)); err != nil {
		return fmt.Errorf("link %s: %w", name, err)
	}
	if err := root.RemoveAll(name); err != nil {
		return err
	}
	return root.Symlink(target, name)
}

// trustCertificates writes the certificates of ca-certificates, if it is among the packages, into the file that TLS libraries read.
func trustCertificates(root *os.Root) error {
	names := map[string]bool{}
	if _, err := root.Stat(certificates); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	err := fs.WalkDir(root.FS(), certificates, func(name string, _ fs.DirEntry, err error) error {
		if path.Ext(name) == ".crt" {
			names[name] = true
		}
		return err
	})
	if err != nil {
		return err
	}
	var all []byte
	for _, name := range slices.Sorted(maps.Keys(names)) {
		certificate, err := root.ReadFile(name)
		if err != nil {
			return err
		}
		all = append(all, certificate...)
		if n := len(all); n > 0 && all[n-1] != '\n' {
			all = append(all, '\n')
		}
	}
	return put(root, bundle, string(all), fileMode)
}

// plainModes removes the bits that only root can give, because the tools of root and of other users are the same.
func plainModes(root *os.Root) error {
	return fs.WalkDir(root.FS(), ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.Type() == fs.ModeSymlink {
			return err
		}
		info, err := entry.Info()
		if err != nil {
			return err
		}
		if plain := info.Mode().Perm() &^ writableByOthers; plain != info.Mode()&(fs.ModePerm|fs.ModeSetuid|fs.ModeSetgid|fs.ModeSticky) {
			return root.Chmod(name, plain)
		}
		return nil
	})
}

var (
	sourceLine    = regexp.MustCompile(`(?m)^deb +(\[[^]]*\] +)?(.*)$`)
	errNoPackages = errors.New("mmdebstrap has left no " + sourcesList)
)

// verifySources names the keyring in the list of mirrors. Whether mmdebstrap has named it depends on the keys that the machine trusts.
func verifySources(root *os.Root) error {
	list, err := root.ReadFile(sourcesList)
	if errors.Is(err, fs.ErrNotExist) || err == nil && !sourceLine.Match(list) {
		return errNoPackages
	}
	if err != nil {
		return err
	}
	return put(root, sourcesList, sourceLine.ReplaceAllString(string(list), "deb [signed-by="+Keyring+"] $2"), fileMode)
}
