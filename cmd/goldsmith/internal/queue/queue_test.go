// SPDX-License-Identifier: Apache-2.0

package queue

import (
	"bytes"
	"errors"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	clienttesting "k8s.io/client-go/testing"
	testingclock "k8s.io/utils/clock/testing"

	"goldsmith.dev/goldsmith/apis/generated/clientset/versioned/fake"
	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/cmd/goldsmith/internal/client"
	"goldsmith.dev/goldsmith/cmd/goldsmith/internal/output"
	"goldsmith.dev/goldsmith/e2e/require"
)

var noon = time.Date(2026, time.May, 1, 12, 0, 0, 0, time.UTC)

func ago(d time.Duration) *metav1.Time {
	return &metav1.Time{Time: noon.Add(-d)}
}

func queued(namespace, name string, status v1alpha1.QueuedBuildStatus) *v1alpha1.QueuedBuild {
	return &v1alpha1.QueuedBuild{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name, CreationTimestamp: *ago(time.Hour)}, Status: status}
}

// waiters returns builds in the order of their names, as the server lists them.
func waiters() []runtime.Object {
	return []runtime.Object{
		queued("team", "alpine-1", v1alpha1.QueuedBuildStatus{Position: 10, ImageName: "alpine",
			Message: "the namespace has reached its limit of active builds (2)"}),
		queued("team", "debian-7", v1alpha1.QueuedBuildStatus{Position: 2, ImageName: "debian", Priority: 100, QueuedTime: ago(90 * time.Second),
			EstimatedStartTime: ago(-5 * time.Minute), Message: "an earlier build of the image has not finished"}),
		queued("other", "once", v1alpha1.QueuedBuildStatus{Position: 1, QueuedTime: ago(2 * time.Minute), EstimatedStartTime: ago(time.Second),
			Message: "Goldsmith has reached its limit of active builds (8)"}),
	}
}

func TestShowsTheQueueInItsOrder(t *testing.T) {
	for _, test := range []struct {
		name        string
		namespace   string
		asked       options
		builds      []runtime.Object
		out, stderr string
	}{
		{name: "a namespace", namespace: "team", builds: waiters(), out: `
POSITION   NAME       IMAGE    PRIORITY   WAITING   STARTS      WHY
2          debian-7   debian   100        90s       in 5m       an earlier build of the image has not finished
10         alpine-1   alpine   0          60m       <unknown>   the namespace has reached its limit of active builds (2)
`},
		{name: "all namespaces", namespace: "team", asked: options{Selection: client.Selection{AllNamespaces: true}}, builds: waiters(), out: `
POSITION   NAMESPACE   NAME       IMAGE    PRIORITY   WAITING   STARTS      WHY
1          other       once       <none>   0          2m        now         Goldsmith has reached its limit of active builds (8)
2          team        debian-7   debian   100        90s       in 5m       an earlier build of the image has not finished
10         team        alpine-1   alpine   0          60m       <unknown>   the namespace has reached its limit of active builds (2)
`},
		{name: "names", namespace: "team", asked: options{format: output.Name}, builds: waiters(), out: `
queuedbuild.images.goldsmith.dev/debian-7
queuedbuild.images.goldsmith.dev/alpine-1
`},
		{name: "no build with a label", namespace: "team", asked: options{Selection: client.Selection{Labels: "a=b"}}, builds: waiters(), stderr: "no such build is queued\n"},
		{name: "nothing in a namespace", namespace: "empty", builds: waiters(), stderr: "no build is queued in namespace empty\n"},
		{name: "nothing at all", namespace: "team", asked: options{Selection: client.Selection{AllNamespaces: true}}, stderr: "no build is queued\n"},
		{name: "nothing for programs", namespace: "empty", asked: options{format: output.YAML}, out: `
apiVersion: images.goldsmith.dev/v1alpha1
items: []
kind: QueuedBuildList
metadata:
  resourceVersion: "1"
`},
	} {
		t.Run(test.name, func(t *testing.T) {
			connection := &client.Connection{Interface: fake.NewClientset(test.builds...), Namespace: test.namespace}
			var out, stderr bytes.Buffer
			require.NoError(t, run(t.Context(), connection, &test.asked, testingclock.NewFakePassiveClock(noon), &out, &stderr))
			if want := strings.TrimPrefix(test.out, "\n"); out.String() != want || stderr.String() != test.stderr {
				t.Errorf("got %s(%s)\nwant %s(%s)", &out, &stderr, want, test.stderr)
			}
		})
	}
}

func TestWhatTheServerRefusesIsSaid(t *testing.T) {
	clients := fake.NewClientset()
	clients.PrependReactor("list", "queuedbuilds", func(clienttesting.Action) (bool, runtime.Object, error) {
		return true, nil, errors.New("forbidden")
	})
	err := run(t.Context(), &client.Connection{Interface: clients, Namespace: "team"}, &options{}, testingclock.NewFakePassiveClock(noon), &bytes.Buffer{}, &bytes.Buffer{})
	if err == nil || err.Error() != "list the queued builds: forbidden" {
		t.Errorf("got error %v", err)
	}
}
