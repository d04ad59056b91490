// SPDX-License-Identifier: Apache-2.0

package status

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime"
	clienttesting "k8s.io/client-go/testing"
	testingclock "k8s.io/utils/clock/testing"

	"goldsmith.dev/goldsmith/apis/generated/clientset/versioned/fake"
	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/cmd/goldsmith/internal/client"
	"goldsmith.dev/goldsmith/cmd/goldsmith/internal/output"
)

func TestAWatchShowsEachChangeUntilItEnds(t *testing.T) {
	const ready, down = "✓ 1 image is ready; no build waits\n", "list the images of all namespaces: restarting: trying again\n"
	for name, test := range map[string]struct {
		style output.Style
		want  string
	}{
		"below on a file":        {output.Style{}, ready + "\n" + down + "\n" + ready},
		"in place on a terminal": {output.Style{Rewrites: true}, cleared + ready + cleared + down + cleared + ready},
	} {
		t.Run(name, func(t *testing.T) {
			ctx, stop := context.WithCancel(t.Context())
			clients, lists := fake.NewClientset(good("a")), 0
			clients.PrependReactor("list", "images", func(clienttesting.Action) (bool, runtime.Object, error) {
				switch lists++; lists {
				case 3:
					return true, nil, apierrors.NewServiceUnavailable("restarting")
				case 5:
					stop()
				}
				return false, nil, nil
			})
			var out bytes.Buffer
			err := watch(ctx, &client.Connection{Interface: clients, Namespace: "team"}, &options{style: test.style}, impatient{testingclock.NewFakeClock(noon)}, &out, t.Output())
			if err != nil || out.String() != test.want {
				t.Errorf("got error %v and %q, want %q", err, &out, test.want)
			}
		})
	}
}

func TestAWatchFailsAtItsStartAndForGood(t *testing.T) {
	for name, failure := range map[string]error{
		"the server is down":    apierrors.NewServiceUnavailable("down"),
		"the user may not list": apierrors.NewForbidden(v1alpha1.Resource("images"), "", errors.New("no")),
	} {
		clients := fake.NewClientset()
		clients.PrependReactor("list", "images", func(clienttesting.Action) (bool, runtime.Object, error) { return true, nil, failure })
		err := watch(t.Context(), &client.Connection{Interface: clients, Namespace: "team"}, &options{namespace: "team"}, impatient{testingclock.NewFakeClock(noon)}, t.Output(), t.Output())
		if !errors.Is(err, failure) || strings.Contains(err.Error(), "again") {
			t.Errorf("%s: got error %v", name, err)
		}
	}
}

// impatient is a clock that does not wait.
type impatient struct{ *testingclock.FakeClock }

func (i impatient) After(time.Duration) <-chan time.Time {
	now := make(chan time.Time, 1)
	now <- i.Now()
	return now
}
