// SPDX-License-Identifier: Apache-2.0

package queue_test

import (
	"testing"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/jobs/queue"
)

func TestAnnotationsSayWhatANamespaceMayHave(t *testing.T) {
	for name, test := range map[string]struct {
		weight, builds string
		want           queue.Share
		limit          int // -1: none of its own
		err            string
	}{
		"none":               {limit: -1},
		"both":               {weight: "3", builds: "7", want: queue.Share{Weight: 3}, limit: 7},
		"it may run none":    {builds: "0", limit: 0},
		"the most":           {weight: "1000", builds: "100000", want: queue.Share{Weight: 1000}, limit: 100_000},
		"weight of 0":        {weight: "0", builds: "2", want: queue.Share{Weight: 1}, limit: 2, err: `annotation images.goldsmith.dev/queue-weight of the namespace counts as 1, because "0" is not a whole number from 1 to 1000: correct or remove it`},
		"weight is a word":   {weight: "much", want: queue.Share{Weight: 1}, limit: -1, err: `annotation images.goldsmith.dev/queue-weight of the namespace counts as 1, because "much" is not a whole number from 1 to 1000: correct or remove it`},
		"too much weight":    {weight: "1001", want: queue.Share{Weight: 1}, limit: -1, err: `annotation images.goldsmith.dev/queue-weight of the namespace counts as 1, because "1001" is not a whole number from 1 to 1000: correct or remove it`},
		"fewer than none":    {weight: "2", builds: "-1", want: queue.Share{Weight: 2}, limit: 0, err: `annotation images.goldsmith.dev/max-builds of the namespace counts as 0, because "-1" is not a whole number from 0 to 100000: correct or remove it`},
		"too many":           {builds: "100001", limit: 0, err: `annotation images.goldsmith.dev/max-builds of the namespace counts as 0, because "100001" is not a whole number from 0 to 100000: correct or remove it`},
		"a space":            {builds: "1 ", limit: 0, err: `annotation images.goldsmith.dev/max-builds of the namespace counts as 0, because "1 " is not a whole number from 0 to 100000: correct or remove it`},
		"not a whole number": {builds: "1.5", limit: 0, err: `annotation images.goldsmith.dev/max-builds of the namespace counts as 0, because "1.5" is not a whole number from 0 to 100000: correct or remove it`},
	} {
		t.Run(name, func(t *testing.T) {
			annotations := map[string]string{}
			if test.weight != "" {
				annotations[v1alpha1.AnnotationQueueWeight] = test.weight
			}
			if test.builds != "" {
				annotations[v1alpha1.AnnotationMaxBuilds] = test.builds
			}
			share, err := queue.ShareOf(annotations)
			limit := -1
			if share.MaxBuilds != nil {
				limit = *share.MaxBuilds
			}
			if share.Weight != test.want.Weight || limit != test.limit {
				t.Errorf("weight %d and limit %d, expected %d and %d", share.Weight, limit, test.want.Weight, test.limit)
			}
			if message := text(err); message != test.err || share.Problem != test.err {
				t.Errorf("the error is %q and the problem %q, expected %q", message, share.Problem, test.err)
			}
		})
	}
}

func text(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}
