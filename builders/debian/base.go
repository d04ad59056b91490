// SPDX-License-Identifier: Apache-2.0

//go:build linux

package debian

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/builders/disk"
	"goldsmith.dev/goldsmith/builders/oci"
	"goldsmith.dev/goldsmith/jobs/ocilayout"
	"goldsmith.dev/goldsmith/jobs/render"
	"goldsmith.dev/goldsmith/jobs/result"
)

const reasonBase = "BaseNotUsable"

// Files of the plan with the root file system of the base: one of the first two, and for a disk the third.
const (
	baseTar    = "base.tar"
	baseDisk   = "base.raw"
	baseOffset = "offset"
)

// addBase puts the root file system of the base into the plan, and returns its time.
func (b *build) addBase(ctx context.Context, plan string) (time.Time, error) {
	artifact, err := chooseBase(&b.input.Base)
	if err != nil {
		return time.Time{}, err
	}
	b.logf("starting from %s", b.input.BaseName(artifact))
	path := filepath.Join(b.getenv(render.EnvBase), artifact.Path)
	if result.IsLayout(artifact.MediaType) {
		made, err := oci.Unpack(ctx, path, filepath.Dir(artifact.Target), filepath.Join(plan, baseTar))
		return made, baseError("image", err)
	}
	raw := filepath.Join(plan, baseDisk)
	if artifact.MediaType == result.MediaType(v1alpha1.ArtifactFormatQCOW2) {
		err = b.command(ctx, "qemu-img", "convert", "-f", "qcow2", "-O", "raw", path, raw)
	} else {
		err = os.Symlink(path, raw)
	}
	if err == nil {
		err = os.WriteFile(filepath.Join(plan, baseOffset), []byte(strconv.Itoa(disk.RootStart)), modeFile)
	}
	if err != nil {
		return time.Time{}, fmt.Errorf("read the disk of the base: %w", err)
	}
	made, err := disk.TimeOf(raw)
	return made, baseError("disk", err)
}

// chooseBase returns the artifact of the base with the root file system. That of the format oci has it as it was; a disk has to be taken apart.
func chooseBase(base *render.InputBase) (*render.InputArtifact, error) {
	is := func(mediaType string) func(string) bool { return func(its string) bool { return its == mediaType } }
	for _, usable := range []func(mediaType string) bool{
		result.IsLayout, is(result.MediaType(v1alpha1.ArtifactFormatRaw)), is(result.MediaType(v1alpha1.ArtifactFormatQCOW2)),
	} {
		for i := range base.Artifacts {
			if artifact := &base.Artifacts[i]; usable(artifact.MediaType) && artifact.Path != "" {
				return artifact, nil
			}
		}
	}
	return nil, fail(reasonBase, "base %s: build %s has no file of the root file system: add target linux/amd64/raw to image %[1]s", base.Image, base.Build)
}

// baseError returns the failure of a build whose base has a disk or an image that cannot be used, or another error.
func baseError(what string, err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, disk.ErrForeign), errors.Is(err, oci.ErrForeign):
		return fail(reasonBase, "the %s of the base is not one of the builder debian: %v", what, err)
	}
	if fault, ok := errors.AsType[*ocilayout.InvalidError](err); ok {
		return fail(reasonBase, "the %s of the base is not usable: %v", what, fault)
	}
	return fmt.Errorf("base: %w", err)
}
