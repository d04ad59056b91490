// SPDX-License-Identifier: Apache-2.0

package catalog

import (
	"k8s.io/utils/lru"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/jobs/catalog"
)

// memoSize is how many objects the memo keeps. An object takes about 1.2 KiB (BenchmarkMemo), more with a long status.
const memoSize = 4096

// memo keeps the objects that were read last, for all kinds. Lists and watches of a kind read the same Images again and again.
type memo struct {
	views *lru.Cache
}

// memorized is the view of one version of an Image.
type memorized struct {
	kind    *catalog.Kind
	version string
	view    *catalog.View
}

func newMemo() *memo { return &memo{lru.New(memoSize)} }

// get returns the view of a stored Image. Views are shared and must not be changed.
func (m *memo) get(kind *catalog.Kind, image *v1alpha1.Image) (*catalog.View, error) {
	if found, ok := m.views.Get(image.UID); ok {
		if kept, ok := found.(*memorized); ok && kept.kind == kind && kept.version == image.ResourceVersion {
			return kept.view, nil
		}
	}
	view, err := kind.Get(image)
	if err != nil {
		return nil, err
	}
	m.views.Add(image.UID, &memorized{kind, image.ResourceVersion, view})
	return view, nil
}
