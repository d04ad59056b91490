// SPDX-License-Identifier: Apache-2.0

package api

import . "github.com/onsi/ginkgo/v2"

// describeWriting has every write.
func describeWriting(w *fixture) {
	Describe("what is written", func() {
		describeRefusals(w)
		describeCreation(w)
		describeUpdates(w)
		describePatches(w)
		describeApply(w)
		describeDryRun(w)
		describeDeletion(w)
		describeDependents(w)
		describeFieldValidation(w)
		describeWarnings(w)
		describeKubectlChanges(w)
		describeKubectlLifecycle(w)
	})
}

// describeStoredWrites has the writes whose outcome depends on the storage: conflicts, preconditions, dry runs, and what is left
// of an object.
func describeStoredWrites(w *fixture) {
	Describe("what is written", func() {
		describeCreation(w)
		describeUpdates(w)
		describePatches(w)
		describeApply(w)
		describeDryRun(w)
		describeDeletion(w)
		describeDependents(w)
	})
}

// describeForwardedWrites has the writes whose outcome depends on components besides the server: kube-apiserver forwards
// refusals and warnings, several replicas write at once, and Kubernetes itself collects dependents.
func describeForwardedWrites(w *fixture) {
	Describe("what is written", func() {
		describeRefusals(w)
		describeUpdates(w)
		describeDeletion(w)
		describeDependents(w)
		describeFieldValidation(w)
		describeWarnings(w)
		describeKubectlChanges(w)
		describeKubectlLifecycle(w)
	})
}
