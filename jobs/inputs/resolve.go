// SPDX-License-Identifier: Apache-2.0

package inputs

import (
	"maps"
	"slices"
	"unicode/utf8"

	corev1 "k8s.io/api/core/v1"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
)

// Resolve looks up what inputs refer to. configMap is the one that inputs.source.configMapRef names, nil if there is
// none of that name. The failure is SourceNotFound or SourceTooLarge, and its message says what to do.
func Resolve(inputs v1alpha1.BuildInputs, configMap *corev1.ConfigMap) (*v1alpha1.ResolvedInputs, *v1alpha1.BuildFailure) {
	resolved := &v1alpha1.ResolvedInputs{}
	if inputs.Source != nil && inputs.Source.ConfigMapRef != nil {
		files, failure := configMapFiles(inputs.Source.ConfigMapRef.Name, configMap)
		if failure != nil {
			return nil, failure
		}
		resolved.Files = files
	}
	files := Files(inputs, resolved)
	if size := SourceBytes(files); size > MaxSourceBytes {
		return nil, configFailure(v1alpha1.ReasonSourceTooLarge,
			"%s holds %d bytes of files, as JSON, and %d are the limit: make it smaller",
			sourceName(configMap), size, MaxSourceBytes)
	}
	resolved.InputsDigest = Digest(inputs, files)
	return resolved, nil
}

// configMapFiles are the files of a ConfigMap: a copy, because a ConfigMap from a cache is shared.
func configMapFiles(name string, configMap *corev1.ConfigMap) (map[string]string, *v1alpha1.BuildFailure) {
	if configMap == nil {
		return nil, configFailure(v1alpha1.ReasonSourceNotFound,
			"ConfigMap %q does not exist in the namespace: create it, or change source.configMapRef", name)
	}
	if keys := slices.Sorted(maps.Keys(configMap.BinaryData)); len(keys) > 0 {
		return nil, configFailure(v1alpha1.ReasonSourceNotFound,
			"%s holds %q as binaryData, and files are text: move it to data, or remove it", sourceName(configMap), keys[0])
	}
	for _, key := range slices.Sorted(maps.Keys(configMap.Data)) {
		if err := ValidFileName(key); err != nil {
			return nil, configFailure(v1alpha1.ReasonSourceNotFound,
				"%s has the key %q, which is no file name (%v): rename it", sourceName(configMap), key, err)
		}
		if !utf8.ValidString(configMap.Data[key]) {
			return nil, configFailure(v1alpha1.ReasonSourceNotFound,
				"%s holds %q, which is not UTF-8, and files are text: convert it, or remove it", sourceName(configMap), key)
		}
	}
	return maps.Clone(configMap.Data), nil
}

func sourceName(configMap *corev1.ConfigMap) string {
	if configMap == nil {
		return "source.inline"
	}
	return "ConfigMap " + configMap.Namespace + "/" + configMap.Name
}
