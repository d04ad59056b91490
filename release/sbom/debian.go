// SPDX-License-Identifier: Apache-2.0

package sbom

import (
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"
)

// Debian returns the packages of Debian whose files a root file system has. Package tools of the builder debian lists them there.
func Debian(root string) ([]Component, error) {
	list := filepath.Join(root, "var/lib/dpkg/status.d")
	entries, err := os.ReadDir(list)
	if err == nil && len(entries) == 0 {
		err = fmt.Errorf("%s is empty", list)
	}
	var components []Component
	for _, entry := range entries {
		content, unread := os.ReadFile(filepath.Join(list, entry.Name()))
		component, invalid := parse(content)
		err = errors.Join(err, unread, invalid)
		components = append(components, component)
	}
	if err != nil {
		return nil, fmt.Errorf("list the packages: %w", err)
	}
	return components, nil
}

// parse reads the fields of a package (deb-control(5)).
func parse(control []byte) (Component, error) {
	fields := map[string]string{}
	for line := range strings.Lines(string(control)) {
		name, value, _ := strings.Cut(line, ":")
		fields[name] = strings.TrimSpace(value)
	}
	name, version := fields["Package"], fields["Version"]
	if name == "" || version == "" {
		return Component{}, fmt.Errorf("no package has the fields %q", control)
	}
	return Component{Name: name, Version: version, PackageURL: "pkg:deb/debian/" + name + "@" + url.QueryEscape(version) + "?arch=" + fields["Architecture"]}, nil
}
