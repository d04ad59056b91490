// SPDX-License-Identifier: Apache-2.0

package corekinds

import (
	"context"
	"encoding/json"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/validation"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"goldsmith.dev/goldsmith/apiserver/resources"
)

func secretStorage(scope *resources.Scope) (resources.Storages, error) {
	store, err := resources.NewStore(scope, resources.Resource{
		New:        func() runtime.Object { return &corev1.Secret{} },
		NewList:    func() runtime.Object { return &corev1.SecretList{} },
		Resource:   corev1.Resource("secrets"),
		Singular:   "secret",
		Strategy:   secretStrategy{resources.NewDefaultStrategy(scope.Scheme, corev1.SchemeGroupVersion)},
		Table:      secretTable,
		Attributes: attributes(secretFields),
	})
	if err != nil {
		return nil, err
	}
	return resources.Storages{"": store}, nil
}

// defaultSecret sets the type, and moves stringData to data. A kube-apiserver does the latter when it converts the object to its
// internal version, which is the public one here.
func defaultSecret(secret *corev1.Secret) {
	setDefault(&secret.Type, corev1.SecretTypeOpaque)
	if len(secret.StringData) > 0 && secret.Data == nil {
		secret.Data = map[string][]byte{}
	}
	for key, text := range secret.StringData {
		secret.Data[key] = []byte(text)
	}
	secret.StringData = nil
}

type secretStrategy struct {
	resources.DefaultStrategy
}

// Validate checks the keys, the size, and that the data fit the type. Its messages have no data.
func (secretStrategy) Validate(_ context.Context, object runtime.Object) field.ErrorList {
	secret, ok := object.(*corev1.Secret)
	if !ok {
		return wrongType(object)
	}
	failures := validation.ValidateObjectMeta(&secret.ObjectMeta, true, validation.NameIsDNSSubdomain, field.NewPath("metadata"))
	path := field.NewPath("data")
	size := 0
	for key, value := range secret.Data {
		failures = append(failures, validateConfigMapKey(path, key)...)
		size += len(value)
	}
	if size > corev1.MaxSecretSize {
		failures = append(failures, field.TooLong(path, "", corev1.MaxSecretSize))
	}
	return append(failures, validateSecretType(secret, path)...)
}

// validateSecretType checks that the data fit the type, as a kube-apiserver does.
func validateSecretType(secret *corev1.Secret, path *field.Path) (failures field.ErrorList) {
	require := func(keys ...string) {
		for _, key := range keys {
			if _, found := secret.Data[key]; !found {
				failures = append(failures, field.Required(path.Key(key), ""))
			}
		}
	}
	requireJSON := func(key string) {
		require(key)
		if value, found := secret.Data[key]; found && json.Unmarshal(value, &map[string]any{}) != nil {
			failures = append(failures, field.Invalid(path.Key(key), "<secret contents redacted>", "must be a JSON object"))
		}
	}
	switch secret.Type {
	case corev1.SecretTypeServiceAccountToken:
		if secret.Annotations[corev1.ServiceAccountNameKey] == "" {
			failures = append(failures, field.Required(field.NewPath("metadata", "annotations").Key(corev1.ServiceAccountNameKey), ""))
		}
	case corev1.SecretTypeDockercfg:
		requireJSON(corev1.DockerConfigKey)
	case corev1.SecretTypeDockerConfigJson:
		requireJSON(corev1.DockerConfigJsonKey)
	case corev1.SecretTypeBasicAuth:
		_, username := secret.Data[corev1.BasicAuthUsernameKey]
		_, password := secret.Data[corev1.BasicAuthPasswordKey]
		if !username && !password { // one of them suffices
			require(corev1.BasicAuthUsernameKey, corev1.BasicAuthPasswordKey)
		}
	case corev1.SecretTypeSSHAuth:
		if len(secret.Data[corev1.SSHAuthPrivateKey]) == 0 {
			failures = append(failures, field.Required(path.Key(corev1.SSHAuthPrivateKey), ""))
		}
	case corev1.SecretTypeTLS:
		require(corev1.TLSCertKey, corev1.TLSPrivateKeyKey)
	}
	return failures
}

// ValidateUpdate refuses to change the type, and what is immutable.
func (s secretStrategy) ValidateUpdate(ctx context.Context, object, old runtime.Object) field.ErrorList {
	failures := s.Validate(ctx, object)
	secret, ok := object.(*corev1.Secret)
	stored, okOld := old.(*corev1.Secret)
	if !ok || !okOld {
		return wrongType(object)
	}
	failures = append(failures, validation.ValidateImmutableField(secret.Type, stored.Type, field.NewPath("type"))...)
	return append(failures, validateImmutable(secret.Immutable, stored.Immutable, content{"data", secret.Data, stored.Data})...)
}
