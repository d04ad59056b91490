// SPDX-License-Identifier: Apache-2.0

package v1alpha1

// YAML 1.1 reads an unquoted on as true.
var renamedRetryFields = map[string]string{"spec.retry.on": "spec.retry.classes", "spec.retry.true": "spec.retry.classes"}

// RenamedFields returns the current path of each field that had another name.
func (*Image) RenamedFields() map[string]string { return renamedRetryFields }

// RenamedFields returns the current path of each field that had another name.
func (*ImageBuild) RenamedFields() map[string]string { return renamedRetryFields }

// RenamedFields returns the current path of each field that had another name.
func (*ImagePlan) RenamedFields() map[string]string { return renamedRetryFields }
