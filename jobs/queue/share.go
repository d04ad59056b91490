// SPDX-License-Identifier: Apache-2.0

package queue

import (
	"errors"
	"fmt"
	"strconv"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
)

// Bounds of the annotations of Namespaces.
const (
	maxWeight = 1000
	maxBuilds = 100_000
)

// ShareOf returns the share that the annotations of a Namespace set. It ignores an invalid annotation, which the error names.
func ShareOf(annotations map[string]string) (Share, error) {
	weight, errWeight := annotation(annotations, v1alpha1.AnnotationQueueWeight, 1, maxWeight)
	builds, errBuilds := annotation(annotations, v1alpha1.AnnotationMaxBuilds, 0, maxBuilds)
	share := Share{MaxBuilds: builds}
	if weight != nil {
		share.Weight = *weight
	}
	return share, errors.Join(errWeight, errBuilds)
}

// annotation returns the whole number in an annotation. It is nil if the annotation is missing, invalid or out of range.
func annotation(annotations map[string]string, name string, least, most int) (*int, error) {
	text, ok := annotations[name]
	if !ok {
		return nil, nil
	}
	number, err := strconv.Atoi(text)
	if err != nil || number < least || number > most {
		return nil, fmt.Errorf("annotation %s: %q is not a whole number from %d to %d", name, text, least, most)
	}
	return &number, nil
}
