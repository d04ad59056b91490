// SPDX-License-Identifier: Apache-2.0

package image

import (
	"time"

	"k8s.io/apimachinery/pkg/util/validation/field"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/apiserver/registry/validation"
)

// Limits of history.
const (
	minHistoryTTL  = time.Minute
	maxHistoryTTL  = 87600 * time.Hour
	minLogMaxBytes = 64 << 10
	maxLogMaxBytes = 1 << 40
)

func validateHistory(history *v1alpha1.HistoryLimits, path *field.Path) field.ErrorList {
	if history == nil {
		return nil
	}
	errs := validateHistoryTTL(history.TTL, path.Child("ttl"))
	errs = append(errs, validateHistoryTTL(history.LogRetention, path.Child("logRetention"))...)
	errs = append(errs, validateLogMaxBytes(history.LogMaxBytes, path.Child("logMaxBytes"))...)
	errs = append(errs, validateHistoryTTL(history.RecordRetention, path.Child("recordRetention"))...)
	return append(errs, validation.Duration(history.FileRetention, minHistoryTTL, maxHistoryTTL, path.Child("fileRetention"))...)
}

func validateLogMaxBytes(limit *v1alpha1.Quantity, path *field.Path) field.ErrorList {
	if limit == nil {
		return nil
	}
	if errs := validation.QuantityText(*limit, path); len(errs) > 0 {
		return errs
	}
	if size := limit.Amount(); size.CmpInt64(minLogMaxBytes) < 0 || size.CmpInt64(maxLogMaxBytes) > 0 {
		return field.ErrorList{field.Invalid(path, limit.String(), "must be between 64Ki and 1Ti")}
	}
	return nil
}

func validateHistoryTTL(ttl *v1alpha1.HistoryTTL, path *field.Path) field.ErrorList {
	if ttl == nil {
		return nil
	}
	errs := validation.Duration(ttl.Succeeded, minHistoryTTL, maxHistoryTTL, path.Child("succeeded"))
	return append(errs, validation.Duration(ttl.Failed, minHistoryTTL, maxHistoryTTL, path.Child("failed"))...)
}
