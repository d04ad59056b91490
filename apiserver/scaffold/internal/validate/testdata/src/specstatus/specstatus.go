// SPDX-License-Identifier: Apache-2.0

package specstatus

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

type Widget struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`

	Spec   WidgetSpec   `json:"spec"`
	Status WidgetStatus `json:"status,omitempty"`
	Size   int32        `json:"size"`  // want `^Widget.size: lies beside spec and status: move what is desired into spec`
	Phase  string       `json:"phase"` // want `^Widget.phase: observed state belongs in status: move it there$`
}

type WidgetSpec struct {
	Size               int32 `json:"size"`
	ObservedGeneration int64 `json:"observedGeneration"` // want `^Widget.spec.observedGeneration: observed state belongs in status, not in spec`
}

type WidgetStatus struct {
	ObservedGeneration int64 `json:"observedGeneration"`
}

// Settings have neither a spec nor a status, as a ConfigMap.
type Settings struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`

	Data       map[string]string  `json:"data"`
	Conditions []metav1.Condition `json:"conditions"` // want `^Settings.conditions: observed state belongs in status`
}
