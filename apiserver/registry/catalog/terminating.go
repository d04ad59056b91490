// SPDX-License-Identifier: Apache-2.0

package catalog

import (
	"fmt"
	"sync/atomic"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/sets"
)

// terminating has the names of the served kinds whose ImageKind is being deleted. It is safe for concurrent use. A replica of the server
// learns of a deletion a moment later than the one that was asked to delete: an Image that it creates until then stays.
type terminating struct {
	names atomic.Pointer[sets.Set[string]]
}

func (t *terminating) set(decisions []decision) {
	names := sets.New[string]()
	for _, decided := range decisions {
		if decided.kind != nil && decided.object.DeletionTimestamp != nil {
			names.Insert(decided.object.Name)
		}
	}
	t.names.Store(&names)
}

// refuse refuses the creation of an object of such a kind, as for a custom resource whose definition is being deleted.
func (t *terminating) refuse(resource schema.GroupResource, name string) error {
	if names := t.names.Load(); names == nil || !names.Has(resource.Resource) {
		return nil
	}
	return apierrors.NewForbidden(resource, name, fmt.Errorf("ImageKind %s is being deleted: create the ImageKind again once it is deleted", resource.Resource))
}
