// SPDX-License-Identifier: Apache-2.0

// Package program compiles the programs of a release.
package program

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"goldsmith.dev/goldsmith/release/source"
)

// Platform is an operating system and an architecture, in the words of Go.
type Platform struct{ OS, Architecture string }

// String returns OS/ARCHITECTURE.
func (p Platform) String() string { return p.OS + "/" + p.Architecture }

// Compile compiles the commands cmd/NAME of a source for a platform, as static programs, and returns the path of each by its name. They are in
// directory.
func Compile(ctx context.Context, from *source.Source, directory string, platform Platform, names []string) (map[string]string, error) {
	if err := os.MkdirAll(directory, 0o750); err != nil {
		return nil, err
	}
	// The flags are those of `make build`, so that one serves the other what it has compiled.
	arguments := []string{"build", "-trimpath", "-buildvcs=false", "-gcflags=all=-dwarf=false", "-ldflags=-s -w -X main.version=" + from.Version, "-o", directory + "/"}
	paths := map[string]string{}
	for _, name := range names {
		arguments = append(arguments, "./cmd/"+name)
		file := name
		if platform.OS == "windows" {
			file += ".exe"
		}
		paths[name] = filepath.Join(directory, file)
	}
	command := exec.CommandContext(ctx, "go", arguments...)
	command.Dir = from.Directory
	// What a user has set for compiling must not decide the bytes of a release.
	command.Env = append(os.Environ(), "GOOS="+platform.OS, "GOARCH="+platform.Architecture, "CGO_ENABLED=0", "GOFLAGS=-mod=readonly", "GOWORK=off", "GOEXPERIMENT=",
		"GOAMD64=v1", "GOARM64=v8.0", "GOFIPS140=off", "GOGC=off", "GOMEMLIMIT=1GiB")
	var stderr bytes.Buffer
	command.Stderr = &stderr
	if err := command.Run(); err != nil {
		return nil, fmt.Errorf("compile %s for %s: %w: %s", strings.Join(names, ", "), platform, err, strings.TrimSpace(stderr.String()))
	}
	return paths, nil
}
