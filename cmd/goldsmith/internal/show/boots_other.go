// SPDX-License-Identifier: Apache-2.0

//go:build !linux

package show

import "goldsmith.dev/goldsmith/apis/images/v1alpha1"

func boots(*v1alpha1.ImageBuild) bool { return false }
