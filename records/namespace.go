// SPDX-License-Identifier: Apache-2.0

package records

import (
	"context"
	"fmt"
	"slices"

	"k8s.io/apimachinery/pkg/types"
)

// InNamespace records that objects belong to the namespace with a UID. It does nothing for objects that are not recorded. A build of
// an Image belongs to the namespace of its Image. Errors: ErrInvalid for an unknown kind, or without a UID of the namespace.
func (s *Store) InNamespace(ctx context.Context, kind Kind, namespace types.UID, objects ...types.UID) error {
	if kind != Images && kind != Builds || namespace == "" {
		return fmt.Errorf("%w: set the UID of the namespace, and the kind %s or %s", ErrInvalid, Images, Builds)
	}
	for uids := range slices.Chunk(slices.Sorted(slices.Values(objects)), batch) { // sorted: two writers cannot wait for each other
		err := s.change(ctx, "record the namespace of "+string(kind), func(ctx context.Context, tx database) error {
			_, err := execute(ctx, tx, "UPDATE "+string(kind)+" SET namespace_uid = $1 WHERE namespace_uid <> $1 AND uid IN ("+placeholders(1, len(uids))+")",
				append([]any{string(namespace)}, anySlice(uids)...)...)
			return err
		})
		if err != nil {
			return err
		}
	}
	return nil
}
