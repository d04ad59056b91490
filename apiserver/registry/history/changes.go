// SPDX-License-Identifier: Apache-2.0

package history

import (
	"context"

	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/apiserver/registry/subresource"
	"goldsmith.dev/goldsmith/records"
)

const changesResource = "images/changes"

// changesView returns the changes subresource, which lists the changes of an Image's spec with their field, user and time.
func (r *recorded) changesView() *subresource.View[v1alpha1.ImageJournalOptions, *v1alpha1.ImageJournalOptions] {
	return subresource.NewView(changesResource, &v1alpha1.ImageChanges{}, v1alpha1.ImageChanges{}, r.changes)
}

// changes returns a page of the changes of an Image.
func (r *recorded) changes(ctx context.Context, name string, options *v1alpha1.ImageJournalOptions) (runtime.Object, error) {
	store, subject, paging, err := r.openJournal(ctx, changesResource, name, options)
	if err != nil {
		return nil, err
	}
	answer := &v1alpha1.ImageChanges{ObjectMeta: subject.ObjectMeta, Items: []v1alpha1.ImageChange{}}
	if store == nil {
		return answer, nil
	}
	page, err := store.Changes(ctx, subject.UID, paging)
	if err != nil {
		return nil, Error(err, changesResource, name)
	}
	answer.Items, answer.Continue = Changes(page.Items), page.Continue
	return answer, nil
}

// openJournal finds the Image of a request for notes or changes, and the page. The store is nil if there is no database.
func (r *recorded) openJournal(ctx context.Context, resource, name string, options *v1alpha1.ImageJournalOptions) (*records.Store, *subject, records.Paging, error) {
	if err := subresource.Invalid(v1alpha1.Kind("ImageJournalOptions").GroupKind(), name, ValidateJournalOptions(options)); err != nil {
		return nil, nil, records.Paging{}, err
	}
	store, err := r.open(ctx, resource, name)
	if err != nil {
		return nil, nil, records.Paging{}, err
	}
	subject, err := r.find(ctx, store, resource, name, types.UID(options.UID))
	return store, subject, records.Paging{Limit: int(options.Limit), Continue: options.Continue}, err
}
