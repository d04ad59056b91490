// SPDX-License-Identifier: Apache-2.0

package times

import (
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

type Widget struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`

	Spec Spec `json:"spec"`
}

type Spec struct {
	Begin   *time.Time                 `json:"begin"`   // want `^Widget.spec.begin: time.Time is written with fractions and a zero of its own: use metav1.Time`
	Timeout time.Duration              `json:"timeout"` // want `^Widget.spec.timeout: time.Duration is written as a number of nanoseconds: use metav1.Duration`
	Waits   map[string][]time.Duration `json:"waits"`   // want `^Widget.spec.waits: time.Duration`
	End     *metav1.Time               `json:"end"`
}
