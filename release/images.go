// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"goldsmith.dev/goldsmith/release/image"
	"goldsmith.dev/goldsmith/release/sbom"
)

// environmentOfTools are the variables of images with tools.
var environmentOfTools = []string{"PATH=/usr/sbin:/usr/bin:/sbin:/bin"}

// writeImages writes an OCI image layout for each container image.
func (r *run) writeImages(ctx context.Context) error {
	scratch, err := r.to.Scratch("images")
	if err != nil {
		return err
	}
	r.images = map[string]string{}
	for _, name := range r.imageNames() {
		built := image.Image{Name: name}
		var programs []string
		var further []sbom.Component
		for _, platform := range r.plan.images[name] {
			contents := image.Contents{Platform: platform, Program: r.programs[platform][name]}
			if slices.Contains(r.tools, name) {
				if contents.Root, err = r.makeTools(ctx, contents.Program); err != nil {
					return err
				}
				if further, err = sbom.Debian(contents.Root); err != nil {
					return err
				}
				built.Environment = environmentOfTools
			}
			built.Platforms, programs = append(built.Platforms, contents), append(programs, contents.Program)
		}
		index, err := image.Build(r.from, &built)
		if err != nil {
			return err
		}
		digest, err := index.Digest()
		if err != nil {
			return fmt.Errorf("image %s: %w", name, err)
		}
		repository := r.registry + "/" + name
		r.images[name] = digest.String()
		err = r.write(fmt.Sprintf("%s_%s_oci.tar", name, r.version), programs, further, func(out io.Writer) error {
			return image.WriteLayout(out, scratch, index, repository+":"+r.version, r.version, r.from.Time)
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// makeTools makes the tools of a program in the cache of the user, and returns their directory.
func (r *run) makeTools(ctx context.Context, builder string) (string, error) {
	out, err := r.ask(ctx, builder, os.Environ(), "tools")
	return filepath.Clean(strings.TrimSpace(string(out))), err
}
