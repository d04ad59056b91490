// SPDX-License-Identifier: Apache-2.0

package image

import (
	"fmt"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
)

func TestRequestsAreRememberedForADayUpToALimit(t *testing.T) {
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	asked := func(count int, ago time.Duration) []v1alpha1.BuildRequestRecord {
		records := make([]v1alpha1.BuildRequestRecord, count)
		for i := range records {
			records[i] = v1alpha1.BuildRequestRecord{RequestID: fmt.Sprintf("%s ago-%d", ago, i), RequestTime: &metav1.Time{Time: now.Add(-ago)}}
		}
		return records
	}
	for name, c := range map[string]struct {
		stored        []v1alpha1.BuildRequestRecord
		after         time.Duration
		count         int
		oldest, early string
	}{
		"none":                              {count: 1, oldest: "new"},
		"a day has not passed":              {stored: asked(100, remembered), count: 101, oldest: "24h0m0s ago-0"},
		"a second less than a day":          {stored: asked(100, remembered), after: time.Second - 1, count: 101, oldest: "24h0m0s ago-0"},
		"a day has passed":                  {stored: asked(100, remembered), after: time.Second, count: 32, oldest: "24h0m0s ago-69"},
		"a day has passed for some":         {stored: append(asked(100, 25*time.Hour), asked(50, time.Hour)...), count: 51, oldest: "1h0m0s ago-0"},
		"few, and long ago":                 {stored: asked(31, 1000*time.Hour), count: 32, oldest: "1000h0m0s ago-0"},
		"the limit":                         {stored: asked(499, time.Minute), count: 500, oldest: "1m0s ago-0"},
		"more than the limit":               {stored: asked(500, time.Minute), count: 500, oldest: "1m0s ago-1", early: "1m0s ago-0"},
		"more than the limit, and long ago": {stored: append(asked(100, 25*time.Hour), asked(450, time.Hour)...), count: 451, oldest: "1h0m0s ago-0"},
	} {
		recent, early := remember(c.stored, v1alpha1.BuildRequestRecord{RequestID: "new"}, now.Add(c.after))
		forgotten := ""
		if early != nil {
			forgotten = early.RequestID
		}
		if len(recent) != c.count || recent[0].RequestID != c.oldest || forgotten != c.early {
			t.Errorf("%s: %d requests from %q, forgot %q early; want %d from %q, and %q", name, len(recent), recent[0].RequestID, forgotten, c.count, c.oldest, c.early)
		}
		if last := recent[len(recent)-1]; last.RequestID != "new" || !last.RequestTime.Time.Equal(now.Add(c.after).Truncate(time.Second)) {
			t.Errorf("%s: the new request is %+v", name, last)
		}
		for _, record := range recent {
			if record.RequestTime == nil {
				t.Errorf("%s: %q has no time", name, record.RequestID)
			}
		}
	}
}
