// SPDX-License-Identifier: Apache-2.0

package image

import (
	"fmt"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/apiserver/registry/validation"
)

// maxBases is how many Images an Image is based on at most, directly and through other Images. A write reads each of them.
const maxBases = 32

var baseName = spec.Child("base", "imageRef", "name")

// ValidateBases refuses an Image whose base would close a cycle of Images, and names the whole cycle. It also refuses an Image that is
// based on more than maxBases Images. get returns another Image of the namespace. A missing Image ends the search, because objects are applied in any order. So does a name that no Image
// can have.
func ValidateBases(image *v1alpha1.Image, get func(name string) (*v1alpha1.Image, error)) field.ErrorList {
	chain := []string{image.Name}
	seen := map[string]bool{}
	for next := image.Spec.Base.ImageRef; next != nil; {
		chain = append(chain, next.Name)
		if next.Name == image.Name {
			return field.ErrorList{cycleError(image.Spec.Base.ImageRef.Name, chain)}
		}
		if len(chain) > 1+maxBases {
			return field.ErrorList{depthError(image.Spec.Base.ImageRef.Name, chain)}
		}
		if seen[next.Name] || len(validation.ImageName(next.Name, baseName)) > 0 {
			return nil // a cycle that this Image is not part of, or an invalid name
		}
		seen[next.Name] = true
		base, err := get(next.Name)
		switch {
		case apierrors.IsNotFound(err):
			return nil
		case err != nil:
			return field.ErrorList{field.InternalError(baseName, fmt.Errorf("read image %s of the chain of bases: %w", next.Name, err))}
		}
		next = base.Spec.Base.ImageRef
	}
	return nil
}

func cycleError(name string, chain []string) *field.Error {
	return field.Invalid(baseName, name,
		fmt.Sprintf("Images cannot be based on each other in a cycle: %s; change the base of one of these Images", strings.Join(chain, " → ")))
}

func depthError(name string, chain []string) *field.Error {
	return field.Invalid(baseName, name, fmt.Sprintf("an Image can be based on at most %d other Images, directly and through each other: %s → … → %s → …; "+
		"choose a base that fewer Images lead to", maxBases, strings.Join(chain[:3], " → "), chain[len(chain)-1]))
}
