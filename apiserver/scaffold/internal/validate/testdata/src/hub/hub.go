// SPDX-License-Identifier: Apache-2.0

// +k8s:deepcopy-gen=package

// Package hub is a group's internal version, whose types have no JSON.
package hub

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
)

var SchemeGroupVersion = []string{"widgets.example.com", runtime.APIVersionInternal}

type Widget struct {
	metav1.TypeMeta
	metav1.ObjectMeta
	Size float64
}
