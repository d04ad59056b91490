// SPDX-License-Identifier: Apache-2.0

package up

import "testing"

func TestTheLimitOfTheCacheOfTheBuilderIsAQuantity(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]int64{DefaultBuilderCacheMax: 5 << 30, "0": 0, "200Mi": 200 << 20, "-1": -1, "much": -1, "": -1} {
		got, err := parseBuilderCacheMax(text)
		if (err != nil) != (want < 0) || err == nil && got != want {
			t.Errorf("%q: %d, error %v", text, got, err)
		}
	}
}
