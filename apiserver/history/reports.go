// SPDX-License-Identifier: Apache-2.0

package history

import (
	"context"
	"slices"

	"k8s.io/apimachinery/pkg/types"

	"goldsmith.dev/goldsmith/records"
)

// Report returns the figures of one Image, whether it is still there or not; nil if there is no record of it in the
// namespace.
func Report(ctx context.Context, store *records.Store, namespace string, uid types.UID, window records.Window) (*records.Report, error) {
	found, err := Reports(ctx, store, namespace, []types.UID{uid}, window)
	if err != nil {
		return nil, err
	}
	return found[uid], nil
}

// Reports returns the figures of Images of a namespace, or of all, by UID. Those that there is no record of are not in it.
func Reports(ctx context.Context, store *records.Store, namespace string, uids []types.UID, window records.Window) (map[types.UID]*records.Report, error) {
	reports := map[types.UID]*records.Report{}
	for some := range slices.Chunk(uids, records.MaxLimit) {
		page, err := store.Reports(ctx, records.ReportQuery{
			Namespace: namespace, Images: some, Deleted: true, Window: window, Paging: records.Paging{Limit: len(some)},
		})
		if err != nil {
			return nil, err
		}
		for i := range page.Items {
			reports[page.Items[i].Image.UID] = &page.Items[i]
		}
	}
	return reports, nil
}
