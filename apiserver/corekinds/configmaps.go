// SPDX-License-Identifier: Apache-2.0

package corekinds

import (
	"context"
	"fmt"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/api/validation"
	"k8s.io/apimachinery/pkg/runtime"
	utilvalidation "k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"goldsmith.dev/goldsmith/apiserver/resources"
)

func configMapStorage(scope *resources.Scope) (resources.Storages, error) {
	store, err := resources.NewStore(scope, resources.Resource{
		New:        func() runtime.Object { return &corev1.ConfigMap{} },
		NewList:    func() runtime.Object { return &corev1.ConfigMapList{} },
		Resource:   corev1.Resource("configmaps"),
		Singular:   "configmap",
		ShortNames: []string{"cm"},
		Strategy:   configMapStrategy{resources.NewDefaultStrategy(scope.Scheme, corev1.SchemeGroupVersion)},
		Table:      configMapTable,
	})
	if err != nil {
		return nil, err
	}
	return resources.Storages{"": store}, nil
}

type configMapStrategy struct {
	resources.DefaultStrategy
}

// Validate checks the keys and the size.
func (configMapStrategy) Validate(_ context.Context, object runtime.Object) field.ErrorList {
	configMap, ok := object.(*corev1.ConfigMap)
	if !ok {
		return wrongType(object)
	}
	failures := validation.ValidateObjectMeta(&configMap.ObjectMeta, true, validation.NameIsDNSSubdomain, field.NewPath("metadata"))
	size := 0
	for key, value := range configMap.Data {
		failures = append(failures, validateConfigMapKey(field.NewPath("data"), key)...)
		if _, twice := configMap.BinaryData[key]; twice {
			failures = append(failures, field.Invalid(field.NewPath("data").Key(key), key, "duplicate of key present in binaryData"))
		}
		size += len(value)
	}
	for key, value := range configMap.BinaryData {
		failures = append(failures, validateConfigMapKey(field.NewPath("binaryData"), key)...)
		size += len(value)
	}
	if size > corev1.MaxSecretSize {
		failures = append(failures, field.TooLong(field.NewPath("data"), "", corev1.MaxSecretSize))
	}
	return failures
}

func validateConfigMapKey(path *field.Path, key string) field.ErrorList {
	if messages := utilvalidation.IsConfigMapKey(key); len(messages) > 0 {
		return field.ErrorList{field.Invalid(path.Key(key), key, strings.Join(messages, "; "))}
	}
	return nil
}

// content is a field of a ConfigMap or Secret that Immutable protects.
type content struct {
	name            string
	written, stored any
}

// validateImmutable refuses to change the contents of an immutable ConfigMap or Secret, and to make it mutable again.
func validateImmutable(written, stored *bool, contents ...content) (failures field.ErrorList) {
	const message = "field is immutable when `immutable` is set"
	if stored == nil || !*stored {
		return nil
	}
	if written == nil || !*written {
		failures = append(failures, field.Forbidden(field.NewPath("immutable"), message))
	}
	for _, content := range contents {
		if !equality.Semantic.DeepEqual(content.written, content.stored) {
			failures = append(failures, field.Forbidden(field.NewPath(content.name), message))
		}
	}
	return failures
}

// ValidateUpdate refuses to change what is immutable.
func (s configMapStrategy) ValidateUpdate(ctx context.Context, object, old runtime.Object) field.ErrorList {
	failures := s.Validate(ctx, object)
	configMap, ok := object.(*corev1.ConfigMap)
	stored, okOld := old.(*corev1.ConfigMap)
	if !ok || !okOld {
		return wrongType(object)
	}
	return append(failures, validateImmutable(configMap.Immutable, stored.Immutable,
		content{"data", configMap.Data, stored.Data}, content{"binaryData", configMap.BinaryData, stored.BinaryData})...)
}

// wrongType is a strategy's error for an object of another kind, which only a bug in this program can pass.
func wrongType(object runtime.Object) field.ErrorList {
	return field.ErrorList{field.InternalError(nil, fmt.Errorf("unexpected type %T", object))}
}
