// SPDX-License-Identifier: Apache-2.0

package sbom

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"path/filepath"
	"strings"
)

// Debian returns the packages of Debian that a root file system has, by the status file of dpkg.
func Debian(root string) ([]Component, error) {
	file, err := os.Open(filepath.Join(root, "var/lib/dpkg/status"))
	if err != nil {
		return nil, fmt.Errorf("list the packages: %w", err)
	}
	components, err := parseStatus(file)
	if err := errors.Join(err, file.Close()); err != nil {
		return nil, fmt.Errorf("list the packages of %s: %w", file.Name(), err)
	}
	return components, nil
}

// parseStatus reads paragraphs of fields (deb-control(5)).
func parseStatus(file io.Reader) ([]Component, error) {
	var components []Component
	fields := map[string]string{}
	add := func() {
		if name, version := fields["Package"], fields["Version"]; name != "" && version != "" {
			purl := "pkg:deb/debian/" + name + "@" + url.QueryEscape(version) + "?arch=" + fields["Architecture"]
			components = append(components, Component{Name: name, Version: version, PackageURL: purl})
		}
		clear(fields)
	}
	scanner := bufio.NewScanner(file)
	for scanner.Scan() {
		name, value, found := strings.Cut(scanner.Text(), ":")
		switch {
		case scanner.Text() == "":
			add()
		case found && !strings.HasPrefix(name, " "):
			fields[name] = strings.TrimSpace(value)
		}
	}
	add()
	return components, scanner.Err()
}
