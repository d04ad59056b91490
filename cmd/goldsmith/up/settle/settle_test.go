// SPDX-License-Identifier: Apache-2.0

package settle

import (
	"testing"
	"time"
)

func TestFilesAreReadOnceTheyAreQuietOrAfterTheLongestTime(t *testing.T) {
	t.Parallel()
	changes, start := Changes{}, time.Unix(1, 0)
	for _, test := range []struct{ after, want time.Duration }{
		{0, Time}, {Longest - Time, Time}, {Longest - time.Millisecond, time.Millisecond}, {Longest + time.Second, -time.Second},
	} {
		if got := changes.Add(start.Add(test.after)); got != test.want {
			t.Errorf("a change after %s: due after %s, want %s", test.after, got, test.want)
		}
	}
	changes = Changes{}
	if got := changes.Add(start.Add(time.Hour)); got != Time {
		t.Errorf("the first change after a reading: due after %s", got)
	}
}
