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
	// longestName is the maximum length of an object's name that can also be the name of a file.
	longestName = 255 - len(extension)
)

// place is the place of an object in the API, which determines the path of its file.
type place struct {
	group, resource, namespace, name string
}

// placeOfKey parses the keys of objects: a prefix, and then the place, in which the group and the namespace may be missing.
// The object's API version determines whether it has a group.
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

// placeOfFile parses the paths of files, relative to the directory.
func placeOfFile(path string) (place, error) {
	parts := strings.Split(filepath.ToSlash(strings.TrimSuffix(path, extension)), "/")
	p := place{group: parts[0]}
	if p.group == coreGroup {
		p.group = ""
	}
	p, ok := p.fill(parts[1:])
	if !ok {
		return place{}, errors.New("path must be <group>/<resource>/<namespace>/<name>.yaml, without <namespace> for a cluster-scoped resource")
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

// path is the path of the object's file, relative to the directory.
func (p place) path() string {
	group := p.group
	if group == "" {
		group = coreGroup
	}
	return filepath.Join(group, p.resource, p.namespace, fileName(p.name))
}

// fileName is the name of an object's file. A name that is too long for a file is cut, and ends with its digest after a
// tilde, which no object's name contains.
func fileName(name string) string {
	if len(name) <= longestName && !strings.HasPrefix(name, ".") {
		return name + extension
	}
	sum := "~" + digest([]byte(name))[:16]
	return "~" + name[:min(len(name), longestName-len(sum)-1)] + sum + extension
}

// holdsObject reports whether a path, relative to the directory, may belong to an object's file: a .yaml file that is not
// hidden, and is in no hidden directory.
func holdsObject(path string) bool {
	return strings.HasSuffix(path, extension) && !hidden(path)
}

func hidden(path string) bool {
	return slices.ContainsFunc(strings.Split(filepath.ToSlash(path), "/"), func(part string) bool { return strings.HasPrefix(part, ".") })
}
