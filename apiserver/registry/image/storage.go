// SPDX-License-Identifier: Apache-2.0

package image

import (
	"context"
	"maps"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apiserver/pkg/registry/generic"
	"k8s.io/apiserver/pkg/registry/rest"
	"k8s.io/apiserver/pkg/util/dryrun"
	"k8s.io/utils/clock"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/apiserver/registry/history"
	"goldsmith.dev/goldsmith/apiserver/registry/imagebuild"
	"goldsmith.dev/goldsmith/apiserver/registry/install"
	"goldsmith.dev/goldsmith/apiserver/registry/store"
	"goldsmith.dev/goldsmith/apiserver/registry/validation"
	"goldsmith.dev/goldsmith/apiserver/resources"
)

// Options are the options of the resource.
type Options struct {
	// Clock tells the time. Defaults to the real one.
	Clock clock.PassiveClock
	// Records is the database for history, stats, notes, changes, and reruns of deleted builds. Defaults to none.
	Records *history.Database
	// Edits records the changes of specs. Defaults to none.
	Edits *history.Queue
	// Policy is the operator's policy. Defaults to allowing everything but Kueue.
	Policy validation.Policy
	// Kinds finds the served kind of the catalog with a name, or nil, and fails until the kinds are read. Defaults to none.
	Kinds func(name string) (*Kind, error)
	// Setup are the settings that warnings are based on. NewStorage sets its Records.
	Setup Setup
}

// New opens the store of Images, whose builds are in another store.
func New(scope *resources.Scope, builds *imagebuild.Store, options Options) (*REST, error) {
	if options.Clock == nil {
		options.Clock = clock.RealClock{}
	}
	if options.Kinds == nil {
		options.Kinds = func(string) (*Kind, error) { return nil, nil }
	}
	if options.Records == nil {
		options.Records = &history.Database{}
	}
	if err := options.Records.Prepare(); err != nil {
		return nil, err
	}
	options.Setup.Records = !options.Records.None()
	bases := &bases{lock: func(ctx context.Context, name string) (lock, error) { return scope.Lock(ctx, name) }}
	images, err := resources.NewStore(scope, resources.Resource{
		New:        func() runtime.Object { return &v1alpha1.Image{} },
		NewList:    func() runtime.Object { return &v1alpha1.ImageList{} },
		Resource:   v1alpha1.Resource("images"),
		Singular:   "image",
		ShortNames: []string{"img"},
		Categories: []string{"goldsmith", "all"},
		Strategy:   newStrategy(scope.Scheme, options, bases),
		Table:      newTable(options.Clock),
		Attributes: attributes,
	})
	if err != nil {
		return nil, err
	}
	sources, err := newSources(scope, images, builds, options.Clock)
	if err != nil {
		return nil, err
	}
	bases.images = images.Store
	main := &REST{
		Store: images,
		requests: &requests{
			Options: options, images: store.Of[*v1alpha1.Image](images.WithUpdateStrategy(newAllocationStrategy(scope.Scheme))),
			builds: builds, sources: sources, scope: scope,
		},
		edits: history.NewEdits(options.Edits, options.Clock),
	}
	main.BeginCreate, main.BeginUpdate = bases.beginCreate, bases.beginUpdate
	return main, nil
}

// Storages are the resource and its subresources. plan is the one that package imageplan serves.
func (s *REST) Storages(plan rest.Storage) resources.Storages {
	storages := resources.Storages{
		"":            s,
		"status":      s.Status(newStatusStrategy(s.requests.scope.Scheme)),
		"instantiate": s.requests.instantiate(),
		"channels":    newChannelsREST(s.Store, s.requests.builds, s.requests.scope, s.requests.Clock),
		"plan":        plan,
	}
	maps.Copy(storages, history.Subresources(s.Store.Store, s.requests.Records, s.requests.Clock))
	return storages
}

// Sources reads what the inputs of Images refer to.
func (s *REST) Sources() *Sources { return s.requests.sources }

// OfBuilds is what builds ask of their Images.
func (s *REST) OfBuilds() imagebuild.Images { return s.requests }

// REST is the resource images.
type REST struct {
	*resources.Store
	requests *requests
	edits    *history.Edits
}

// Destroy writes the edits that are not recorded yet, and closes the storage.
func (s *REST) Destroy() {
	s.edits.Close()
	s.Store.Destroy()
}

// Create creates an Image. If it is based on another Image, Create holds the lock of all such writes in the namespace.
func (s *REST) Create(ctx context.Context, object runtime.Object, validate rest.ValidateObjectFunc, options *metav1.CreateOptions) (runtime.Object, error) {
	ctx, writing := startWriting(ctx)
	defer writing.end()
	created, err := s.Store.Create(ctx, object, validate, options)
	return created, writing.explain(ctx, err)
}

// Update changes an Image, or creates it if server-side apply does. If the base changes, it takes the lock as Create does. It
// records the change.
func (s *REST) Update(ctx context.Context, name string, object rest.UpdatedObjectInfo, createValidation rest.ValidateObjectFunc,
	updateValidation rest.ValidateObjectUpdateFunc, forceAllowCreate bool, options *metav1.UpdateOptions) (runtime.Object, bool, error) {
	ctx, writing := startWriting(ctx)
	defer writing.end()
	updated, created, err := s.Store.Update(ctx, name, object, createValidation, updateValidation, forceAllowCreate, options)
	if err == nil && !created && !dryrun.IsDryRun(options.DryRun) {
		s.edits.Take(ctx, writing.before, updated)
	}
	return updated, created, writing.explain(ctx, err)
}

// attributes are what images can be selected by.
func attributes(object runtime.Object) (labels.Set, fields.Set, error) {
	image, err := store.As[*v1alpha1.Image](object)
	if err != nil {
		return nil, nil, err
	}
	return image.Labels, generic.AddObjectMetaFieldsSet(install.ImageFields(image), &image.ObjectMeta, true), nil
}
