// SPDX-License-Identifier: Apache-2.0

// Package resource has what the rules know of the real package of this path.
package resource

type Quantity struct {
	Format string
}

func (Quantity) MarshalJSON() ([]byte, error) { return nil, nil }
