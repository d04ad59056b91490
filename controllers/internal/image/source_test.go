// SPDX-License-Identifier: Apache-2.0

package image

import (
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"k8s.io/client-go/tools/record"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/controllers/internal/metrics"
	"goldsmith.dev/goldsmith/controllers/internal/reconciliation"
	"goldsmith.dev/goldsmith/e2e/require"
)

func TestFailuresOfChecksAreTold(t *testing.T) {
	t.Parallel()
	denied, unavailable := v1alpha1.ReasonSourceDenied.Failure("who are you?"), v1alpha1.ReasonSourceUnavailable.Failure("it hangs")
	checks := func(failures ...*v1alpha1.BuildFailure) (all []*v1alpha1.ImageSource) {
		all = append(all, &v1alpha1.ImageSource{Question: "one", Checks: 1, Ended: 1})
		for i, failure := range failures {
			next := &v1alpha1.ImageSource{Question: "one", Checks: int64(i) + 2, Ended: int64(i) + 2, Failure: failure}
			if failure != nil {
				next.ConsecutiveFailures = all[i].ConsecutiveFailures + 1
			}
			all = append(all, next)
		}
		return all
	}
	running := checks()[0]
	running.Checks++
	other := checks(denied)
	other[1].Question = "another"
	for name, test := range map[string]struct {
		checks []*v1alpha1.ImageSource
		want   int
	}{
		"refused once":                     {checks(denied, denied, denied), 1},
		"refused again":                    {checks(denied, nil, denied), 2},
		"no answer once":                   {checks(unavailable, nil, unavailable), 0},
		"no answer twice":                  {checks(unavailable, unavailable, unavailable), 1},
		"refused, which had not answered":  {checks(unavailable, denied), 1},
		"no check has ended":               {append(checks(), running), 0},
		"the source is another since then": {other, 0},
	} {
		events := record.NewFakeRecorder(10)
		r := &reconciler{Options: Options{SourceChecks: require.Value(metrics.NewSourceChecks(prometheus.NewRegistry()))(t), Options: reconciliation.Options{Events: events}}}
		image := &v1alpha1.Image{}
		for _, next := range test.checks {
			r.tellCheck(image, next)
			image.Status.Source = next
		}
		if len(events.Events) != test.want {
			t.Errorf("%s: %d events, want %d", name, len(events.Events), test.want)
		}
		for range test.want {
			if event := <-events.Events; !strings.HasPrefix(event, "Warning SourceCheckFailed Source") {
				t.Errorf("%s: %s", name, event)
			}
		}
	}
}
