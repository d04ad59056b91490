// SPDX-License-Identifier: Apache-2.0

package api

import . "github.com/onsi/ginkgo/v2"

func describeReading(w *fixture) {
	Describe("what is read", func() {
		describeRepliesOfStorage(w)
		describeSelectors(w)
		describeMetadata(w)
		describeRepliesInTransit(w)
	})
}

// describeStoredReads has the reads whose answer depends on the storage.
func describeStoredReads(w *fixture) {
	Describe("what is read", func() {
		describeRepliesOfStorage(w)
		describeSelectors(w)
		describeMetadata(w)
	})
}

// describeForwardedReads has the reads whose answer depends on the proxies between client and server, or on the replica that answers.
func describeForwardedReads(w *fixture) {
	Describe("what is read", func() {
		describeRepliesOfStorage(w)
		describeRepliesInTransit(w)
	})
}

// describeRepliesOfStorage depends on the storage, and on which replica's cache of it answers.
func describeRepliesOfStorage(w *fixture) {
	describePages(w)
	describeVersions(w)
	describeWatches(w)
	describeWatchedSelections(w)
	describeWatchEnds(w)
	describeWatchLists(w)
	describeExpiry(w)
}

// describeRepliesInTransit depends on how an answer is encoded, merged and forwarded.
func describeRepliesInTransit(w *fixture) {
	describeTables(w)
	describeEncodings(w)
	describeProtobuf(w)
	describeDiscovery(w)
	describeOpenAPIv2(w)
	describeOpenAPIv3(w)
	describeSubresources(w)
	describeKubectlReleases(w)
}
