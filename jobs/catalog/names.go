// SPDX-License-Identifier: Apache-2.0

package catalog

import (
	"strings"

	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
)

// namesOf returns the names of a kind, with those that it leaves to defaults.
func namesOf(declared *v1alpha1.ImageKind) apiextensionsv1.CustomResourceDefinitionNames {
	names := declared.Spec.Names
	singular := names.Singular
	if singular == "" {
		singular = strings.ToLower(names.Kind)
	}
	return apiextensionsv1.CustomResourceDefinitionNames{
		Plural: declared.Name, Singular: singular, ShortNames: names.ShortNames,
		Kind: names.Kind, ListKind: names.Kind + "List", Categories: names.Categories,
	}
}
