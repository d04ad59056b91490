// SPDX-License-Identifier: Apache-2.0

package queue

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
)

// Bounds of the annotations of Namespaces.
const (
	maxWeight = 1000
	maxBuilds = 100_000
	// maxQuoted is how many characters of an invalid value are quoted.
	maxQuoted = 32
)

// ShareOf returns the share that the annotations of a Namespace set. An invalid annotation counts as the strictest value: a limit
// with a typing error must not become no limit. The error names each invalid annotation, and so does Share.Problem.
func ShareOf(annotations map[string]string) (Share, error) {
	weight, errWeight := annotation(annotations, v1alpha1.AnnotationQueueWeight, 1, maxWeight)
	builds, errBuilds := annotation(annotations, v1alpha1.AnnotationMaxBuilds, 0, maxBuilds)
	share, err := Share{MaxBuilds: builds}, errors.Join(errBuilds, errWeight)
	if weight != nil {
		share.Weight = *weight
	}
	if err != nil {
		share.Problem = strings.ReplaceAll(err.Error(), "\n", "; ")
	}
	return share, err
}

// annotation returns the whole number in an annotation. It is nil if the annotation is missing, and strictest if the annotation is
// invalid or out of range.
func annotation(annotations map[string]string, name string, strictest, most int) (*int, error) {
	text, ok := annotations[name]
	if !ok {
		return nil, nil
	}
	number, err := strconv.Atoi(text)
	if err != nil || number < strictest || number > most {
		return &strictest, fmt.Errorf("annotation %s of the namespace counts as %d, because %.*q is not a whole number from %d to %d: correct or remove it",
			name, strictest, maxQuoted, text, strictest, most)
	}
	return &number, nil
}
