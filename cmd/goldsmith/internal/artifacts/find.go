// SPDX-License-Identifier: Apache-2.0

package artifacts

import (
	"context"
	"fmt"
	"io"
	"math"
	"slices"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/cmd/goldsmith/internal/client"
	"goldsmith.dev/goldsmith/cmd/goldsmith/internal/output"
	"goldsmith.dev/goldsmith/jobs/inputs"
)

// Find returns the build of an argument IMAGE, IMAGE@CHANNEL or BUILD, with at least one artifact. A build takes precedence over an Image
// of the same name. If the latest successful build of an Image, or the build of a channel, was deleted, Find returns what the status of the
// Image has of it. Find tells the user which build it chose.
func Find(ctx context.Context, connection *client.Connection, argument string, stderr io.Writer) (*v1alpha1.ImageBuild, error) {
	kind, name, err := client.SplitName(argument)
	if err != nil {
		return nil, err
	}
	name, channel, ofChannel := strings.Cut(name, "@")
	switch {
	case ofChannel && (kind == client.ImageBuild || name == "" || channel == ""):
		return nil, fmt.Errorf("%q: must be IMAGE, IMAGE@CHANNEL or BUILD", argument)
	case ofChannel:
		kind = client.Image
	}
	build, err := findNamed(ctx, connection, kind, name, channel, stderr)
	if err == nil && len(build.Status.Artifacts) == 0 {
		err = fmt.Errorf("build %s has no artifacts: its phase is %s", build.Name, phase(build))
	}
	if err != nil {
		return nil, err
	}
	return build, warn(build, stderr)
}

// phase returns the phase of a build that has not succeeded, with the cause of a failure, and the next step.
func phase(build *v1alpha1.ImageBuild) string {
	text := string(build.Status.Phase)
	if build.Status.Phase != v1alpha1.BuildFailed {
		return text + client.WaitFor(build)
	}
	if failure := build.Status.Failure; failure != nil {
		text += fmt.Sprintf(": %s: %s", failure.Reason, output.OneLine(failure.Message))
	}
	return text + fmt.Sprintf("; see `goldsmith logs %s`", build.Name)
}

// warn tells the user that a build has artifacts, but has not succeeded.
func warn(build *v1alpha1.ImageBuild, stderr io.Writer) error {
	text := ""
	switch status := &build.Status; status.Phase {
	case v1alpha1.BuildTesting:
		text = "its tests have not ended" + client.WaitFor(build)
	case v1alpha1.BuildFailed:
		text = "it failed"
		if status.Failure != nil {
			text += fmt.Sprintf(": %s: %s", status.Failure.Reason, output.OneLine(status.Failure.Message))
		}
	case v1alpha1.BuildCancelling, v1alpha1.BuildCancelled:
		text = "it was cancelled"
	default:
		return nil
	}
	_, err := fmt.Fprintf(stderr, "warning: build %s has artifacts, but %s\n", build.Name, text)
	return err
}

func findNamed(ctx context.Context, connection *client.Connection, kind client.Kind, name, channel string, stderr io.Writer) (*v1alpha1.ImageBuild, error) {
	if kind != client.Image {
		build, err := get(ctx, connection, name)
		if build != nil || err != nil {
			return build, err
		}
	}
	if kind != client.ImageBuild {
		image, err := getImage(ctx, connection, name)
		switch {
		case err != nil:
			return nil, err
		case image != nil && channel != "":
			return ofChannel(ctx, connection, image, channel, stderr)
		case image != nil:
			return latestOf(ctx, connection, image, stderr)
		}
	}
	if at := strings.LastIndexByte(name, '-'); at > 0 && kind != client.Image { // the status of its Image may have a deleted build
		image, err := getImage(ctx, connection, name[:at])
		if err != nil {
			return nil, err
		}
		if build := Recorded(image, name); build != nil {
			return build, nil
		}
	}
	return nil, connection.NotFound(ctx, kind, name)
}

// get returns a build, or nil if it does not exist.
func get(ctx context.Context, connection *client.Connection, name string) (*v1alpha1.ImageBuild, error) {
	build, err := connection.ImagesV1alpha1().ImageBuilds(connection.Namespace).Get(ctx, name, metav1.GetOptions{})
	switch {
	case client.IsNotFound(err, "imagebuilds", name):
		return nil, nil
	case err != nil:
		return nil, fmt.Errorf("look for build %s: %w", name, err)
	}
	return build, nil
}

// getImage returns an Image, or nil if it does not exist.
func getImage(ctx context.Context, connection *client.Connection, name string) (*v1alpha1.Image, error) {
	image, err := connection.ImagesV1alpha1().Images(connection.Namespace).Get(ctx, name, metav1.GetOptions{})
	switch {
	case client.IsNotFound(err, "images", name):
		return nil, nil
	case err != nil:
		return nil, fmt.Errorf("look for image %s: %w", name, err)
	}
	return image, nil
}

// latestOf returns the latest successful build of an Image. The status of the Image may be behind, but it alone knows a deleted build.
func latestOf(ctx context.Context, connection *client.Connection, image *v1alpha1.Image, stderr io.Writer) (*v1alpha1.ImageBuild, error) {
	build, err := connection.LastGoodBuild(ctx, image.Namespace, image.UID, math.MaxInt64)
	if err != nil {
		return nil, err
	}
	if latest := image.Status.LatestSuccessful; latest != nil && (build == nil || latest.Number > *build.Spec.Number) {
		build = Recorded(image, latest.Name)
	}
	if build == nil {
		newest, err := connection.NewestBuild(ctx, image.Namespace, image.UID, math.MaxInt64)
		if err != nil {
			return nil, err
		}
		if cause, _ := client.Delay(image); newest == nil && cause != "" {
			return nil, fmt.Errorf("image %s has no build yet: %s", image.Name, cause)
		}
		if newest == nil {
			return nil, fmt.Errorf("image %s has no build yet: `goldsmith plan %[1]s` shows what would start one", image.Name)
		}
		instead := ""
		if len(newest.Status.Artifacts) > 0 {
			instead = "; to use its artifacts all the same, name the build instead of the image"
		}
		return nil, fmt.Errorf("image %s has no successful build yet: the phase of build %s is %s%s", image.Name, newest.Name, phase(newest), instead)
	}
	_, err = fmt.Fprintf(stderr, "the latest successful build of image %s is %s\n", image.Name, build.Name)
	return build, err
}

// ofChannel returns the build that a channel of an Image names.
func ofChannel(ctx context.Context, connection *client.Connection, image *v1alpha1.Image, name string, stderr io.Writer) (*v1alpha1.ImageBuild, error) {
	channels := image.Status.Channels
	at := slices.IndexFunc(channels, func(channel v1alpha1.ImageChannel) bool { return channel.Name == name })
	if at < 0 {
		var names []string
		for _, channel := range channels {
			names = append(names, channel.Name)
		}
		if len(names) == 0 {
			return nil, fmt.Errorf("image %s has no channel %s: it has no channels", image.Name, name)
		}
		return nil, fmt.Errorf("image %s has no channel %s: its channels are %s", image.Name, name, strings.Join(names, ", "))
	}
	named := channels[at].Build
	if _, err := fmt.Fprintf(stderr, "channel %s of image %s is %s\n", name, image.Name, named); err != nil {
		return nil, err
	}
	build, err := get(ctx, connection, named)
	if build == nil && err == nil {
		if build = Recorded(image, named); build == nil {
			err = fmt.Errorf("build %s, which channel %s of image %s names, was deleted: move the channel to another build", named, name, image.Name)
		}
	}
	return build, err
}

// Recorded returns a deleted build as the status of its Image has it, or nil if the status does not have it.
func Recorded(image *v1alpha1.Image, name string) *v1alpha1.ImageBuild {
	if image == nil {
		return nil
	}
	artifacts := image.Status.RecordedArtifacts(name)
	if len(artifacts) == 0 {
		return nil
	}
	build := &v1alpha1.ImageBuild{
		ObjectMeta: metav1.ObjectMeta{Namespace: image.Namespace, Name: name},
		Spec:       v1alpha1.ImageBuildSpec{ImageRef: &v1alpha1.ImageReference{Name: image.Name, UID: image.UID}},
		Status:     v1alpha1.ImageBuildStatus{Phase: v1alpha1.BuildSucceeded, Finished: true, Artifacts: artifacts, Revoked: inputs.RevocationOf(name, image, nil)},
	}
	if latest := image.Status.LatestSuccessful; latest != nil && latest.Name == name {
		build.Spec.Number, build.Status.CompletionTime = &latest.Number, &latest.CompletionTime
	}
	return build
}
