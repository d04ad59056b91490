// SPDX-License-Identifier: Apache-2.0

package documents

import (
	"testing"
	"time"
)

func TestFilesAreReadOnceTheyAreQuietOrAfterTheLongestTime(t *testing.T) {
	t.Parallel()
	unread, start := changes{}, time.Unix(1, 0)
	for _, test := range []struct{ after, want time.Duration }{
		{0, SettleTime}, {longest - SettleTime, SettleTime}, {longest - time.Millisecond, time.Millisecond}, {longest + time.Second, -time.Second},
	} {
		if got := unread.add(start.Add(test.after)); got != test.want {
			t.Errorf("a change after %s: due after %s, want %s", test.after, got, test.want)
		}
	}
	unread = changes{}
	if got := unread.add(start.Add(time.Hour)); got != SettleTime {
		t.Errorf("the first change after a reading: due after %s", got)
	}
}
