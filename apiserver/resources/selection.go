// SPDX-License-Identifier: Apache-2.0

package resources

import (
	"fmt"
	"maps"

	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apiserver/pkg/storage"
)

// attributesOf returns the attributes by which objects can be selected: labels, name, namespace, and the fields that their
// type adds.
func attributesOf(example runtime.Object, namespaceScoped bool) storage.AttrFunc {
	ordinary := storage.DefaultClusterScopedAttr
	if namespaceScoped {
		ordinary = storage.DefaultNamespaceScopedAttr
	}
	if _, ok := example.(FieldSelectable); !ok {
		return ordinary
	}
	return func(object runtime.Object) (labels.Set, fields.Set, error) {
		labelSet, fieldSet, err := ordinary(object)
		if err != nil {
			return nil, nil, err
		}
		selectable, ok := object.(FieldSelectable)
		if !ok {
			return nil, nil, fmt.Errorf("select a %T: it has no fields to be selected by", object)
		}
		maps.Copy(fieldSet, selectable.SelectableFields())
		return labelSet, fieldSet, nil
	}
}
