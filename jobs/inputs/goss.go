// SPDX-License-Identifier: Apache-2.0

package inputs

import (
	"errors"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/yaml"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
)

// CheckGoss returns why a file cannot be what the program goss validates, or nil: a mapping in YAML that is not empty.
func CheckGoss(content string) error {
	var read any
	if err := yaml.UnmarshalStrict([]byte(content), &read); err != nil {
		return errors.New("is not YAML: " + v1alpha1.Escape(err.Error()))
	}
	switch mapping, is := read.(map[string]any); {
	case read == nil, is && len(mapping) == 0:
		return errors.New("is empty: list what goss is to validate, such as service or port")
	case !is:
		return errors.New("must be a mapping in YAML, whose keys are resources of goss, such as service or port")
	}
	return nil
}

// CheckTestFiles returns why the files of tests cannot be used, or nil. The reason is TestsNotPossible. The validation of an Image finds this in
// inline files, but knows no files of a ConfigMap.
func CheckTestFiles(tests []v1alpha1.ImageTest, inputs v1alpha1.BuildInputs, resolved *v1alpha1.ResolvedInputs) *v1alpha1.BuildFailure {
	source := "source.inline"
	if inputs.Source != nil && inputs.Source.ConfigMapRef != nil {
		source = "ConfigMap " + inputs.Source.ConfigMapRef.Name
	}
	files := Files(inputs, resolved)
	for i := range tests {
		test := &tests[i]
		content, found := files[test.Goss]
		switch {
		case test.Goss == "":
		case !found:
			return v1alpha1.ReasonTestsNotPossible.Failure("test %s: %s has no file %q: add the file, or correct goss of the test", test.Name, source, test.Goss)
		default:
			if err := CheckGoss(content); err != nil {
				return v1alpha1.ReasonTestsNotPossible.Failure("test %s: the file %q of %s %v", test.Name, test.Goss, source, err)
			}
		}
	}
	return nil
}

// NextBuild returns the part of the next build of an Image, at a time, that decides which of its tests gate.
func NextBuild(image *v1alpha1.Image, now metav1.Time) *v1alpha1.ImageBuild {
	return &v1alpha1.ImageBuild{
		ObjectMeta: metav1.ObjectMeta{Namespace: image.Namespace, CreationTimestamp: now},
		Spec:       v1alpha1.ImageBuildSpec{Inputs: image.Spec.BuildInputs, Tests: image.Spec.Tests},
	}
}
