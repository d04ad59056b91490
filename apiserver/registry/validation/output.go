// SPDX-License-Identifier: Apache-2.0

package validation

import (
	"cmp"
	"fmt"
	"net"
	"strconv"
	"strings"

	"github.com/distribution/reference"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/jobs/inputs"
	"goldsmith.dev/goldsmith/jobs/result"
)

// highNumber is the number of a build that an Image hardly ever reaches. Its tag is as long as tags get.
const highNumber = 999999

// ImageOutput validates the output of the builds of an Image.
func ImageOutput(image *v1alpha1.Image, path *field.Path) field.ErrorList {
	return Output(&v1alpha1.ImageBuild{
		ObjectMeta: metav1.ObjectMeta{Name: fmt.Sprintf("%s-%d", image.Name, highNumber)},
		Spec: v1alpha1.ImageBuildSpec{
			ImageRef: &v1alpha1.ImageReference{Name: image.Name}, Number: new(int64(highNumber)), Inputs: image.Spec.BuildInputs,
		},
	}, path)
}

// maxRendered is up to which length the tags of all targets are rendered. The limits of a template and of targets are far below.
const maxRendered = 64 << 10

// Output validates where a build publishes its artifacts, and the tags that it gives them.
func Output(build *v1alpha1.ImageBuild, path *field.Path) field.ErrorList {
	output := build.Spec.Inputs.Output
	if output == nil {
		return nil
	}
	errs := validateRepository(output.Repository, path.Child("repository"))
	if output.Attest != "" {
		errs = append(errs, Enum(output.Attest, []v1alpha1.AttestPolicy{v1alpha1.AttestAutomatic, v1alpha1.AttestRequired, v1alpha1.AttestNever}, path.Child("attest"))...)
	}
	if len(output.TagTemplate)*len(build.Spec.Inputs.Targets) > maxRendered {
		return errs // tags refuse one of them
	}
	return append(errs, validateTags(build, path.Child("tagTemplate"))...)
}

func validateTags(build *v1alpha1.ImageBuild, path *field.Path) field.ErrorList {
	template, targets := build.Spec.Inputs.Output.TagTemplate, build.Spec.Inputs.Targets
	tags := make([]string, len(targets))
	for i := range targets {
		var err error
		if tags[i], err = inputs.Tag(build, targets[i]); err != nil {
			return append(Line(template, path), field.Invalid(path, template, err.Error()))
		}
		for j := range i {
			if tags[i] != "" && tags[i] == tags[j] && ambiguous(&targets[i], &targets[j]) {
				remedy := "{format}"
				if targets[i].Format == targets[j].Format {
					remedy = "{platform}"
				}
				return field.ErrorList{field.Invalid(path, cmp.Or(template, v1alpha1.DefaultTagTemplate), fmt.Sprintf(
					"gives %s and %s one tag, and a node would pull either as a containerDisk: add %s", result.TargetName(targets[j]), result.TargetName(targets[i]), remedy))}
			}
		}
	}
	return nil
}

// ambiguous reports whether a node that pulls a containerDisk by a tag of two targets cannot tell which one is meant.
func ambiguous(a, b *v1alpha1.Target) bool {
	return (a.ContainerDisk || b.ContainerDisk) && pulledBy(a) == pulledBy(b)
}

// pulledBy returns the platform of the nodes that pull the artifact of a target: Linux for a containerDisk, whatever the disk has.
func pulledBy(target *v1alpha1.Target) string {
	if _, architecture, ok := strings.Cut(target.Platform, "/"); ok && target.ContainerDisk {
		return "linux/" + architecture
	}
	return target.Platform
}

func validateRepository(repository string, path *field.Path) field.ErrorList {
	const form = "must be HOST[:PORT]/PATH, such as registry.example.com/team/web, in lower case"
	if strings.Contains(repository, "@") { // the error does not repeat a password
		return field.ErrorList{field.Invalid(path, field.OmitValueType{}, form+", with neither a digest nor a user and a password: set secretRef")}
	}
	host, _, hasPath := strings.Cut(repository, "/")
	if !hasPath && strings.ContainsAny(host, ".:") { // it would be a repository of Docker Hub, perhaps with a tag
		return field.ErrorList{field.Invalid(path, repository, "must have a path, such as "+host+"/team/web")}
	}
	named, err := reference.ParseNormalizedNamed(repository)
	switch {
	case err != nil, repository != strings.ToLower(repository), !validPort(host): // the host of "Team/web" would be "Team"
		return field.ErrorList{field.Invalid(path, repository, form)}
	case !reference.IsNameOnly(named):
		return field.ErrorList{field.Invalid(path, repository, "must have neither a tag nor a digest: tagTemplate sets the tag")}
	case named.Name() != repository:
		return field.ErrorList{field.Invalid(path, repository, fmt.Sprintf("must name its host, such as %s", named.Name()))}
	}
	return nil
}

// validPort reports whether a host has a port from 1 to 65535, or none.
func validPort(host string) bool {
	_, text, err := net.SplitHostPort(host)
	if err != nil {
		return true // without a port
	}
	port, err := strconv.ParseUint(text, 10, 16)
	return err == nil && port > 0
}
