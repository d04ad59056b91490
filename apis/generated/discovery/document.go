// SPDX-License-Identifier: Apache-2.0

// Package discovery lists the resources that the server serves, as clients discover them. Only this file is not generated.
package discovery

import (
	_ "embed" // for the document
	"encoding/json"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

//go:embed v1alpha1.json
var document []byte

// Resources returns the resources and the subresources of the API, in the order of their names.
func Resources() ([]metav1.APIResource, error) {
	var list metav1.APIResourceList
	err := json.Unmarshal(document, &list)
	return list.APIResources, err
}
