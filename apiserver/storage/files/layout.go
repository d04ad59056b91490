// SPDX-License-Identifier: Apache-2.0

package files

import (
	"errors"
	"path/filepath"
	"slices"
	"strings"
)

const (
	// coreGroup is the directory of the group without a name.
	coreGroup = "core"
	extension = ".yaml"
	// longestName is how long an object's name can be to be the name of a file as well.
	longestName = 255 - len(extension)
)

// place is where an object is in the API, and so where its file is.
type place struct {
	group, resource, namespace, name string
}

// placeOfKey understands the keys of objects: a prefix, and then the place, in which the group and the namespace may be
// missing. The object's API version reports whether it has a group.
func placeOfKey(key, apiVersion string) (place, bool) {
	parts := strings.Split(strings.TrimPrefix(key, "/"), "/")[1:]
	var p place
	if group, _, grouped := strings.Cut(apiVersion, "/"); grouped {
		if len(parts) == 0 || parts[0] != group {
			return place{}, false
		}
		p.group, parts = group, parts[1:]
	}
	return p.fill(parts)
}

// placeOfFile understands the paths of files, relative to the directory.
func placeOfFile(path string) (place, error) {
	parts := strings.Split(filepath.ToSlash(strings.TrimSuffix(path, extension)), "/")
	p := place{group: parts[0]}
	if p.group == coreGroup {
		p.group = ""
	}
	p, ok := p.fill(parts[1:])
	if !ok {
		return place{}, errors.New("objects are in <group>/<resource>/<namespace>/<name>.yaml, or without the namespace if they have none")
	}
	return p, nil
}

func (p place) fill(parts []string) (place, bool) {
	if len(parts) < 2 || len(parts) > 3 || slices.Contains(parts, "") {
		return place{}, false
	}
	p.resource, p.name = parts[0], parts[len(parts)-1]
	if len(parts) == 3 {
		p.namespace = parts[1]
	}
	return p, true
}

// path is where the object's file is, relative to the directory.
func (p place) path() string {
	group := p.group
	if group == "" {
		group = coreGroup
	}
	return filepath.Join(group, p.resource, p.namespace, fileName(p.name))
}

// fileName is the name of an object's file. A name that no file can have is cut, and told from others by its digest; the
// tilde is in no object's name.
func fileName(name string) string {
	if len(name) <= longestName && !strings.HasPrefix(name, ".") {
		return name + extension
	}
	sum := "~" + digest([]byte(name))[:16]
	return "~" + name[:min(len(name), longestName-len(sum)-1)] + sum + extension
}

// holdsObject reports whether a path, relative to the directory, may be that of an object's file: it is a .yaml file, and
// neither it nor a directory above it is hidden.
func holdsObject(path string) bool {
	return strings.HasSuffix(path, extension) && !hidden(path)
}

func hidden(path string) bool {
	return slices.ContainsFunc(strings.Split(filepath.ToSlash(path), "/"), func(part string) bool { return strings.HasPrefix(part, ".") })
}
