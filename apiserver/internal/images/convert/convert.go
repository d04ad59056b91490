// SPDX-License-Identifier: Apache-2.0

// Package convert has the conversions between the hub and the public types that handlers call themselves. The pure functions
// of jobs/ take public types, because the controllers call them with these. Handlers have types of the hub.
//
// A function is named after its result: PublicImage returns a public type, and HubImagePlan a type of the hub. The results
// share memory with the arguments, so a caller that changes a result copies it first.
package convert

import (
	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/apiserver/internal/images"
	generated "goldsmith.dev/goldsmith/apiserver/internal/images/v1alpha1"
)

// PublicImage converts an Image.
func PublicImage(image *images.Image) (*v1alpha1.Image, error) {
	public := &v1alpha1.Image{}
	if err := generated.Convert_images_Image_To_v1alpha1_Image(image, public, nil); err != nil {
		return nil, err
	}
	return public, nil
}

// PublicImageBuild converts an ImageBuild.
func PublicImageBuild(build *images.ImageBuild) (*v1alpha1.ImageBuild, error) {
	public := &v1alpha1.ImageBuild{}
	if err := generated.Convert_images_ImageBuild_To_v1alpha1_ImageBuild(build, public, nil); err != nil {
		return nil, err
	}
	return public, nil
}

// PublicImageBuildStatus converts the status of an ImageBuild.
func PublicImageBuildStatus(status *images.ImageBuildStatus) (*v1alpha1.ImageBuildStatus, error) {
	public := &v1alpha1.ImageBuildStatus{}
	if err := generated.Convert_images_ImageBuildStatus_To_v1alpha1_ImageBuildStatus(status, public, nil); err != nil {
		return nil, err
	}
	return public, nil
}

// PublicImageBuilds converts a list of ImageBuilds.
func PublicImageBuilds(builds *images.ImageBuildList) (*v1alpha1.ImageBuildList, error) {
	public := &v1alpha1.ImageBuildList{}
	if err := generated.Convert_images_ImageBuildList_To_v1alpha1_ImageBuildList(builds, public, nil); err != nil {
		return nil, err
	}
	return public, nil
}

// PublicTemplate converts a template of pods; nil stays nil.
func PublicTemplate(template *images.BuildTemplate) *v1alpha1.BuildTemplate {
	return (*v1alpha1.BuildTemplate)(template)
}

// PublicParameters converts parameters. The result is a copy.
func PublicParameters(parameters []images.Parameter) []v1alpha1.Parameter {
	public := make([]v1alpha1.Parameter, len(parameters))
	for i, parameter := range parameters {
		public[i] = v1alpha1.Parameter(parameter)
	}
	return public
}

// PublicArtifacts converts artifacts. The result is a copy.
func PublicArtifacts(artifacts []images.Artifact) []v1alpha1.Artifact {
	public := make([]v1alpha1.Artifact, len(artifacts))
	for i, artifact := range artifacts {
		public[i] = v1alpha1.Artifact(artifact)
	}
	return public
}

// HubImageBuild converts an ImageBuild.
func HubImageBuild(build *v1alpha1.ImageBuild) (*images.ImageBuild, error) {
	hub := &images.ImageBuild{}
	if err := generated.Convert_v1alpha1_ImageBuild_To_images_ImageBuild(build, hub, nil); err != nil {
		return nil, err
	}
	return hub, nil
}

// HubImagePlan converts an ImagePlan.
func HubImagePlan(plan *v1alpha1.ImagePlan) (*images.ImagePlan, error) {
	hub := &images.ImagePlan{}
	if err := generated.Convert_v1alpha1_ImagePlan_To_images_ImagePlan(plan, hub, nil); err != nil {
		return nil, err
	}
	return hub, nil
}

// HubImageBuildDiff converts an ImageBuildDiff.
func HubImageBuildDiff(diff *v1alpha1.ImageBuildDiff) (*images.ImageBuildDiff, error) {
	hub := &images.ImageBuildDiff{}
	if err := generated.Convert_v1alpha1_ImageBuildDiff_To_images_ImageBuildDiff(diff, hub, nil); err != nil {
		return nil, err
	}
	return hub, nil
}

// HubPinnedInputs converts the inputs of a rerun; nil stays nil.
func HubPinnedInputs(pinned *v1alpha1.PinnedInputs) *images.PinnedInputs {
	return (*images.PinnedInputs)(pinned)
}

// HubParameters converts parameters. The result is a copy.
func HubParameters(parameters []v1alpha1.Parameter) []images.Parameter {
	hub := make([]images.Parameter, len(parameters))
	for i, parameter := range parameters {
		hub[i] = images.Parameter(parameter)
	}
	return hub
}
