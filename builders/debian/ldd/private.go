// SPDX-License-Identifier: Apache-2.0

package ldd

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
)

// LinkMain makes a link, in a directory, to each library that a program or a library in the root directory finds by an absolute path in its RUNPATH or
// RPATH. fakechroot does not translate these paths, but all programs in a fake chroot can look in the directory. It returns an exit code.
//
// The arguments are the directory and the root directory. The default of the second is the fake chroot. Run by dpkg, it does nothing unless dpkg has
// unpacked packages.
func LinkMain(getenv func(string) string, stderr io.Writer, args []string) int {
	if len(args) == 0 {
		_, _ = fmt.Fprintln(stderr, "libraries: the arguments are a directory for links, and a root directory") // nobody else can be told
		return 2
	}
	if action := getenv("DPKG_HOOK_ACTION"); action != "" && action != "unpack" && action != "install" {
		return 0
	}
	root := rootOf(getenv)
	if len(args) > 1 {
		root = args[1]
	}
	if err := link(root, args[0]); err != nil {
		_, _ = fmt.Fprintln(stderr, "libraries:", err) // as above
		return 1
	}
	return 0
}

// link makes the links. Of libraries with the same name the one in the first directory counts.
func link(root, directory string) error {
	l := linker{root: root}
	libraries, err := l.private()
	if err != nil {
		return err
	}
	if err := os.MkdirAll(directory, 0o700); err != nil {
		return err
	}
	for name, target := range libraries {
		at := filepath.Join(directory, name)
		if now, err := os.Readlink(at); err == nil && now == target {
			continue
		}
		if err := os.Remove(at); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		if err := os.Symlink(target, at); err != nil {
			return err
		}
	}
	return nil
}

// private returns the paths of the libraries, by their names. A library that is in a directory of the dynamic linker too is not among them.
func (l *linker) private() (map[string]string, error) {
	directories, relative, err := l.runPaths()
	if err != nil {
		return nil, err
	}
	// The libraries in such a directory are found by links, so $ORIGIN in them is the directory of the links.
	for queue := slices.Clone(directories); len(queue) > 0; queue = queue[1:] {
		for _, next := range relative[queue[0]] {
			if !slices.Contains(directories, next) {
				directories, queue = append(directories, next), append(queue, next)
			}
		}
	}
	slices.Sort(directories)
	libraries := map[string]string{}
	for _, directory := range directories {
		entries, err := os.ReadDir(filepath.Join(l.root, directory))
		if err != nil {
			continue // the dynamic linker ignores it too
		}
		for _, entry := range entries {
			name := entry.Name()
			at, err := l.resolve(path.Join(directory, name))
			if err != nil || libraries[name] != "" || !strings.Contains(name, ".so") || l.isPublic(name) {
				continue
			}
			libraries[name] = filepath.Join(l.root, at)
		}
	}
	return libraries, nil
}

// isPublic reports whether a library is in a directory where the dynamic linker looks by itself, of the root directory or of the builder. Programs
// of both look at the links.
func (l *linker) isPublic(name string) bool {
	return slices.ContainsFunc(l.searchPath(), func(directory string) bool {
		_, err := os.Lstat(filepath.Join(l.root, directory, name))
		return err == nil
	}) || slices.ContainsFunc(defaultDirectories, func(directory string) bool {
		_, err := os.Lstat(filepath.Join(directory, name))
		return err == nil
	})
}

// runPaths returns the directories in the RUNPATH and RPATH of all programs and libraries: the absolute ones, and those with $ORIGIN by the directory of
// the file. Their paths have no symbolic links.
func (l *linker) runPaths() (absolute []string, relative map[string][]string, err error) {
	all := map[string]bool{}
	relative = map[string][]string{}
	err = filepath.WalkDir(l.root, func(name string, entry fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) || errors.Is(err, fs.ErrPermission) {
			return nil // removed meanwhile, or hidden from programs too
		}
		if err != nil || !entry.Type().IsRegular() {
			return err
		}
		info, err := entry.Info()
		if err != nil || info.Mode().Perm()&0o111 == 0 && !strings.Contains(entry.Name(), ".so") {
			return nil //nolint:nilerr // as above
		}
		read, err := l.read(strings.TrimPrefix(name, l.root))
		if err != nil {
			return nil //nolint:nilerr // a file that the dynamic linker cannot read either
		}
		for _, directory := range read.directories {
			at, err := l.resolve(directory)
			switch own := path.Join("/", path.Dir(strings.TrimPrefix(name, l.root))); {
			case err != nil || !path.IsAbs(directory) || slices.Contains(l.searchPath(), at):
			case slices.Contains(read.relative, directory):
				relative[own] = append(relative[own], at)
			default:
				all[at] = true
			}
		}
		return nil
	})
	return slices.Collect(maps.Keys(all)), relative, err
}
