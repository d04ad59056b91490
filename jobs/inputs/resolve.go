// SPDX-License-Identifier: Apache-2.0

package inputs

import (
	"maps"
	"slices"
	"unicode/utf8"

	corev1 "k8s.io/api/core/v1"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
)

// Found are the objects that inputs refer to. Resolve does not change them.
type Found struct {
	// ConfigMap is the ConfigMap that source.configMapRef names. It is nil if it does not exist.
	ConfigMap *corev1.ConfigMap
	// Base is the Image that base.imageRef names. It is nil if it does not exist.
	Base *v1alpha1.Image
	// Revoked is the revocation of the build that the base selects, RevocationOf SelectedBuild. It is nil unless it is in effect.
	Revoked *v1alpha1.Revocation
	// Source are the checks of source.git or source.oci of the Image. It is nil if there was none.
	Source *v1alpha1.ImageSource
	// Kept reports whether the server keeps the content with a digest. If it is nil, Resolve takes no artifact of the base for lost.
	Kept func(digest string) bool
}

// Resolve resolves inputs with the objects that they refer to. The failure is SourceNotFound, SourceTooLarge, BaseNotFound or
// BaseRevoked, and its message has the remedy.
func Resolve(inputs v1alpha1.BuildInputs, found Found) (*v1alpha1.ResolvedInputs, *v1alpha1.BuildFailure) {
	resolved := &v1alpha1.ResolvedInputs{}
	if inputs.Source != nil && inputs.Source.ConfigMapRef != nil {
		files, failure := configMapFiles(inputs.Source.ConfigMapRef.Name, found.ConfigMap)
		if failure != nil {
			return nil, failure
		}
		resolved.Files = files
	}
	if Checked(inputs.Source) {
		found, failure := revisionOf(inputs.Source, found.Source)
		if failure != nil {
			return nil, failure
		}
		resolved.Source = found
	}
	files := Files(inputs, resolved)
	if size := SourceBytes(files); size > MaxSourceBytes {
		return nil, v1alpha1.ReasonSourceTooLarge.Failure(
			"%s has %d bytes of files as JSON, more than the limit of %d: make the files smaller",
			sourceName(found.ConfigMap), size, MaxSourceBytes)
	}
	if inputs.Base.ImageRef != nil {
		digest, base, failure := resolveBase(*inputs.Base.ImageRef, found.Base, inputs.Targets)
		if failure != nil {
			return nil, failure
		}
		if found.Revoked != nil {
			return nil, BaseRevoked(inputs.Base.ImageRef, base.Name, found.Revoked)
		}
		if lost := lostBase(*inputs.Base.ImageRef, base, found.Kept); lost != nil {
			return nil, lost
		}
		resolved.BaseDigest, resolved.Base = digest, base
	}
	resolved.InputsDigest = Digest(inputs, files, resolved.BaseDigest, Revision(resolved.Source))
	return resolved, nil
}

// configMapFiles returns a copy of the files of a ConfigMap, because a ConfigMap from a cache is shared.
func configMapFiles(name string, configMap *corev1.ConfigMap) (map[string]string, *v1alpha1.BuildFailure) {
	if configMap == nil {
		return nil, v1alpha1.ReasonSourceNotFound.Failure(
			"ConfigMap %q does not exist in the namespace: create it, or change source.configMapRef", name)
	}
	if keys := slices.Sorted(maps.Keys(configMap.BinaryData)); len(keys) > 0 {
		return nil, v1alpha1.ReasonSourceNotFound.Failure(
			"%s has the key %q in binaryData, but files must be text: move the key to data, or remove it", sourceName(configMap), keys[0])
	}
	for _, key := range slices.Sorted(maps.Keys(configMap.Data)) {
		if err := ValidFileName(key); err != nil {
			return nil, v1alpha1.ReasonSourceNotFound.Failure(
				"%s has the key %q, which is not a valid file name (%v): rename it", sourceName(configMap), key, err)
		}
		if !utf8.ValidString(configMap.Data[key]) {
			return nil, v1alpha1.ReasonSourceNotFound.Failure(
				"%s has the key %q, whose value is not UTF-8: convert the value, or remove the key", sourceName(configMap), key)
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
