// SPDX-License-Identifier: Apache-2.0

package enums

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

type Widget struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`
}

// Colour of a widget.
// +enum
type Colour string

const (
	// ColourRed is red.
	ColourRed   Colour = "Red"
	ColourGreen Colour = "Green" // want `^Colour: 2 of its values have no documentation, beginning with ColourGreen: say in a comment above each`
	ColourBlue  Colour = "Blue"
)

// Shape of a widget.
// +enum
type Shape string // want `^Shape: is marked \+enum and has no constants: declare one for each value$`

// OldShape is another name.
// +enum
type OldShape = Shape

// Text is no enumeration.
type Text string

const Empty Text = ""
