// SPDX-License-Identifier: Apache-2.0

package imagebuild

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"k8s.io/apimachinery/pkg/apis/meta/internalversion"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apiserver/pkg/registry/generic"
	genericregistry "k8s.io/apiserver/pkg/registry/generic/registry"
	"k8s.io/apiserver/pkg/registry/rest"
	"k8s.io/apiserver/pkg/util/dryrun"
	"k8s.io/client-go/kubernetes"
	"k8s.io/utils/clock"
	"k8s.io/utils/ptr"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/apiserver/registry/buildlog"
	"goldsmith.dev/goldsmith/apiserver/registry/history"
	"goldsmith.dev/goldsmith/apiserver/registry/install"
	"goldsmith.dev/goldsmith/apiserver/registry/store"
	"goldsmith.dev/goldsmith/apiserver/registry/subresource"
	"goldsmith.dev/goldsmith/apiserver/registry/validation"
	"goldsmith.dev/goldsmith/apiserver/resources"
	"goldsmith.dev/goldsmith/archive"
	"goldsmith.dev/goldsmith/jobs/attestation"
	"goldsmith.dev/goldsmith/jobs/inputs"
)

// Options are the options of the resource.
type Options struct {
	// Logs is where logs are read. Defaults to the pods of the cluster that the server works for or, standalone, of the
	// server itself.
	Logs buildlog.Source
	// Archive opens the archive with the logs of deleted pods. If it is nil or returns nil, there is no archive. It excludes Logs.
	Archive func() (*archive.Store, error)
	// Artifacts reads the artifacts that the server keeps. Nil means that it keeps none.
	Artifacts Artifacts
	// Records has the records of deleted builds, which can be compared, and the locks of artifacts. Defaults to none.
	Records *history.Database
	// PublisherTokens reviews the tokens of publishers. Defaults to the kube-apiserver of the cluster that the server works for. Other servers
	// refuse all tokens by default.
	PublisherTokens PublisherTokens
	// Advisories has the known vulnerabilities of packages. Nil means that the operator has set no advisories.
	Advisories Advisories
	// Builder is the system that runs builds, as statements about artifacts name it.
	Builder attestation.Builder
	// Clock tells the time. Defaults to the real one.
	Clock clock.PassiveClock
	// Policy is the operator's policy. Defaults to allowing everything but Kueue.
	Policy validation.Policy
	// Revoked are the revoked artifacts. It is required.
	Revoked *resources.Store
	// Builders are the builders that the operator allows, whose parameters and targets are checked. Nil means that the server does not know them.
	Builders *inputs.Builders
}

// Images are what a build asks of its Image. Package image has them.
type Images interface {
	// BeforeDelete is called with a build right before its deletion, except in a dry run. An error refuses the deletion.
	BeforeDelete(ctx context.Context, build *v1alpha1.ImageBuild) error
	// Request answers a build that a user creates with the Image, but without a name, as a request for a build of the Image.
	Request(ctx context.Context, build *v1alpha1.ImageBuild, options *metav1.CreateOptions) (runtime.Object, error)
	// Recorded returns the artifacts of a build by its name, even after the build is deleted, if it is the latest successful build of
	// its Image, or if a channel of the Image names it. Otherwise it returns nil.
	Recorded(ctx context.Context, build string) ([]v1alpha1.Artifact, error)
	// Rerun is the subresource rerun of builds.
	Rerun() rest.Storage
	// Test returns the subresource tests.
	Test() rest.Storage
}

// Store is the builds as they are stored. Package image creates the builds of Images in it.
type Store struct {
	*resources.Store
	instantiated *genericregistry.Store
	log          buildlog.TextView
	client       kubernetes.Interface
	scope        *resources.Scope
	options      Options
	limiter      *limiter
}

// NewStore opens the store of builds.
func NewStore(scope *resources.Scope, options Options) (*Store, error) {
	if options.Clock == nil {
		options.Clock = clock.RealClock{}
	}
	if options.Records == nil {
		options.Records = &history.Database{}
	}
	if err := options.Records.Prepare(); err != nil {
		return nil, err
	}
	client, err := kubernetes.NewForConfig(cmp.Or(scope.Core, scope.Loopback))
	if err != nil {
		return nil, fmt.Errorf("read logs of pods and priority classes: %w", err)
	}
	if options.PublisherTokens == nil {
		options.PublisherTokens = noTokens{}
		if scope.Core != nil {
			options.PublisherTokens = tokenReviews{client}
		}
	}
	logs, err := buildlog.New(buildlog.Options{Source: options.Logs, Archive: options.Archive, MayRead: options.Records.MayReadLog}, client)
	if err != nil {
		return nil, err
	}
	direct := newStrategy(scope.Scheme, options)
	store, err := resources.NewStore(scope, resources.Resource{
		New:        func() runtime.Object { return &v1alpha1.ImageBuild{} },
		NewList:    func() runtime.Object { return &v1alpha1.ImageBuildList{} },
		Resource:   v1alpha1.Resource("imagebuilds"),
		Singular:   "imagebuild",
		ShortNames: []string{"imgb"},
		Categories: []string{"goldsmith", "all"},
		Strategy:   direct,
		Table:      newTable(options.Clock),
		Attributes: attributes,
	})
	if err != nil {
		return nil, err
	}
	ranks := &ranks{client: client}
	store.BeginCreate = ranks.begin
	return &Store{
		Store: store, instantiated: store.WithCreateStrategy(instantiatedStrategy{direct}), log: logs.Subresource(store.Store), client: client, scope: scope,
		options: options, limiter: newLimiter(),
	}, nil
}

// Log is the subresource log.
func (s *Store) Log() buildlog.TextView { return s.log }

// Storages are the resource and its subresources. keys are the SigningKeys.
func (s *Store) Storages(images Images, keys rest.Lister) resources.Storages {
	reader := s.reader()
	revoker := newRevoker(s, s.scope, s.options.Clock)
	attested, signing := attestable(s.Store, s.scope.Scheme), &signingKeys{keys, s.client}
	return resources.Storages{
		"":        &REST{s, images},
		"status":  statusREST{s.Status(newStatusStrategy(s.scope.Scheme)), revoker},
		"cancel":  newCancel(s.Store, s.scope.Scheme, s.options.Clock),
		"revoke":  revoker.revokeSubresource(),
		"restore": revoker.restoreSubresource(),
		"report":  newReport(s.Store, s.scope.Scheme, s.options.Clock),
		"attest": newAttest(&attester{
			reader: reader, attested: attested, keys: signing, tokens: s.options.PublisherTokens, builder: s.options.Builder, clock: s.options.Clock,
			making: make(chan struct{}, 1),
		}),
		"signatures":      newSignatures(&signatures{attested, signing, s.options.Clock}),
		"log":             s.log,
		"diff":            newDiff(reader, s.scope),
		"packages":        newPackages(reader),
		"vulnerabilities": newVulnerabilities(s.finder()),
		"artifacts":       newArtifacts(s, images, s.options.Artifacts),
		"rerun":           images.Rerun(),
		"tests":           images.Test(),
	}
}

func (s *Store) revoked() revokedArtifacts {
	return revokedArtifacts{store.Of[*v1alpha1.RevokedArtifact](s.options.Revoked.Store)}
}

// reader reads builds, including deleted builds.
func (s *Store) reader() reader {
	return reader{builds: s.Store.Store, records: s.options.Records, kept: s.options.Artifacts, limiter: s.limiter}
}

// REST is the resource imagebuilds.
type REST struct {
	*Store
	images Images
}

// Create creates a build without an Image. If the build names an Image and leaves its own name to the server, Create requests a
// build of that Image, which admission sees as it is made.
func (s *REST) Create(ctx context.Context, object runtime.Object, validate rest.ValidateObjectFunc, options *metav1.CreateOptions) (runtime.Object, error) {
	build, err := store.As[*v1alpha1.ImageBuild](object)
	if err != nil {
		return nil, err
	}
	if build.Spec.ImageRef != nil && build.Name == "" {
		return s.images.Request(ctx, build, options)
	}
	return s.Store.Create(ctx, object, validate, options)
}

// Update changes a build. An update that requests its cancellation needs what the subresource cancel needs: the permission, and
// the consent of admission.
func (s *REST) Update(ctx context.Context, name string, object rest.UpdatedObjectInfo, createValidation rest.ValidateObjectFunc,
	updateValidation rest.ValidateObjectUpdateFunc, forceAllowCreate bool, options *metav1.UpdateOptions) (runtime.Object, bool, error) {
	object = rest.WrapUpdatedObjectInfo(object, s.cancelling(options))
	return s.Store.Update(ctx, name, object, createValidation, updateValidation, forceAllowCreate, options)
}

// cancelling checks an update that requests the cancellation of a build, which must exist.
func (s *REST) cancelling(options *metav1.UpdateOptions) rest.TransformFunc {
	return func(ctx context.Context, object, old runtime.Object) (runtime.Object, error) {
		build, err := store.As[*v1alpha1.ImageBuild](object)
		if err != nil {
			return nil, err
		}
		before, err := store.As[*v1alpha1.ImageBuild](old)
		if err != nil {
			return nil, err
		}
		if before.UID == "" || !cancels(build, before) {
			return build, nil
		}
		return s.admitCancellation(ctx, build, options)
	}
}

// admitCancellation checks an update that requests the cancellation of a build as a request to the subresource cancel. It returns
// the build with the reason that admission has decided.
func (s *REST) admitCancellation(ctx context.Context, build *v1alpha1.ImageBuild, options *metav1.UpdateOptions) (runtime.Object, error) {
	if err := subresource.CheckMayCreate(ctx, s.scope, "imagebuilds", "cancel", build.Name); err != nil {
		return nil, err
	}
	build = build.DeepCopy()
	request := &v1alpha1.CancelRequest{Reason: build.Spec.CancelRequested.Reason}
	err := subresource.Created{
		Kind: v1alpha1.Kind("CancelRequest"), Resource: "imagebuilds", Subresource: "cancel", Name: build.Name, Object: request,
		Options: &metav1.CreateOptions{DryRun: options.DryRun, FieldManager: options.FieldManager},
	}.Admit(ctx, s.scope, func() error {
		return subresource.Invalid(v1alpha1.Kind("ImageBuild").GroupKind(), build.Name,
			validateCancelRequested(&v1alpha1.CancelRequested{Reason: request.Reason}))
	})
	build.Spec.CancelRequested.Reason = request.Reason
	return build, err
}

// CreateInstantiated creates a build of an Image. Unlike a build that is created directly, it has an imageRef, a number and a
// trigger. The user of the trigger is the user of ctx.
func (s *Store) CreateInstantiated(ctx context.Context, build *v1alpha1.ImageBuild, validate rest.ValidateObjectFunc, options *metav1.CreateOptions) (*v1alpha1.ImageBuild, error) {
	created, err := s.instantiated.Create(ctx, build, validate, options)
	if err != nil {
		return nil, err
	}
	return store.As[*v1alpha1.ImageBuild](created)
}

// Delete deletes a build.
func (s *REST) Delete(ctx context.Context, name string, validate rest.ValidateObjectFunc, options *metav1.DeleteOptions) (runtime.Object, bool, error) {
	return s.Store.Delete(ctx, name, s.beforeDelete(validate, options), options)
}

// DeleteCollection deletes builds.
func (s *REST) DeleteCollection(ctx context.Context, validate rest.ValidateObjectFunc, options *metav1.DeleteOptions,
	list *internalversion.ListOptions) (runtime.Object, error) {
	return s.Store.DeleteCollection(ctx, s.beforeDelete(validate, options), options, list)
}

// beforeDelete returns a validation that keeps the revocation of the build, and asks the Image last. The storage deletes the build only as it was validated.
func (s *REST) beforeDelete(validate rest.ValidateObjectFunc, options *metav1.DeleteOptions) rest.ValidateObjectFunc {
	if options != nil && dryrun.IsDryRun(options.DryRun) {
		return validate
	}
	return func(ctx context.Context, object runtime.Object) error {
		if err := validate(ctx, object); err != nil {
			return err
		}
		build, err := store.As[*v1alpha1.ImageBuild](object)
		if err != nil {
			return err
		}
		if err := s.keepRevocation(ctx, build); err != nil {
			return err
		}
		return s.images.BeforeDelete(ctx, build)
	}
}

// GetBuild returns a build of the namespace of ctx.
func (s *Store) GetBuild(ctx context.Context, name string) (*v1alpha1.ImageBuild, error) {
	return store.Get[*v1alpha1.ImageBuild](ctx, s.Store, name)
}

// BuildsOf returns the builds of an Image, in the order of their numbers.
func (s *Store) BuildsOf(ctx context.Context, image *v1alpha1.Image) ([]v1alpha1.ImageBuild, error) {
	if image.UID == "" {
		return nil, nil // the Image does not exist yet
	}
	selected := &internalversion.ListOptions{FieldSelector: fields.OneTermEqualSelector("spec.imageRef.uid", string(image.UID))}
	list, err := store.List[*v1alpha1.ImageBuildList](ctx, s.Store, selected)
	if err != nil {
		return nil, err
	}
	slices.SortFunc(list.Items, func(a, b v1alpha1.ImageBuild) int {
		return cmp.Compare(ptr.Deref(a.Spec.Number, 0), ptr.Deref(b.Spec.Number, 0))
	})
	return list.Items, nil
}

// attributes are what builds can be selected by.
func attributes(object runtime.Object) (labels.Set, fields.Set, error) {
	build, err := store.As[*v1alpha1.ImageBuild](object)
	if err != nil {
		return nil, nil, err
	}
	return build.Labels, generic.AddObjectMetaFieldsSet(install.ImageBuildFields(build), &build.ObjectMeta, true), nil
}
