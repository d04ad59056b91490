// SPDX-License-Identifier: Apache-2.0

package library

import (
	"context"
	"fmt"

	"k8s.io/apimachinery/pkg/util/validation/field"
)

// NamespaceScoped returns false: a loan request has no namespace.
func (*LoanRequest) NamespaceScoped() bool { return false }

// Validate checks the question.
func (r *LoanRequest) Validate(context.Context) field.ErrorList {
	if days := r.Spec.Days; days < 1 || days > maxLoanDays {
		return field.ErrorList{field.Invalid(field.NewPath("spec", "days"), days, fmt.Sprintf("must be 1 to %d", maxLoanDays))}
	}
	return nil
}
