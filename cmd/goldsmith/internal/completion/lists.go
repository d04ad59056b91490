// SPDX-License-Identifier: Apache-2.0

package completion

import (
	"context"

	"github.com/spf13/cobra"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"

	"goldsmith.dev/goldsmith/cmd/goldsmith/internal/client"
)

func listImages(ctx context.Context, connection *client.Connection, _ []string) ([]string, error) {
	images, err := connection.ImagesV1alpha1().Images(connection.Namespace).List(ctx, metav1.ListOptions{Limit: most})
	if err != nil && !apierrors.IsForbidden(err) { // users of the catalog need no images
		return nil, err
	}
	var names []string
	if err == nil {
		for _, image := range images.Items {
			names = append(names, cobra.CompletionWithDesc(image.Name, "image"))
		}
	}
	objects, err := listObjects(ctx, connection)
	return append(names, objects...), err
}

// listObjects lists the objects of the kinds of the catalog as KIND/NAME. It omits kinds that the user cannot list.
func listObjects(ctx context.Context, connection *client.Connection) ([]string, error) {
	kinds, err := connection.CatalogKinds()
	if err != nil {
		return nil, err
	}
	var names []string
	for i := range kinds {
		objects, err := connection.NamesOf(ctx, &kinds[i], most)
		if err != nil && !apierrors.IsForbidden(err) {
			return nil, err
		}
		for _, name := range objects {
			names = append(names, cobra.CompletionWithDesc(kinds[i].SingularName+"/"+name, kinds[i].Kind))
		}
	}
	return names, nil
}

// listImagesAndChannels lists the Images, and their channels as IMAGE@CHANNEL.
func listImagesAndChannels(ctx context.Context, connection *client.Connection, _ []string) ([]string, error) {
	images, err := connection.ImagesV1alpha1().Images(connection.Namespace).List(ctx, metav1.ListOptions{Limit: most})
	if err != nil {
		return nil, err
	}
	var names []string
	for _, image := range images.Items {
		names = append(names, cobra.CompletionWithDesc(image.Name, "image"))
		for _, channel := range image.Status.Channels {
			names = append(names, cobra.CompletionWithDesc(image.Name+"@"+channel.Name, channel.Build))
		}
	}
	return names, nil
}

// buildsThat lists the builds that a field selector selects, with their phases.
func buildsThat(selector fields.Selector) Lister {
	return func(ctx context.Context, connection *client.Connection, _ []string) ([]string, error) {
		builds, err := connection.ImagesV1alpha1().ImageBuilds(connection.Namespace).
			List(ctx, metav1.ListOptions{FieldSelector: selector.String(), Limit: most})
		if err != nil {
			return nil, err
		}
		var names []string
		for _, build := range builds.Items {
			names = append(names, cobra.CompletionWithDesc(build.Name, string(build.Status.Phase)))
		}
		return names, nil
	}
}

// listChannels lists the channels of the Image that the first argument is a build of, with the builds that they name.
func listChannels(ctx context.Context, connection *client.Connection, before []string) ([]string, error) {
	build, err := connection.ImagesV1alpha1().ImageBuilds(connection.Namespace).Get(ctx, before[0], metav1.GetOptions{})
	if err != nil || build.Spec.ImageRef == nil {
		return nil, err
	}
	channels, err := connection.ImagesV1alpha1().Images(connection.Namespace).GetChannels(ctx, build.Spec.ImageRef.Name, metav1.GetOptions{})
	if err != nil {
		return nil, err
	}
	var names []string
	for _, channel := range channels.Channels {
		names = append(names, cobra.CompletionWithDesc(channel.Name, channel.Build))
	}
	return names, nil
}
