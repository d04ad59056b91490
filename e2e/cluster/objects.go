// SPDX-License-Identifier: Apache-2.0

package cluster

import (
	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/e2e/workspace"
)

// NewImage returns an Image of workspace.NewImage that keeps every build.
func NewImage(name string, parameters ...string) *v1alpha1.Image {
	image := workspace.NewImage(name, parameters...)
	image.Spec.History = &v1alpha1.HistoryLimits{Succeeded: new(int32(100)), Failed: new(int32(100))}
	return image
}
