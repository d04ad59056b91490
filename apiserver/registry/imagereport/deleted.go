// SPDX-License-Identifier: Apache-2.0

package imagereport

import (
	"cmp"
	"context"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	apirequest "k8s.io/apiserver/pkg/endpoints/request"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/apiserver/registry/history"
	"goldsmith.dev/goldsmith/records"
)

// listDeleted returns reports of deleted Images from their records, the last deleted one first. Without a limit the list is
// complete, as for every resource.
func (r *REST) listDeleted(ctx context.Context, asked *asked) (runtime.Object, error) {
	namespace, name, err := selectDeleted(ctx, asked)
	if err != nil {
		return nil, err
	}
	list := &v1alpha1.ImageReportList{Items: []v1alpha1.ImageReport{}}
	store, err := r.database.Store()
	switch {
	case err != nil:
		return nil, history.Error(err, resource, name)
	case store == nil:
		history.WarnNoDatabase(ctx)
		return list, nil
	}
	limit, err := r.database.Limit(ctx)
	if err != nil {
		return nil, err
	}
	paging := records.Paging{Limit: int(min(cmp.Or(asked.images.Limit, records.MaxLimit), records.MaxLimit)), Continue: asked.images.Continue}
	var all []records.Fix
	for {
		page, err := store.DeletedImages(ctx, namespace, limit, name, paging)
		if err != nil {
			return nil, history.Error(err, resource, name)
		}
		of := make([]v1alpha1.Image, len(page.Items))
		for i, image := range page.Items {
			of[i].ObjectMeta = metav1.ObjectMeta{Namespace: image.Namespace, Name: image.Name, UID: image.UID}
		}
		reports, fixes, err := r.join(ctx, name, of, asked.window)
		if err != nil {
			return nil, err
		}
		for i := range reports {
			reports[i].DeletionTimestamp = &metav1.Time{Time: page.Items[i].Deleted}
		}
		list.Items, all = append(list.Items, reports...), append(all, fixes...)
		if page.Continue == "" || asked.images.Limit > 0 {
			list.Continue = page.Continue
			if list.Continue == "" && asked.images.Continue == "" {
				list.Fixes = history.Fixes(all)
			}
			return list, nil
		}
		paging.Continue = page.Continue
	}
}

// selectDeleted returns the namespace and the name that select deleted Images, or "" for all. The records have no other
// fields for selectors.
func selectDeleted(ctx context.Context, asked *asked) (namespace, name string, err error) {
	if selector := asked.images.LabelSelector; selector != nil && !selector.Empty() {
		return "", "", apierrors.NewBadRequest("labels of deleted images are not recorded: leave the label selector out")
	}
	namespace = apirequest.NamespaceValue(ctx)
	selector := asked.images.FieldSelector
	if name, err = valueOf(selector, "metadata.name", "must select one name if deleted=true"); err != nil {
		return "", "", err
	}
	only, err := valueOf(selector, "metadata.namespace", "must select one namespace if deleted=true")
	if err != nil {
		return "", "", err
	}
	if namespace != "" && only != "" && namespace != only {
		return "", "", refused("metadata.namespace", "must select the namespace of the request")
	}
	return cmp.Or(namespace, only), name, nil
}
