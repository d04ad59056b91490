// SPDX-License-Identifier: Apache-2.0

package catalog

import (
	"context"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"goldsmith.dev/goldsmith/jobs/catalog/examples"
)

// Example returns an object of the kind named example, from which users can start: that of examples.Of.
func (k *Kind) Example(ctx context.Context) *unstructured.Unstructured {
	texts := map[string]string{}
	for _, b := range k.bindings {
		if text := b.Target.Example(); text != "" {
			texts[b.Leaf.Path] = text
		}
	}
	spec, _ := examples.Of(ctx, k.schema.Structural, texts)
	object := &unstructured.Unstructured{Object: map[string]any{"spec": spec}}
	object.SetGroupVersionKind(k.GroupVersionKind())
	object.SetName("example")
	return object
}
