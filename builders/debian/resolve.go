// SPDX-License-Identifier: Apache-2.0

//go:build linux

package debian

import (
	"context"
	"encoding/json"
	"fmt"
	"regexp"
	"strings"

	"goldsmith.dev/goldsmith/jobs/result"
)

// A resolve answers which packages a build would install, without a build. apt simulates one installation of the essential and required packages
// and those of the image, in this order. mmdebstrap itself simulates two, of which the second does not know the packages of the first, and would
// add others for alternatives such as lsb-base | sysvinit-utils.

// ofSuite matches the packages of the suite, as mmdebstrap does.
const ofSuite = "?or(?archive(^" + release + "$),?codename(^" + release + "$)),?architecture(" + architecture + ")"

// simulation returns the options with which mmdebstrap simulates the installation of packages.
func simulation(packages []string) []string {
	return []string{
		"--simulate", "--verbose", "--variant=custom", "--include=?narrow(" + ofSuite + ",?essential)",
		"--include=?narrow(" + ofSuite + ",?and(?priority(required),?not(?essential)))", "--include=apt," + strings.Join(packages, ","),
	}
}

// simulatedLine matches the line with which apt tells that it would install a package, such as
// Inst libc6 (2.41-12 Debian:13.2/stable [amd64]).
var simulatedLine = regexp.MustCompile(`^Inst ([^ :]+)\S* (?:\[\S+\] )?\((\S+) .*\[(\S+)\]\)`)

// resolve prints the packages that a build would install. A script of the image can install others.
func (b *build) resolve(ctx context.Context) error {
	if b.config.based {
		return fail(result.ReasonResolveNotSupported, "the packages of an image on a base are not resolved: resolve those of the base")
	}
	if err := b.makeRootFS(ctx); err != nil {
		return err
	}
	for _, one := range b.simulated {
		line, err := json.Marshal(result.PackageLine{Package: one})
		if err != nil {
			return fmt.Errorf("write package %s: %w", one.Name, err)
		}
		b.logf("%s", line)
	}
	complete := true
	for name := range b.files {
		complete = complete && !strings.HasPrefix(name, scriptsPrefix)
	}
	b.resolved = &result.Resolved{Packages: len(b.simulated), Complete: complete}
	return nil
}

// readSimulated adds the package that a line of apt is about to those that a build would install.
func (b *build) readSimulated(line string) {
	if found := simulatedLine.FindStringSubmatch(line); b.input.Resolve && found != nil {
		b.simulated = append(b.simulated, result.ResolvedPackage{Name: found[1], Version: found[2], Architecture: found[3]})
	}
}
