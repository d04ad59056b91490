// SPDX-License-Identifier: Apache-2.0

package image

import (
	"context"
	"fmt"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apiserver/pkg/registry/rest"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/apiserver/history"
	"goldsmith.dev/goldsmith/apiserver/images"
	"goldsmith.dev/goldsmith/apiserver/images/validation"
	"goldsmith.dev/goldsmith/records"
)

const changesResource = "images/changes"

// changesREST is the changes subresource: who changed which field of the spec of an Image, and when.
type changesREST struct{ *recorded }

var (
	_ rest.GetterWithOptions = &changesREST{}
	_ rest.StorageMetadata   = &changesREST{}
)

// New returns an empty ImageChanges.
func (r *changesREST) New() runtime.Object { return &images.ImageChanges{} }

// Destroy does nothing: the storage is the main resource's, which closes it.
func (r *changesREST) Destroy() {}

// NewGetOptions returns the type of the query parameters.
func (r *changesREST) NewGetOptions() (options runtime.Object, subpath bool, subpathName string) {
	return &images.ImageJournalOptions{}, false, ""
}

// ProducesMIMETypes adds none.
func (r *changesREST) ProducesMIMETypes(string) []string { return nil }

// ProducesObject says that the answer is changes.
func (r *changesREST) ProducesObject(string) any { return v1alpha1.ImageChanges{} }

// Get returns a page of the changes of an Image.
func (r *changesREST) Get(ctx context.Context, name string, object runtime.Object) (runtime.Object, error) {
	store, subject, paging, err := r.openJournal(ctx, changesResource, name, object)
	if err != nil {
		return nil, err
	}
	answer := &images.ImageChanges{ObjectMeta: subject.ObjectMeta, Items: []images.ImageChange{}}
	if store == nil {
		return answer, nil
	}
	page, err := store.Changes(ctx, subject.UID, paging)
	if err != nil {
		return nil, history.Error(err, changesResource, name)
	}
	answer.Items, answer.Continue = history.Changes(page.Items), page.Continue
	return answer, nil
}

// openJournal finds what the options of a request for notes or changes ask for. The store is nil if there is no database.
func (r *recorded) openJournal(ctx context.Context, resource, name string, object runtime.Object) (*records.Store, *subject, records.Paging, error) {
	options, ok := object.(*images.ImageJournalOptions)
	if !ok {
		return nil, nil, records.Paging{}, apierrors.NewBadRequest(fmt.Sprintf("%s of %s takes ImageJournalOptions, not a %T", resource, name, object))
	}
	if errs := validation.ImageJournalOptions(options); len(errs) > 0 {
		return nil, nil, records.Paging{}, apierrors.NewInvalid(images.Kind("ImageJournalOptions"), name, errs)
	}
	store, err := r.open(ctx, resource, name)
	if err != nil {
		return nil, nil, records.Paging{}, err
	}
	subject, err := r.find(ctx, store, resource, name, types.UID(options.UID))
	return store, subject, records.Paging{Limit: int(options.Limit), Continue: options.Continue}, err
}
