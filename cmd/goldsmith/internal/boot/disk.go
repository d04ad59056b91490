// SPDX-License-Identifier: Apache-2.0

package boot

import (
	"fmt"
	"slices"
	"strings"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/cmd/goldsmith/internal/output"
)

// disk is an artifact that QEMU can boot.
type disk struct {
	target    string
	format    v1alpha1.ArtifactFormat
	sizeBytes int64
}

// leastDisk is less than any disk with an operating system has, and more than an artifact of a test, in bytes.
const leastDisk = 1 << 20

// HasDisk reports whether a build has an artifact that is worth booting.
func HasDisk(build *v1alpha1.ImageBuild) bool {
	return slices.ContainsFunc(disksOf(build), func(each disk) bool { return each.sizeBytes >= leastDisk })
}

// disksOf returns the artifacts of a build that are disks for amd64.
func disksOf(build *v1alpha1.ImageBuild) (disks []disk) {
	for _, artifact := range build.Status.Artifacts {
		at := max(0, strings.LastIndexByte(artifact.Target, '/'))
		platform, format := artifact.Target[:at], v1alpha1.ArtifactFormat(strings.TrimPrefix(artifact.Target[at:], "/"))
		bootable := format == v1alpha1.ArtifactFormatRaw || format == v1alpha1.ArtifactFormatQCOW2
		if bootable && slices.Contains(strings.Split(platform, "/"), "amd64") {
			disks = append(disks, disk{artifact.Target, format, artifact.SizeBytes})
		}
	}
	return disks
}

// chooseDisk returns the disk of a target, or the only disk without a target. It prefers qcow2 to raw, because qcow2 is smaller.
func chooseDisk(build *v1alpha1.ImageBuild, target string) (disk, error) {
	disks := disksOf(build)
	var all, bootable []string
	for _, artifact := range build.Status.Artifacts {
		all = append(all, output.OneLine(artifact.Target))
	}
	for _, each := range disks {
		if each.target == target {
			return each, nil
		}
		bootable = append(bootable, output.OneLine(each.target))
	}
	if len(disks) == 0 {
		return disk{}, fmt.Errorf("build %s has no disk that can boot, which is amd64 and raw or qcow2: its targets are %s", build.Name, strings.Join(all, ", "))
	}
	if target != "" {
		return disk{}, fmt.Errorf("build %s has no disk %s: choose one with --target: %s", build.Name, target, strings.Join(bootable, ", "))
	}
	isRaw := func(each disk) bool { return each.format == v1alpha1.ArtifactFormatRaw }
	if smaller := slices.DeleteFunc(slices.Clone(disks), isRaw); len(smaller) > 0 {
		disks = smaller
	}
	if len(disks) > 1 {
		return disk{}, fmt.Errorf("build %s has several disks: choose one with --target: %s", build.Name, strings.Join(bootable, ", "))
	}
	return disks[0], nil
}
