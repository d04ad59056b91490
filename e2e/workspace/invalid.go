// SPDX-License-Identifier: Apache-2.0

package workspace

import (
	"errors"
	"net/http"

	. "github.com/onsi/gomega"
	"github.com/onsi/gomega/types"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
)

// BeInvalid matches a 422 that names exactly these fields.
func BeInvalid(fields ...string) types.GomegaMatcher {
	return WithTransform(func(err error) []string {
		var status apierrors.APIStatus
		if !errors.As(err, &status) || status.Status().Code != http.StatusUnprocessableEntity || status.Status().Details == nil {
			return nil
		}
		var named []string
		for _, cause := range status.Status().Details.Causes {
			named = append(named, cause.Field)
		}
		return named
	}, ConsistOf(fields))
}
