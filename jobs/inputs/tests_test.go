// SPDX-License-Identifier: Apache-2.0

package inputs

import (
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
)

func TestTheDigestOfTestsCountsWhatTheyTest(t *testing.T) {
	given := func() []v1alpha1.ImageTest {
		return []v1alpha1.ImageTest{
			{Name: "boots", Boot: &v1alpha1.TestBoot{}, Quarantine: &v1alpha1.TestQuarantine{Until: metav1.Unix(1, 0)}},
			{Name: "ours", Runner: &v1alpha1.TestRunner{Name: "ours"}},
		}
	}
	for what, c := range map[string]struct {
		change func(tests []v1alpha1.ImageTest)
		counts bool
	}{
		"nothing": {func([]v1alpha1.ImageTest) {}, false},
		"defaults": {func(tests []v1alpha1.ImageTest) {
			tests[0].Required, tests[0].Boot.Until = new(true), "multi-user.target"
		}, false},
		"another text": {func(tests []v1alpha1.ImageTest) {
			tests[0].Timeout = &v1alpha1.Duration{Duration: 5 * time.Minute, Written: "300s"}
		}, false},
		"another quantity": {func(tests []v1alpha1.ImageTest) { tests[0].Boot.Memory = &v1alpha1.Quantity{Text: "1024Mi"} }, false},
		"the order":        {func(tests []v1alpha1.ImageTest) { tests[0], tests[1] = tests[1], tests[0] }, false},
		"a reason":         {func(tests []v1alpha1.ImageTest) { tests[0].Quarantine.Reason = "a bug" }, false},
		"a timeout":        {func(tests []v1alpha1.ImageTest) { tests[0].Timeout = &v1alpha1.Duration{Duration: time.Minute} }, true},
		"more memory":      {func(tests []v1alpha1.ImageTest) { tests[0].Boot.Memory = &v1alpha1.Quantity{Text: "2Gi"} }, true},
		"no quantity":      {func(tests []v1alpha1.ImageTest) { tests[0].Boot.Memory = &v1alpha1.Quantity{Text: "much"} }, true},
		"a quarantine":     {func(tests []v1alpha1.ImageTest) { tests[0].Quarantine = nil }, true},
		"another runner":   {func(tests []v1alpha1.ImageTest) { tests[1].Runner.Name = "theirs" }, true},
	} {
		tests := given()
		c.change(tests)
		if counted := TestsDigest(tests) != TestsDigest(given()); counted != c.counts {
			t.Errorf("%s counts: %t", what, counted)
		}
	}
	if TestsDigest(nil) != "" {
		t.Error("no tests have a digest")
	}
}
