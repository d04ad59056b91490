// SPDX-License-Identifier: Apache-2.0

package catalog

import (
	"context"
	"errors"
	"fmt"

	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	utilerrors "k8s.io/apimachinery/pkg/util/errors"
	"k8s.io/apimachinery/pkg/util/validation/field"
	"k8s.io/apiserver/pkg/admission"
	"k8s.io/apiserver/pkg/registry/rest"
	"k8s.io/apiserver/pkg/storage/names"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	images "goldsmith.dev/goldsmith/apiserver/registry/image"
	"goldsmith.dev/goldsmith/apiserver/registry/store"
)

// nameAttempts is how many names are generated for an object whose generated names others have.
const nameAttempts = 8

// Create creates the Image of an object. It generates the name itself, because the kind can derive fields from it.
func (r *REST) Create(ctx context.Context, object runtime.Object, validate rest.ValidateObjectFunc, options *metav1.CreateOptions) (runtime.Object, error) {
	view, err := store.As[*unstructured.Unstructured](object)
	if err != nil {
		return nil, err
	}
	if view.GetName() != "" || view.GetGenerateName() == "" {
		return r.create(ctx, view, validate, options)
	}
	for attempt := 1; ; attempt++ {
		view.SetName(names.SimpleNameGenerator.GenerateName(view.GetGenerateName()))
		created, err := r.create(ctx, view, validate, options)
		if !apierrors.IsAlreadyExists(err) || attempt == nameAttempts {
			return created, err
		}
	}
}

func (r *REST) create(ctx context.Context, view *unstructured.Unstructured, validate rest.ValidateObjectFunc, options *metav1.CreateOptions) (runtime.Object, error) {
	image, err := r.compose(ctx, view)
	if err != nil {
		return nil, err
	}
	attributes := r.imageAttributes(ctx, image.Name, image, nil, admission.Create, options, options.DryRun)
	if err := r.mutate(ctx, attributes); err != nil {
		return nil, r.explain(err, image)
	}
	ctx = images.ThroughKind(r.warningsOf(ctx, func() *v1alpha1.Image { return image }))
	created, err := r.images.Create(ctx, image, r.validation(attributes, validate), options)
	if apierrors.IsAlreadyExists(err) {
		return nil, r.explainNameConflict(ctx, image.Name, err)
	}
	if err != nil {
		return nil, r.explain(err, image)
	}
	return r.written(created)
}

// compose returns the Image of a new object. Create and server-side apply call it.
func (r *REST) compose(ctx context.Context, view *unstructured.Unstructured) (*v1alpha1.Image, error) {
	if err := r.published.refuse(r.resource(), view.GetName()); err != nil {
		return nil, err
	}
	if errs := r.strategy.Validate(ctx, r.kind.WithDefaults(view)); len(errs) > 0 {
		return nil, r.invalid(view.GetName(), errs)
	}
	return r.put(ctx, view, nil, nil)
}

// put returns the Image of a changed object, or of a new one, with the defaults of Images.
func (r *REST) put(ctx context.Context, view, before *unstructured.Unstructured, stored *v1alpha1.Image) (*v1alpha1.Image, error) {
	image, err := r.kind.Put(ctx, view, before, stored)
	if refused, ok := errors.AsType[utilerrors.Aggregate](err); ok {
		var errs field.ErrorList
		for _, err := range refused.Errors() {
			if located, ok := errors.AsType[*field.Error](err); ok {
				errs = append(errs, located)
			}
		}
		return nil, r.invalid(view.GetName(), errs)
	}
	if err != nil {
		return nil, err
	}
	v1alpha1.SetObjectDefaults_Image(image)
	return image, nil
}

// Update changes the Image of an object, or creates one if server-side apply does.
func (r *REST) Update(ctx context.Context, name string, object rest.UpdatedObjectInfo, createValidation rest.ValidateObjectFunc,
	updateValidation rest.ValidateObjectUpdateFunc, forceAllowCreate bool, options *metav1.UpdateOptions) (runtime.Object, bool, error) {
	change := &change{requested: object, rest: r, name: name, creates: forceAllowCreate, options: options}
	ctx = images.ThroughKind(r.warningsOf(ctx, func() *v1alpha1.Image { return change.image }))
	updated, created, err := r.images.Update(ctx, name, change,
		r.validation(r.imageAttributes(ctx, name, nil, nil, admission.Create, creation(options), options.DryRun), createValidation),
		r.updateValidation(r.imageAttributes(ctx, name, nil, nil, admission.Update, options, options.DryRun), updateValidation),
		forceAllowCreate, options)
	if err != nil {
		return nil, false, r.explain(err, change.image)
	}
	view, err := r.written(updated)
	return view, created, err
}

// creation returns the options of an update as those of a creation, as the library's handler for patches does.
func creation(options *metav1.UpdateOptions) *metav1.CreateOptions {
	return &metav1.CreateOptions{
		TypeMeta: metav1.TypeMeta{APIVersion: metav1.SchemeGroupVersion.String(), Kind: "CreateOptions"},
		DryRun:   options.DryRun, FieldManager: options.FieldManager, FieldValidation: options.FieldValidation,
	}
}

// change is a change of an object as a change of its Image.
type change struct {
	requested rest.UpdatedObjectInfo
	rest      *REST
	name      string
	creates   bool
	options   *metav1.UpdateOptions
	image     *v1alpha1.Image // that the last call of UpdatedObject returned
}

var _ rest.UpdatedObjectInfo = &change{}

// Preconditions returns the preconditions of the request, except for the UID: that of the Image is another.
func (c *change) Preconditions() *metav1.Preconditions {
	requested := c.requested.Preconditions()
	if requested == nil {
		return nil
	}
	return &metav1.Preconditions{ResourceVersion: requested.ResourceVersion}
}

// UpdatedObject returns the Image of the changed object. The storage calls it again after a conflict.
func (c *change) UpdatedObject(ctx context.Context, old runtime.Object) (runtime.Object, error) {
	stored, err := store.As[*v1alpha1.Image](old)
	if err != nil {
		return nil, err
	}
	if stored.UID == "" { // server-side apply creates the object
		return c.create(ctx)
	}
	if !c.rest.kind.Owns(stored) {
		if c.creates {
			return nil, c.rest.nameConflict(c.name)
		}
		return nil, apierrors.NewNotFound(c.rest.resource(), c.name)
	}
	before, err := c.rest.written(stored)
	if err != nil {
		return nil, err
	}
	if err := checkUID(c.requested.Preconditions(), before); err != nil {
		return nil, apierrors.NewConflict(c.rest.resource(), c.name, err)
	}
	view, err := c.change(ctx, before.DeepCopy())
	if err != nil {
		return nil, err
	}
	full := c.rest.kind.WithDefaults(view)
	if errs := c.rest.strategy.ValidateUpdate(ctx, withSystemFields(full, before), c.rest.former(full, before)); len(errs) > 0 {
		return nil, c.rest.invalid(c.name, errs)
	}
	image, err := c.rest.put(ctx, view, before, stored)
	if err != nil {
		return nil, err
	}
	c.image = image
	return image, c.rest.mutate(ctx, c.rest.imageAttributes(ctx, c.name, image, stored, admission.Update, c.options, c.options.DryRun))
}

func (c *change) create(ctx context.Context) (runtime.Object, error) {
	view, err := c.change(ctx, c.rest.New())
	if err != nil {
		return nil, err
	}
	image, err := c.rest.compose(ctx, view)
	if err != nil {
		return nil, err
	}
	c.image = image
	return image, c.rest.mutate(ctx, c.rest.imageAttributes(ctx, c.name, image, nil, admission.Create, creation(c.options), c.options.DryRun))
}

func (c *change) change(ctx context.Context, object runtime.Object) (*unstructured.Unstructured, error) {
	changed, err := c.requested.UpdatedObject(ctx, object)
	if err != nil {
		return nil, err
	}
	return store.As[*unstructured.Unstructured](changed)
}

// former returns the object that a change is compared with. An Image need not store defaults. So if view differs from before in defaults
// only, former returns before with its defaults. Then the label of an object that is no longer valid can be changed, as that of a custom
// resource.
func (r *REST) former(view, before *unstructured.Unstructured) *unstructured.Unstructured {
	defaulted := r.kind.WithDefaults(before)
	if equality.Semantic.DeepEqual(defaulted.Object["spec"], view.Object["spec"]) {
		return defaulted
	}
	return before
}

// withSystemFields returns the object with the metadata that the library sets before it validates an update. The store compares the
// resource version with that of the Image.
func withSystemFields(view, before *unstructured.Unstructured) *unstructured.Unstructured {
	view = view.DeepCopy()
	view.SetResourceVersion(before.GetResourceVersion())
	view.SetGeneration(before.GetGeneration())
	view.SetCreationTimestamp(before.GetCreationTimestamp())
	if view.GetUID() == "" {
		view.SetUID(before.GetUID())
	}
	if before.GetDeletionTimestamp() != nil {
		view.SetDeletionTimestamp(before.GetDeletionTimestamp())
	}
	if view.GetDeletionGracePeriodSeconds() == nil {
		view.SetDeletionGracePeriodSeconds(before.GetDeletionGracePeriodSeconds())
	}
	return view
}

// checkUID checks a precondition with the message of the library.
func checkUID(preconditions *metav1.Preconditions, object metav1.Object) error {
	if preconditions == nil || preconditions.UID == nil || *preconditions.UID == object.GetUID() {
		return nil
	}
	return fmt.Errorf("Precondition failed: UID in precondition: %v, UID in object meta: %v", *preconditions.UID, object.GetUID()) //nolint:staticcheck // as the library has it
}

// explainNameConflict explains an error of a creation whose name another object has: users of the kind cannot see an Image that is not of the kind.
func (r *REST) explainNameConflict(ctx context.Context, name string, err error) error {
	object, getErr := r.images.Get(ctx, name, &metav1.GetOptions{})
	if image, ok := object.(*v1alpha1.Image); getErr == nil && ok && !r.kind.Owns(image) {
		return r.nameConflict(name)
	}
	return err
}

// nameConflict is the error for a name that an Image of another kind, or of none, has. It is AlreadyExists, because kubectl would explain
// a Conflict with advice for server-side apply.
func (r *REST) nameConflict(name string) error {
	err := apierrors.NewAlreadyExists(r.resource(), name)
	err.ErrStatus.Message = fmt.Sprintf("%s %q cannot be created: an Image in this namespace that is no %s has the name: choose another name",
		r.resource(), name, r.kind.GroupVersionKind().Kind)
	return err
}
