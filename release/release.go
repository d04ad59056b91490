// SPDX-License-Identifier: Apache-2.0

package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os/exec"
	"slices"
	"strings"

	"goldsmith.dev/goldsmith/release/output"
	"goldsmith.dev/goldsmith/release/program"
	"goldsmith.dev/goldsmith/release/sbom"
	"goldsmith.dev/goldsmith/release/source"
	"goldsmith.dev/goldsmith/release/tarball"
)

// Names of hosts that nobody has (RFC 2606), for a release whose address is not known.
const (
	noAddress  = "https://releases.example.com/goldsmith"
	noRegistry = "registry.example.com/goldsmith"
)

// options configure a release.
type options struct {
	plan
	checkout, output  string
	version           string
	address, registry string    // default to noAddress and noRegistry
	signingKey        string    // file with the private key that signs the release, or ""
	log               io.Writer // receives a line for each file
}

// run is a release that is being made.
type run struct {
	*options
	from      *source.Source
	to        *output.Directory
	programs  map[program.Platform]map[string]string // paths, by platform and name
	images    map[string]string                      // digests of the container images, by the name of the program
	documents []tarball.File                         // of the command, for archives and packages
}

// release makes a release.
func release(ctx context.Context, options *options) error {
	if err := source.CheckVersion(options.version); err != nil {
		return err
	}
	if err := errors.Join(options.missing(), options.checkSigningKey()); err != nil {
		return err
	}
	options.address = strings.TrimSuffix(cmp.Or(options.address, noAddress), "/")
	options.registry = strings.TrimSuffix(cmp.Or(options.registry, noRegistry), "/")
	to, err := output.Begin(options.output, options.log)
	if err != nil {
		return err
	}
	if err := (&run{options: options, to: to}).make(ctx); err != nil {
		return to.Abandon(err)
	}
	return nil
}

// missing names the programs that a release needs and the machine lacks, with their packages on Debian.
func (o *options) missing() error {
	needs := map[string]string{"git": "git", "tar": "tar", "go": "golang"}
	if len(o.tools) > 0 {
		needs["mmdebstrap"], needs["bwrap"] = "mmdebstrap", "bubblewrap"
	}
	var errs []error
	for _, name := range slices.Sorted(maps.Keys(needs)) {
		if _, err := exec.LookPath(name); err != nil {
			errs = append(errs, fmt.Errorf("%s is missing: apt-get install %s", name, needs[name]))
		}
	}
	return errors.Join(errs...)
}

func (r *run) make(ctx context.Context) error {
	directory, err := r.to.Scratch("source")
	if err != nil {
		return err
	}
	if r.from, err = source.Export(ctx, r.checkout, r.version, directory); err != nil {
		return err
	}
	steps := []func(context.Context) error{r.compile, r.trySigningKey, r.writeArchives, r.writeImages}
	if r.documented {
		steps = append(steps, r.writePackages)
	}
	if r.clusters {
		steps = append(steps, r.writeManifests)
	}
	for _, step := range steps {
		if err := step(ctx); err != nil {
			return err
		}
	}
	return r.to.Commit(func(checksums string) error { return r.writeSignatures(ctx, checksums) })
}

// compile compiles everything first, so that no file is written for a commit that does not compile.
func (r *run) compile(ctx context.Context) error {
	r.programs = map[program.Platform]map[string]string{}
	order, names := r.platforms()
	for _, platform := range order {
		directory, err := r.to.Scratch("programs/" + platform.OS + "_" + platform.Architecture)
		if err != nil {
			return err
		}
		_, _ = fmt.Fprintf(r.log, "compiling for %s\n", platform) // the log is for people who watch
		if r.programs[platform], err = program.Compile(ctx, r.from, directory, platform, names[platform]); err != nil {
			return err
		}
	}
	return nil
}

// write writes a file, and beside it the bill of the materials of its programs.
func (r *run) write(name string, programs []string, further []sbom.Component, write func(io.Writer) error) error {
	if err := r.to.Write(name, write); err != nil {
		return err
	}
	return r.to.Write(name+".cdx.json", func(out io.Writer) error { return sbom.Write(out, r.from, name, programs, further) })
}

// imageNames returns the names of the container images in order.
func (p *plan) imageNames() []string { return slices.Sorted(maps.Keys(p.images)) }
