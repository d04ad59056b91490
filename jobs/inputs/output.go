// SPDX-License-Identifier: Apache-2.0

package inputs

import (
	"cmp"
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"k8s.io/utils/ptr"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
)

var (
	placeholder = regexp.MustCompile(`\{[^{}]*\}`)
	// tagForm is the form of a tag in the OCI Distribution Specification.
	tagForm = regexp.MustCompile(`\A[A-Za-z0-9_][A-Za-z0-9._-]{0,127}\z`)
)

// ValidTag reports whether a text can be a tag of an OCI repository.
func ValidTag(text string) bool { return tagForm.MatchString(text) }

// Tag returns the tag that a build gives the artifact of a target. It is empty if the build publishes nothing, and if it is one-off.
func Tag(build *v1alpha1.ImageBuild, target v1alpha1.Target) (string, error) {
	output := build.Spec.Inputs.Output
	if output == nil || build.IsOneOff() {
		return "", nil
	}
	var unknown string
	tag := placeholder.ReplaceAllStringFunc(cmp.Or(output.TagTemplate, v1alpha1.DefaultTagTemplate), func(name string) string {
		image := build.Spec.ImageRef
		switch {
		case name == "{build}":
			return build.Name
		case name == "{platform}":
			return strings.ReplaceAll(target.Platform, "/", "-")
		case name == "{format}":
			return string(target.Format)
		case name == "{image}" && image != nil:
			return image.Name
		case name == "{number}" && image != nil:
			return strconv.FormatInt(ptr.Deref(build.Spec.Number, 0), 10)
		}
		unknown = cmp.Or(unknown, name)
		return ""
	})
	switch {
	case unknown == "{image}", unknown == "{number}":
		return "", fmt.Errorf("remove %s: the build belongs to no Image", unknown)
	case unknown != "":
		return "", fmt.Errorf("there is no placeholder %s: use {build}, {image}, {number}, {platform} or {format}", unknown)
	case !ValidTag(tag):
		return "", fmt.Errorf("makes the tag %q: a tag has 1 to 128 letters, digits, '_', '.' and '-', and begins with neither '.' nor '-'", tag)
	}
	return tag, nil
}
