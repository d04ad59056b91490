// SPDX-License-Identifier: Apache-2.0

package api

import . "github.com/onsi/ginkgo/v2"

func describeReading(w *world) {
	Describe("what is read", func() {
		describePages(w)
		describeVersions(w)
		describeWatches(w)
		describeWatchedSelections(w)
		describeWatchEnds(w)
		describeWatchLists(w)
		describeExpiry(w)
		describeSelectors(w)
		describeTables(w)
		describeMetadata(w)
		describeEncodings(w)
		describeProtobuf(w)
		describeDiscovery(w)
		describeOpenAPIv2(w)
		describeOpenAPIv3(w)
		describeSubresources(w)
		describeKubectls(w)
	})
}
