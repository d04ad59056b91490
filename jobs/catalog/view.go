// SPDX-License-Identifier: Apache-2.0

package catalog

import (
	"encoding/json"
	"slices"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
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
