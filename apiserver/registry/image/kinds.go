// SPDX-License-Identifier: Apache-2.0

package image

import (
	"context"
	"fmt"
	"maps"

	"k8s.io/apimachinery/pkg/util/validation/field"
	"k8s.io/klog/v2"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/jobs/catalog"
	"goldsmith.dev/goldsmith/jobs/catalog/ownership"
)

// A Kind is a served kind of the catalog.
type Kind struct {
	*catalog.Kind
	// Terminating is whether its ImageKind is being deleted.
	Terminating bool
}

// reports is whether values that no object of the kind can have are accepted, and reported.
func (k *Kind) reports() bool { return k.Declared().Spec.DirectWrites == v1alpha1.ImageKindReport }

// kindRules are the rules for Images of a kind that are written directly, and not through the kind. They cost an Image without the label
// of a kind nothing. An Image whose kind is not served follows none: kinds and Images can be restored in any order.
type kindRules struct {
	// find returns the served kind of a name, or nil. It fails until the kinds are read.
	find func(name string) (*Kind, error)
}

type throughKindKey struct{}

// ThroughKind returns a context for a write of an Image by its kind, which has checked the object against its schema.
func ThroughKind(ctx context.Context) context.Context {
	return context.WithValue(ctx, throughKindKey{}, true)
}

func isThroughKind(ctx context.Context) bool { return ctx.Value(throughKindKey{}) != nil }

// adopted reports whether a write makes an Image one of a kind. old is nil for a creation.
func adopted(image, old *v1alpha1.Image) bool {
	name := image.Labels[v1alpha1.ImageKindLabel]
	return name != "" && (old == nil || old.Labels[v1alpha1.ImageKindLabel] != name)
}

// prepare sets what the server itself sets of an Image of a kind: its conformance and its revision, which no writer chooses: otherwise
// an Image could pass for one of an earlier revision, which has no conformance. An Image that is no longer of a kind keeps nothing of it.
func (r kindRules) prepare(ctx context.Context, image, old *v1alpha1.Image) {
	name := image.Labels[v1alpha1.ImageKindLabel]
	if name == "" {
		if old != nil && old.Labels[v1alpha1.ImageKindLabel] != "" {
			if err := ownership.Release(&image.ObjectMeta); err != nil {
				klog.FromContext(ctx).Error(err, "Image keeps owners of its kind", "image", klog.KObj(image))
			}
			image.Status.Conformance = nil
		}
		return
	}
	kind, err := r.find(name)
	if err != nil || kind == nil || isThroughKind(ctx) && image.Status.Conformance == nil {
		return
	}
	revision := kind.Revision()
	if !adopted(image, old) && old.Labels[v1alpha1.ImageKindRevisionLabel] != "" {
		revision = old.Labels[v1alpha1.ImageKindRevisionLabel]
	}
	if image.Labels[v1alpha1.ImageKindRevisionLabel] != revision {
		image.Labels = maps.Clone(image.Labels)
		image.Labels[v1alpha1.ImageKindRevisionLabel] = revision
	}
	image.Status.Conformance = kind.Conformance(ctx, image)
}

// validate returns what a write adds to an Image that no object of its kind can have, unless the kind accepts it. What an Image has already
// can stay, so that a change of a label, or of a field that the kind does not set, never fails. Only a whole Image that conforms becomes one of a kind.
func (r kindRules) validate(ctx context.Context, image, old *v1alpha1.Image) field.ErrorList {
	name := image.Labels[v1alpha1.ImageKindLabel]
	if name == "" || isThroughKind(ctx) {
		return nil
	}
	kind, err := r.find(name)
	adopts := adopted(image, old)
	switch {
	case err != nil:
		return field.ErrorList{field.InternalError(spec, err)}
	case kind == nil:
		return nil
	case adopts && kind.Terminating:
		return field.ErrorList{field.Forbidden(metadata.Child("labels").Key(v1alpha1.ImageKindLabel), fmt.Sprintf("ImageKind %s is being deleted: leave the label out", name))}
	case kind.reports():
		return nil
	}
	errs := kind.strays(ctx, image, old, adopts)
	remedy := fmt.Sprintf("the Image is %s.%s %q: change that object, or remove the label %s to release the Image", name, v1alpha1.CatalogGroup, image.Name, v1alpha1.ImageKindLabel)
	if adopts {
		remedy = fmt.Sprintf("change the field, or leave out the label %s=%s", v1alpha1.ImageKindLabel, name)
	}
	for _, err := range errs {
		err.Detail += ": " + remedy
	}
	return errs
}

// warnings returns what validate would refuse if the kind did not accept it, and warns of a kind that is not served.
func (r kindRules) warnings(ctx context.Context, image, old *v1alpha1.Image) []string {
	name := image.Labels[v1alpha1.ImageKindLabel]
	if name == "" || isThroughKind(ctx) {
		return nil
	}
	kind, err := r.find(name)
	adopts := adopted(image, old)
	switch {
	case err != nil:
		return nil
	case kind == nil && adopts:
		return []string{fmt.Sprintf("%s: no kind %s.%s is served: the Image becomes an object of the kind once it is", metadata.Child("labels").Key(v1alpha1.ImageKindLabel), name, v1alpha1.CatalogGroup)}
	case kind == nil || !kind.reports():
		return nil
	}
	var warnings []string
	for _, err := range kind.strays(ctx, image, old, adopts) {
		warnings = append(warnings, fmt.Sprintf("%s: no object of the kind has this value: the Image is %s.%s %q", err, name, v1alpha1.CatalogGroup, image.Name))
	}
	return warnings
}

func (k *Kind) strays(ctx context.Context, image, old *v1alpha1.Image, adopts bool) field.ErrorList {
	switch {
	case image.Status.Conformance == nil && image.Labels[v1alpha1.ImageKindRevisionLabel] == k.Revision():
		return nil // prepare has found none
	case adopts:
		return k.Conforms(ctx, image)
	}
	return k.Strays(ctx, image, old)
}
