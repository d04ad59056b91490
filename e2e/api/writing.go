// SPDX-License-Identifier: Apache-2.0

package api

import . "github.com/onsi/ginkgo/v2"

// describeWriting says what becomes of objects that are sent.
func describeWriting(w *world) {
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
		describeKubectlLives(w)
	})
}
