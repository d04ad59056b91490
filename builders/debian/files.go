// SPDX-License-Identifier: Apache-2.0

//go:build linux

package debian

import (
	"context"
	"io"
	"io/fs"
	"maps"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"goldsmith.dev/goldsmith/jobs/inputs"
	"goldsmith.dev/goldsmith/jobs/sourcefiles"
)

// file is a file that an image declares. Its content is a text of the input, or is in the source of the input, which can be large.
type file struct {
	text   string
	source *sourcefiles.Source // nil for a text
	of     sourcefiles.File
	target string // that a symbolic link has in the image
}

// texts returns the files with these texts.
func texts(contents map[string]string) map[string]file {
	files := make(map[string]file, len(contents))
	for name, content := range contents {
		files[name] = file{text: content}
	}
	return files
}

// regular reports whether the file is neither a symbolic link nor an empty directory.
func (f *file) regular() bool { return f.of.Type == 0 }

func (f *file) size() int64 {
	if f.source != nil {
		return f.of.Size
	}
	return int64(len(f.text))
}

func (f *file) open() (io.ReadCloser, error) {
	if f.source != nil {
		return f.source.Open(f.of.Name)
	}
	return io.NopCloser(strings.NewReader(f.text)), nil
}

// readFiles finds the files that the image declares, by their names in the input, such as root/etc/motd. It returns the digest of those of the source,
// or "" without a source.
func (b *build) readFiles(ctx context.Context) (digest string, err error) {
	b.files = texts(b.input.Files)
	source := b.input.Source
	if source == nil {
		return "", nil
	}
	if b.source, err = sourcefiles.Open(b.getenv); err != nil {
		return "", err
	}
	taken, others, err := filesOf(b.source)
	if err != nil {
		return "", err
	}
	b.logf("the source is %s of %s: files taken: %d, files ignored, because they are not in %s, %s or %s: %d",
		source.Revision, source.URL, len(taken), rootPrefix, scriptsPrefix, testsPrefix, others)
	maps.Copy(b.files, taken)
	used := make([]sourcefiles.File, 0, len(taken))
	for _, name := range slices.Sorted(maps.Keys(taken)) {
		used = append(used, taken[name].of)
	}
	return b.source.Digest(ctx, used)
}

// filesOf returns the files of a source for an image, and how many others it has, besides those for tests.
func filesOf(source *sourcefiles.Source) (taken map[string]file, others int, err error) {
	taken = map[string]file{}
	forTests := 0
	for i := range source.Files {
		found := file{source: source, of: source.Files[i]}
		name := found.of.Name
		switch {
		case name+"/" == rootPrefix, name+"/" == scriptsPrefix:
			if found.of.Type != fs.ModeDir {
				return nil, 0, fail(reasonInput, "%s of the source must be a directory", name)
			}
			continue
		case strings.HasPrefix(name, testsPrefix):
			forTests++
			continue
		case strings.HasPrefix(name, rootPrefix):
			err = found.intoRoot()
		case strings.HasPrefix(name, scriptsPrefix):
			if found.of.Type == fs.ModeDir {
				continue
			}
			err = found.intoScripts()
		default:
			others++
			continue
		}
		if err == nil {
			if problem := inputs.ValidFileName(name); problem != nil {
				err = fail(reasonInput, "file %q of the source: its name %v", name, problem)
			}
		}
		if err != nil {
			return nil, 0, err
		}
		taken[name] = found
	}
	if len(taken)+forTests == 0 && others > 0 {
		return nil, 0, fail(reasonInput, "the source has no file in %s or %s: let path of the source name the directory that has them", rootPrefix, scriptsPrefix)
	}
	return taken, others, nil
}

// intoScripts lets a symbolic link be the script that it leads to.
func (f *file) intoScripts() error {
	if f.regular() {
		return nil
	}
	opened, err := f.open()
	if err != nil {
		return fail(reasonInput, "file %q of the source is a symbolic link to %q, which is no file of the source", f.of.Name, f.of.Target)
	}
	return opened.Close()
}

// merged are directories that are symbolic links in every image, with the directories that they lead to.
var merged = map[string]string{
	"bin": "usr/bin", "sbin": "usr/sbin", "lib": "usr/lib", "lib64": "usr/lib64", "var/run": "run", "var/lock": "run/lock",
}

// inImage returns the path in an image of a file in the directory root of a source.
func inImage(name string) string {
	for link, directory := range merged {
		if rest, below := strings.CutPrefix(name, link+"/"); below {
			return directory + "/" + rest
		}
	}
	return name
}

// maxLinks is how many symbolic links the kernel follows for a path.
const maxLinks = 40

// intoRoot lets a symbolic link lead to the same file in the image as in the source. It stays as it is unless its path leaves the directory root
// on its way, or unless it is elsewhere in the image.
func (f *file) intoRoot() error {
	if f.of.Type != fs.ModeSymlink {
		return nil
	}
	at, leaves, outside := f.follow()
	if outside || len(at) == 0 || at[0]+"/" != rootPrefix {
		return fail(reasonInput, "file %q of the source is a symbolic link to %q, which is not in %s: move its target there, or copy it", f.of.Name, f.of.Target, rootPrefix)
	}
	f.target = f.of.Target
	directory := path.Dir(strings.TrimPrefix(f.of.Name, rootPrefix)) + "/"
	if inImage(directory) == directory && !leaves {
		return nil
	}
	target, err := filepath.Rel("/"+inImage(directory), "/"+inImage(path.Join(at[1:]...)))
	f.target = target
	return err
}

// follow returns the path to which a symbolic link leads, as elements, whether it leaves the directory root on its way, and whether it leads out of the
// source. If the path is that of another link, it is not followed: that link is checked itself.
func (f *file) follow() (at []string, leaves, outside bool) {
	at, rest := strings.Split(path.Dir(f.of.Name), "/"), strings.Split(f.of.Target, "/")
	outside = path.IsAbs(f.of.Target)
	for links := 0; len(rest) > 0; {
		element := rest[0]
		rest = rest[1:]
		switch {
		case element == "", element == ".":
			continue
		case element == ".." && len(at) == 0:
			outside = true
			continue
		case element == "..":
			at = at[:len(at)-1]
			leaves = leaves || len(at) == 0
			continue
		}
		at = append(at, element)
		if len(rest) == 0 || links == maxLinks {
			continue
		}
		if target, isLink := f.source.Readlink(path.Join(at...)); isLink {
			links++
			outside = outside || path.IsAbs(target)
			at, rest = at[:len(at)-1], append(strings.Split(target, "/"), rest...)
		}
	}
	return at, leaves, outside
}
