// SPDX-License-Identifier: Apache-2.0

package catalog

import (
	"encoding/json"
	"slices"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/jobs/catalog/metadata"
)

// A View is an object of a kind, as it is read. It shares memory with the Image that it was read from: neither may be changed.
type View struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`
	// Spec has the fields of the kind, without defaults.
	Spec json.RawMessage `json:"spec"`
	// Status is the status of the Image without recentRequests, buildCounter, countedBuild and conformance.
	Status *v1alpha1.ImageStatus `json:"status,omitempty"`
}

// Get returns the object of the kind that an Image stores. A field whose value in the Image is not one that the kind can have is left
// out. The view shares memory with the Image. An error is a bug.
func (k *Kind) Get(image *v1alpha1.Image) (*View, error) {
	view := &View{ObjectMeta: metadata.View(&image.ObjectMeta)}
	view.APIVersion, view.Kind = k.apiVersion, k.declared.Spec.Names.Kind
	var err error
	if view.ManagedFields, err = k.owners.View(image.ManagedFields, &view.ObjectMeta); err != nil {
		return nil, err
	}
	if view.Spec, err = k.fields.AppendSpec(nil, &image.Spec); err != nil {
		return nil, err
	}
	status := image.Status
	status.RecentRequests, status.BuildCounter, status.CountedBuild, status.Conformance = nil, 0, 0, nil
	view.Status = &status
	return view, nil
}

// DeepCopyObject returns a copy that shares no memory with the view.
func (v *View) DeepCopyObject() runtime.Object {
	out := *v
	metadata := &v.ObjectMeta
	metadata.DeepCopyInto(&out.ObjectMeta)
	out.Spec = slices.Clone(v.Spec)
	out.Status = v.Status.DeepCopy()
	return &out
}

// Unstructured returns the view in the form that Put takes. It shares no memory with the view.
func (v *View) Unstructured() (*unstructured.Unstructured, error) {
	object, err := runtime.DefaultUnstructuredConverter.ToUnstructured(v)
	return &unstructured.Unstructured{Object: object}, err
}

// A ViewList is a list of objects of a kind.
type ViewList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []View `json:"items"`
}

// DeepCopyObject returns a copy that shares no memory with the list.
func (l *ViewList) DeepCopyObject() runtime.Object {
	out := *l
	metadata := &l.ListMeta
	metadata.DeepCopyInto(&out.ListMeta)
	out.Items = make([]View, len(l.Items))
	for i := range l.Items {
		out.Items[i] = *l.Items[i].DeepCopyObject().(*View)
	}
	return &out
}
