// SPDX-License-Identifier: Apache-2.0

package image

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/internalversion"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apiserver/pkg/registry/rest"
	"k8s.io/apiserver/pkg/warning"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/apiserver/registry/store"
)

// maxNamed is how many objects a warning names.
const maxNamed = 5

// Delete deletes an Image, and warns of the Images that are based on it.
func (s *REST) Delete(ctx context.Context, name string, validate rest.ValidateObjectFunc, options *metav1.DeleteOptions) (runtime.Object, bool, error) {
	return s.Store.Delete(ctx, name, func(ctx context.Context, object runtime.Object) error {
		if err := validate(ctx, object); err != nil {
			return err
		}
		if based := s.basedOn(ctx, name); len(based) > 0 {
			warning.AddWarning(ctx, "", fmt.Sprintf("image %q is the base of %s: they wait with BaseNotFound until there is an image %q with an artifact again",
				name, enumerate(based), name))
		}
		return nil
	}, options)
}

// basedOn returns the names of the Images of the namespace that are based on an Image. It returns none if it
// cannot read them, because a warning must not prevent a deletion.
func (s *REST) basedOn(ctx context.Context, name string) (based []string) {
	images, err := store.List[*v1alpha1.ImageList](ctx, s.Store, &internalversion.ListOptions{})
	if err != nil {
		return nil
	}
	for i := range images.Items {
		if ref := images.Items[i].Spec.Base.ImageRef; ref != nil && ref.Name == name {
			based = append(based, images.Items[i].Name)
		}
	}
	return based
}

// warnOfChannels warns of the channels of an Image that a build is deleted from.
func warnOfChannels(ctx context.Context, image *v1alpha1.Image, build string) {
	var channels []string
	for _, channel := range image.Status.Channels {
		if channel.Build == build {
			channels = append(channels, channel.Name)
		}
	}
	if len(channels) > 0 {
		warning.AddWarning(ctx, "", fmt.Sprintf("channel %s of image %q names imagebuild %q, which is deleted: promote another build",
			enumerate(channels), image.Name, build))
	}
}

// enumerate lists names, at most maxNamed of them.
func enumerate(names []string) string {
	slices.Sort(names)
	if more := len(names) - maxNamed; more > 0 {
		return fmt.Sprintf("%s and %d more", strings.Join(names[:maxNamed], ", "), more)
	}
	return strings.Join(names, ", ")
}
