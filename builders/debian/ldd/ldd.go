// SPDX-License-Identifier: Apache-2.0

// Package ldd lists the shared libraries of programs in a root directory, as ldd does in a chroot. It reads files and runs none.
package ldd

import (
	"cmp"
	"debug/elf"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
)

// The variables with the root directory. fakechroot sets the second for a program that runs outside of the fake chroot.
const (
	envRoot         = "FAKECHROOT_BASE"
	envOriginalRoot = "FAKECHROOT_BASE_ORIG"
)

// dynamicLinker is the interpreter of programs for amd64.
const dynamicLinker = "/lib64/ld-linux-x86-64.so.2"

// defaultDirectories are where the dynamic linker of Debian looks last.
var defaultDirectories = []string{"/lib/x86_64-linux-gnu", "/usr/lib/x86_64-linux-gnu", "/lib", "/usr/lib"}

// Main prints the libraries of each program, in the format of ldd, and returns an exit code. It ignores options.
func Main(getenv func(string) string, stdout, stderr io.Writer, args []string) int {
	root := rootOf(getenv)
	args = slices.DeleteFunc(slices.Clone(args), func(arg string) bool { return strings.HasPrefix(arg, "-") })
	code := 0
	for _, name := range args {
		if len(args) > 1 {
			_, _ = fmt.Fprintf(stdout, "%s:\n", name) // a reader that has left is no failure
		}
		if err := list(root, name, stdout); err != nil {
			_, _ = fmt.Fprintf(stderr, "\t%v\n", err)
			code = 1
		}
	}
	return code
}

// rootOf returns the root directory: the fake chroot, or / outside of one.
func rootOf(getenv func(string) string) string {
	return cmp.Or(getenv(envRoot), getenv(envOriginalRoot), "/")
}

var (
	errStatic = errors.New("not a dynamic executable")
	errLinks  = errors.New("too many symbolic links")
)

// list prints the libraries of one program.
func list(root, name string, out io.Writer) error {
	if inside, ok := strings.CutPrefix(name, root+"/"); ok {
		name = "/" + inside
	}
	if !path.IsAbs(name) {
		directory, err := os.Getwd()
		if err != nil {
			return err
		}
		name = filepath.Join("/", strings.TrimPrefix(filepath.Join(directory, name), root))
	}
	l := linker{root: root, found: map[string]string{}}
	program, err := l.read(name)
	if err != nil {
		return err
	}
	if program.static {
		return errStatic
	}
	for queue := []object{program}; len(queue) > 0; queue = queue[1:] {
		for _, library := range queue[0].needed {
			if library == path.Base(dynamicLinker) {
				program.interpreter = dynamicLinker // a library may need it, too
				continue
			}
			if _, known := l.found[library]; known {
				continue
			}
			at, next := l.find(library, queue[0])
			l.found[library] = at
			if at == "" {
				_, _ = fmt.Fprintf(out, "\t%s => not found\n", library) // as in Main
				continue
			}
			_, _ = fmt.Fprintf(out, "\t%s => %s (0x0000000000000000)\n", library, at)
			queue = append(queue, next)
		}
	}
	if program.interpreter != "" {
		_, _ = fmt.Fprintf(out, "\t%s (0x0000000000000000)\n", program.interpreter)
	}
	return nil
}

// linker finds libraries below a root directory.
type linker struct {
	root       string
	found      map[string]string // by name; empty paths are missing libraries
	configured []string          // directories of /etc/ld.so.conf.d; nil before the first use
}

// object is what an ELF file tells the dynamic linker.
type object struct {
	interpreter string
	needed      []string
	directories []string // of RUNPATH or RPATH
	relative    []string // those of them with $ORIGIN
	static      bool
}

// read reads a file of the root directory.
func (l *linker) read(name string) (object, error) {
	at, err := l.resolve(name)
	if err != nil {
		return object{}, err
	}
	file, err := elf.Open(filepath.Join(l.root, at))
	if malformed := new(elf.FormatError); errors.As(err, &malformed) || errors.Is(err, io.EOF) {
		return object{static: true}, nil // a script, for ldd
	}
	if err != nil {
		return object{}, err
	}
	defer func() { _ = file.Close() }() // only read from
	var read object
	read.static = true
	for _, program := range file.Progs {
		switch program.Type {
		case elf.PT_DYNAMIC:
			read.static = false
		case elf.PT_INTERP:
			text, err := io.ReadAll(program.Open())
			if err != nil {
				return object{}, err
			}
			read.interpreter = strings.TrimRight(string(text), "\x00")
		}
	}
	if read.static {
		return read, nil
	}
	if read.needed, err = file.ImportedLibraries(); err != nil {
		return object{}, err
	}
	for _, tag := range []elf.DynTag{elf.DT_RUNPATH, elf.DT_RPATH} {
		lists, err := file.DynString(tag)
		if err != nil {
			return object{}, err
		}
		for _, directories := range lists {
			for directory := range strings.SplitSeq(directories, ":") {
				expanded := strings.NewReplacer("$ORIGIN", path.Dir(at), "${ORIGIN}", path.Dir(at)).Replace(directory)
				read.directories = append(read.directories, expanded)
				if expanded != directory {
					read.relative = append(read.relative, expanded)
				}
			}
		}
	}
	return read, nil
}

// find returns the path of a library that an object needs, or "".
func (l *linker) find(library string, of object) (string, object) {
	candidates := []string{library}
	if !strings.Contains(library, "/") {
		candidates = nil
		for _, directory := range slices.Concat(of.directories, l.searchPath()) {
			candidates = append(candidates, path.Join("/", directory, library))
		}
	}
	for _, candidate := range candidates {
		if read, err := l.read(candidate); err == nil && !read.static {
			return candidate, read
		}
	}
	return "", object{}
}

// searchPath returns the directories where the dynamic linker looks for the libraries of all programs.
func (l *linker) searchPath() []string {
	if l.configured == nil {
		l.configured = append(l.configuration(), defaultDirectories...)
	}
	return l.configured
}

// configuration returns the directories of /etc/ld.so.conf.d.
func (l *linker) configuration() (directories []string) {
	files, _ := filepath.Glob(filepath.Join(l.root, "etc/ld.so.conf.d/*.conf")) // its pattern is valid
	for _, file := range files {
		content, err := os.ReadFile(file)
		if err != nil {
			continue // the dynamic linker ignores it too
		}
		for line := range strings.Lines(string(content)) {
			if line = strings.TrimSpace(line); path.IsAbs(line) {
				directories = append(directories, line)
			}
		}
	}
	return directories
}

// resolve follows the symbolic links of a path, none of which leads out of the root directory.
func (l *linker) resolve(name string) (string, error) {
	const maxLinks = 40
	resolved, rest := "/", strings.TrimPrefix(path.Clean("/"+name), "/")
	for links := 0; rest != ""; {
		var part string
		part, rest, _ = strings.Cut(rest, "/")
		next := path.Join(resolved, part)
		target, err := os.Readlink(filepath.Join(l.root, next))
		if err != nil { // not a link, or missing, which the reader of the file finds
			resolved = next
			continue
		}
		if links++; links > maxLinks {
			return "", fmt.Errorf("%s: %w", name, errLinks)
		}
		if !path.IsAbs(target) {
			target = path.Join(resolved, target)
		}
		// The root directory is a prefix of links that fakechroot has made.
		if inside, ok := strings.CutPrefix(target, l.root+"/"); ok && l.root != "/" {
			target = "/" + inside
		}
		resolved, rest = "/", strings.TrimPrefix(path.Join(target, rest), "/")
	}
	return resolved, nil
}
