// SPDX-License-Identifier: Apache-2.0

package source

import (
	"bufio"
	"errors"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"time"
	"unicode"
)

const (
	// maxName and maxPath are how long a name and a path are at most, as in Linux.
	maxName, maxPath = 255, 4095
	// maxFollowed is how many links Linux follows in one path.
	maxFollowed = 40
	// pointer is how a file of Git LFS begins whose content is elsewhere.
	pointer = "version https://git-lfs.github.com/spec/"
)

// checkout writes files into a directory. It follows no link, because it creates links last.
type checkout struct {
	root   *os.Root
	limits Limits
	time   time.Time // of all files, so that the same source always gives the same files
	tree   Tree
	count  int
	folder []string
	links  map[string]string
	order  []string // the paths of links
}

func newCheckout(root *os.Root, l Limits, modified time.Time) *checkout {
	return &checkout{root: root, limits: l, time: modified, links: map[string]string{}}
}

// checkName refuses names that no directory can have, or that let Git run programs.
func checkName(folder, name string) error {
	full := path.Join(folder, name)
	switch {
	case name == "" || name == "." || name == ".." || strings.ContainsAny(name, "/\x00"):
		return failure(Unsupported, "the directory %q has an entry with the name %q, which no file can have", folder, name)
	case strings.EqualFold(name, ".git"):
		return failure(Unsupported, "%q has the name of Git's own directory; rename it", full)
	case !filepath.IsLocal(filepath.FromSlash(full)) || filepath.ToSlash(name) != name || os.PathSeparator != '/' && strings.ContainsRune(name, os.PathSeparator):
		return failure(Unsupported, "%q has a name that this system cannot write; rename it", full)
	case len(name) > maxName || len(full) > maxPath:
		return failure(Unsupported, "%q has a name that is too long; shorten it to %d bytes, and its path to %d", printable(full, 100), maxName, maxPath)
	}
	return nil
}

// enter counts an entry.
func (c *checkout) enter() error {
	if c.count++; c.count > c.limits.Entries {
		return failure(TooLarge, "the source has more than %d files and directories; name a directory of it", c.limits.Entries)
	}
	return nil
}

// directory creates a directory, whose parent exists.
func (c *checkout) directory(name string) error {
	if err := c.root.Mkdir(name, 0o755); err != nil {
		return c.explain(name, err)
	}
	c.folder = append(c.folder, name)
	return c.explain(name, c.root.Chmod(name, 0o755)) // whatever the umask is
}

// explain makes an error of two entries with one name, or of a name that the file system refuses.
func (c *checkout) explain(name string, err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, fs.ErrExist):
		return failure(Unsupported, "%q exists twice, or this file system does not distinguish its case; rename it", name)
	case errors.Is(err, fs.ErrInvalid):
		return failure(Unsupported, "%q has a name that this file system cannot write; rename it", name)
	}
	return &fileError{err}
}

// file writes a file.
func (c *checkout) file(name string, executable bool, size int64, from io.Reader) error {
	if size > c.limits.File {
		return failure(TooLarge, "%q has %s, more than %s; move it elsewhere", name, bytesText(size), bytesText(c.limits.File))
	}
	if c.tree.Bytes += size; c.tree.Bytes > c.limits.Written {
		return failure(TooLarge, "the files have more than %s; name a directory of the source, or move large files elsewhere", bytesText(c.limits.Written))
	}
	buffered := bufio.NewReader(from)
	if beginning, _ := buffered.Peek(len(pointer)); string(beginning) == pointer && size < 1024 { // a short file has less
		return failure(Unsupported, "%q is a pointer of Git LFS, which is not supported; store the file in Git, or name a directory without it", name)
	}
	mode := fs.FileMode(0o644)
	if executable {
		mode = 0o755
	}
	file, err := c.root.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode)
	if err != nil {
		return c.explain(name, err)
	}
	_, err = io.CopyN(localWriter{file}, buffered, size)
	if errors.Is(err, io.EOF) {
		err = errMalformed
	}
	err = errors.Join(err, local(file.Chmod(mode)), local(file.Close()))
	if err != nil {
		return err
	}
	c.tree.Files++
	return local(c.root.Chtimes(name, c.time, c.time))
}

func local(err error) error {
	if err == nil {
		return nil
	}
	return &fileError{err}
}

// link remembers a link.
func (c *checkout) link(name, target string) error {
	switch {
	case target == "" || strings.Contains(target, "\x00") || len(target) > maxPath:
		return failure(Unsupported, "the link %q has a target that no link can have", name)
	case path.IsAbs(target) || filepath.IsAbs(target):
		return failure(Unsupported, "the link %q leads to %q, out of the source; make its target relative", name, target)
	}
	if _, twice := c.links[name]; twice {
		return failure(Unsupported, "%q exists twice; rename it", name)
	}
	c.links[name] = target
	c.order = append(c.order, name)
	return nil
}

// finish creates the links.
func (c *checkout) finish() (*Tree, error) {
	folded := make(map[string]string, len(c.links)) // as a file system has them that does not distinguish their case
	for name, target := range c.links {
		folded[fold(name)] = target
	}
	for _, name := range c.order {
		if !inside(name, c.links, func(path string) string { return path }) || !inside(name, folded, fold) {
			return nil, failure(Unsupported, "the link %q leads to %q, out of the source; correct its target", name, c.links[name])
		}
	}
	for _, name := range c.order {
		if err := c.root.Symlink(filepath.FromSlash(c.links[name]), name); err != nil {
			return nil, c.explain(name, err)
		}
		c.tree.Links++
	}
	for _, folder := range slices.Backward(c.folder) {
		if err := c.root.Chtimes(folder, c.time, c.time); err != nil {
			return nil, &fileError{err}
		}
	}
	return &c.tree, nil
}

// fold returns a path that is the same for all cases of its letters.
func fold(path string) string {
	return strings.Map(func(r rune) rune {
		least := r
		for other := unicode.SimpleFold(r); other != r; other = unicode.SimpleFold(other) {
			least = min(least, other)
		}
		return least
	}, path)
}

// inside follows a link, and the links to which it leads, as Linux does. One that leads nowhere, or in a circle, is inside. links have the targets
// by their keys.
func inside(name string, links map[string]string, key func(path string) string) bool {
	var at []string // directories below the root
	rest := strings.Split(name, "/")
	for followed := 0; len(rest) > 0; {
		part := rest[0]
		rest = rest[1:]
		switch part {
		case "", ".":
			continue
		case "..":
			if len(at) == 0 {
				return false
			}
			at = at[:len(at)-1]
			continue
		}
		at = append(at, part)
		target, ok := links[key(strings.Join(at, "/"))]
		if !ok {
			continue
		}
		if followed++; followed > maxFollowed {
			return true
		}
		at = at[:len(at)-1]
		rest = append(strings.Split(target, "/"), rest...)
	}
	return true
}

// localWriter marks errors of files.
type localWriter struct{ io.Writer }

func (w localWriter) Write(b []byte) (int, error) {
	n, err := w.Writer.Write(b)
	return n, local(err)
}
