// SPDX-License-Identifier: Apache-2.0

package image

import (
	"context"
	"fmt"
	"slices"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/validation/field"
	genericregistry "k8s.io/apiserver/pkg/registry/generic/registry"
	"k8s.io/apiserver/pkg/registry/rest"
	"k8s.io/utils/clock"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/apiserver/registry/imagebuild"
	"goldsmith.dev/goldsmith/apiserver/registry/store"
	"goldsmith.dev/goldsmith/apiserver/registry/subresource"
	"goldsmith.dev/goldsmith/apiserver/resources"
	"goldsmith.dev/goldsmith/jobs/inputs"
	"goldsmith.dev/goldsmith/jobs/trigger"
)

// channelsREST is the channels subresource: names for successful builds, which are part of the Image's status. All of
// them are replaced in one write.
type channelsREST struct {
	subresource.Base
	images *genericregistry.Store
	builds store.Store[*v1alpha1.ImageBuild]
	read   *imagebuild.Store
	scope  *resources.Scope
	clock  clock.PassiveClock
}

var (
	_ rest.Patcher         = &channelsREST{}
	_ rest.StorageMetadata = &channelsREST{}
)

func newChannelsREST(images *resources.Store, builds *imagebuild.Store, scope *resources.Scope, clock clock.PassiveClock) *channelsREST {
	return &channelsREST{
		Base:   subresource.Base{Answer: v1alpha1.ImageChannels{}},
		images: images.WithUpdateStrategy(newChannelsStrategy(scope.Scheme)),
		builds: store.Of[*v1alpha1.ImageBuild](builds.WithUpdateStrategy(resources.NewDefaultStrategy(scope.Scheme, v1alpha1.SchemeGroupVersion))),
		read:   builds, scope: scope, clock: clock,
	}
}

// New returns an empty ImageChannels.
func (r *channelsREST) New() runtime.Object { return &v1alpha1.ImageChannels{} }

// Get returns the channels of an Image.
func (r *channelsREST) Get(ctx context.Context, name string, options *metav1.GetOptions) (runtime.Object, error) {
	object, err := r.images.Get(ctx, name, options)
	if err != nil {
		return nil, err
	}
	return channelsOf(object)
}

// Update replaces the channels of an Image. A new or changed channel must name a successful build of this Image.
func (r *channelsREST) Update(ctx context.Context, name string, object rest.UpdatedObjectInfo, _ rest.ValidateObjectFunc,
	validate rest.ValidateObjectUpdateFunc, _ bool, options *metav1.UpdateOptions) (runtime.Object, bool, error) {
	object, err := r.scope.ExplainPatches(object, r.New())
	if err != nil {
		return nil, false, err
	}
	promotion := &promotion{requested: object, images: r.images, builds: r.builds, vulnerabilities: r.read, scope: r.scope, clock: r.clock, image: name, dryRun: options.DryRun}
	if validate != nil {
		admit := validate
		validate = func(ctx context.Context, object, old runtime.Object) error {
			wanted, err := channelsOf(object)
			if err != nil {
				return err
			}
			stored, err := channelsOf(old)
			if err != nil {
				return err
			}
			return admit(ctx, wanted, stored)
		}
	}
	updated, _, err := r.images.Update(ctx, name, promotion, nil, validate, false, options)
	if err != nil {
		return nil, false, err
	}
	channels, err := channelsOf(updated)
	return channels, false, err
}

// channelsOf is the representation of an Image at its channels subresource.
func channelsOf(object runtime.Object) (runtime.Object, error) {
	image, err := store.As[*v1alpha1.Image](object)
	if err != nil {
		return nil, err
	}
	return &v1alpha1.ImageChannels{
		ObjectMeta: metav1.ObjectMeta{
			Name: image.Name, Namespace: image.Namespace, UID: image.UID,
			ResourceVersion: image.ResourceVersion, CreationTimestamp: image.CreationTimestamp,
		},
		Channels: slices.Clone(image.Status.Channels),
	}, nil
}

// promotion turns a change of an ImageChannels into a change of the Image.
type promotion struct {
	requested       rest.UpdatedObjectInfo
	images          rest.Getter
	builds          store.Store[*v1alpha1.ImageBuild]
	vulnerabilities *imagebuild.Store
	scope           *resources.Scope
	clock           clock.PassiveClock
	image           string
	dryRun          []string
}

var _ rest.UpdatedObjectInfo = &promotion{}

// Preconditions returns the preconditions of the request.
func (p *promotion) Preconditions() *metav1.Preconditions { return p.requested.Preconditions() }

// UpdatedObject returns the stored Image with the requested channels. It reads the Image itself, because the storage passes that of its cache first.
// With older rules, a build could be marked for a promotion that is then refused, and would keep the mark.
func (p *promotion) UpdatedObject(ctx context.Context, _ runtime.Object) (runtime.Object, error) {
	existing, err := store.Get[*v1alpha1.Image](ctx, p.images, p.image)
	if err != nil {
		return nil, err
	}
	before, err := channelsOf(existing)
	if err != nil {
		return nil, err
	}
	object, err := p.requested.UpdatedObject(ctx, before)
	if err != nil {
		return nil, err
	}
	wanted, ok := object.(*v1alpha1.ImageChannels)
	if !ok {
		return nil, subresource.OtherKind[v1alpha1.ImageChannels]("images/channels", p.image, object)
	}
	errs := p.scope.Ratchet(wanted, before, func(object runtime.Object) field.ErrorList {
		return ValidateChannels(object.(*v1alpha1.ImageChannels), p.image)
	})
	if len(errs) > 0 {
		return nil, apierrors.NewInvalid(v1alpha1.Kind("ImageChannels").GroupKind(), p.image, errs)
	}
	channels, err := p.resolve(ctx, existing, wanted.Channels)
	if err != nil {
		return nil, err
	}
	existing.ResourceVersion = wanted.ResourceVersion // compared by the store, if there is one
	existing.Status.Channels = channels
	return existing, nil
}

// resolve sets the fields of each channel that the server owns. An unchanged channel keeps its fields, even if its build was
// deleted, and even if its rule has changed.
func (p *promotion) resolve(ctx context.Context, image *v1alpha1.Image, wanted []v1alpha1.ImageChannel) ([]v1alpha1.ImageChannel, error) {
	var (
		channels []v1alpha1.ImageChannel
		errs     field.ErrorList
	)
	added := overrides(image, wanted)
	for i, channel := range wanted {
		kept := slices.IndexFunc(image.Status.Channels, func(stored v1alpha1.ImageChannel) bool {
			return stored.Name == channel.Name && stored.Build == channel.Build
		})
		if kept >= 0 {
			channels = append(channels, image.Status.Channels[kept])
			continue
		}
		override := added[channel.Name]
		if override != nil {
			if err := p.checkMayOverride(ctx); err != nil {
				return nil, err
			}
		}
		rule := trigger.ChannelRule(image, channel.Name)
		known, err := p.known(ctx, rule, channel.Build)
		if err != nil {
			return nil, err
		}
		lacks := func(build *v1alpha1.ImageBuild, path *field.Path) field.ErrorList {
			return unmet(image, rule, build, known, path)
		}
		if override != nil {
			lacks = nil
		}
		build, problems, err := p.claim(ctx, image, channel, lacks, field.NewPath("channels").Index(i).Child("build"))
		if err != nil {
			return nil, err
		}
		if len(problems) > 0 {
			errs = append(errs, problems...)
			continue
		}
		moved := v1alpha1.ImageChannel{
			Name: channel.Name, Build: build.Name, Digest: digestOf(build.Status.Artifacts), Artifacts: build.Status.Artifacts, Revoked: build.Status.Revoked,
			Time: metav1.NewTime(p.clock.Now()).Rfc3339Copy(), By: resources.UserName(ctx),
		}
		if len(unmet(image, rule, build, known, nil)) > 0 {
			moved.Override = &v1alpha1.ChannelOverride{Reason: override.Reason, By: moved.By}
		}
		channels = append(channels, moved)
	}
	if len(errs) > 0 {
		return nil, apierrors.NewInvalid(v1alpha1.Kind("ImageChannels").GroupKind(), p.image, errs)
	}
	return channels, nil
}

// claim marks a successful build of the Image, so that it is not pruned before the Image names it, and returns the build. Or it
// returns the problems with the build of this name. lacks returns what the build lacks for the channel. It is nil for an override.
func (p *promotion) claim(ctx context.Context, image *v1alpha1.Image, channel v1alpha1.ImageChannel, lacks func(*v1alpha1.ImageBuild, *field.Path) field.ErrorList,
	path *field.Path) (*v1alpha1.ImageBuild, field.ErrorList, error) {
	var problems field.ErrorList
	build, err := p.builds.Update(subresource.For(ctx, "imagebuilds", channel.Build), channel.Build, p.dryRun, func(_ context.Context, build *v1alpha1.ImageBuild) error {
		problems = nil
		if problem := notPromotable(build, image, p.clock.Now()); problem != "" {
			problems = field.ErrorList{field.Invalid(path, channel.Build, problem)}
		} else if lacks != nil {
			problems = lacks(build, path)
		}
		if len(problems) == 0 {
			metav1.SetMetaDataAnnotation(&build.ObjectMeta, v1alpha1.AnnotationPromotion, image.ResourceVersion)
		}
		return nil
	})
	switch {
	case apierrors.IsNotFound(err):
		return nil, field.ErrorList{field.Invalid(path, channel.Build, "build not found: name a build of the Image that succeeded")}, nil
	case err != nil:
		return nil, nil, fmt.Errorf("set the channels of image %s: mark imagebuild %s: %w", p.image, channel.Build, err)
	}
	return build, problems, nil
}

// notPromotable returns why no channel of the Image can name the build, or "".
func notPromotable(build *v1alpha1.ImageBuild, image *v1alpha1.Image, now time.Time) string {
	switch {
	case build.Spec.ImageRef == nil || build.Spec.ImageRef.UID != image.UID:
		return fmt.Sprintf("is not a build of Image %s", image.Name)
	case build.Status.Phase != v1alpha1.BuildSucceeded:
		return fmt.Sprintf("is %s: only a build that Succeeded can have a channel", build.Status.Phase)
	case v1alpha1.Revoked(build, now):
		return fmt.Sprintf("is revoked: name another build, or take that back: goldsmith unrevoke %s. It was %s", build.Name, build.Status.Revoked.Explain())
	case build.Spec.Reproduces != nil:
		return fmt.Sprintf("was made to compare it with %s: name %[1]s", build.Spec.Reproduces.Name)
	case build.DeletionTimestamp != nil:
		return "is being deleted: name another build"
	}
	return ""
}

// digestOf is the digest of artifacts that Images based on them count as an input.
func digestOf(artifacts []v1alpha1.Artifact) string {
	return inputs.ArtifactsDigest(artifacts)
}
