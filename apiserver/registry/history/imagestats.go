// SPDX-License-Identifier: Apache-2.0

package history

import (
	"context"
	"slices"

	"k8s.io/apimachinery/pkg/types"

	"goldsmith.dev/goldsmith/records"
)

// ImageStats returns the figures of one Image, which may be deleted. They are nil if the namespace has no record of the Image.
func ImageStats(ctx context.Context, store *records.Store, namespace string, uid types.UID, window records.Window) (*records.ImageStats, error) {
	found, err := ImageStatsByUID(ctx, store, namespace, []types.UID{uid}, window)
	if err != nil {
		return nil, err
	}
	return found[uid], nil
}

// ImageStatsByUID returns the figures of Images of one or all namespaces, by UID. Images without a record are missing.
func ImageStatsByUID(ctx context.Context, store *records.Store, namespace string, uids []types.UID, window records.Window) (map[types.UID]*records.ImageStats, error) {
	stats := map[types.UID]*records.ImageStats{}
	for some := range slices.Chunk(uids, records.MaxLimit) {
		page, err := store.ImageStats(ctx, records.ImageStatsQuery{
			Namespace: namespace, Images: some, Deleted: true, Window: window, Paging: records.Paging{Limit: len(some)},
		})
		if err != nil {
			return nil, err
		}
		for i := range page.Items {
			stats[page.Items[i].Image.UID] = &page.Items[i]
		}
	}
	return stats, nil
}
