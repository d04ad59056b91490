// SPDX-License-Identifier: Apache-2.0

package history

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/e2e/require"
)

var noonAbroad = time.Date(2030, 1, 2, 12, 0, 0, 0, time.FixedZone("", 3600))

func TestDurationsAreBeforeTheFirstPage(t *testing.T) {
	options := &v1alpha1.ImageHistoryOptions{Since: "2h", Until: "2030-01-02T11:30:00+01:00"}
	first, err := startOf(options, noonAbroad)
	require.NoError(t, err)
	want := &historyStart{
		Since: noonAbroad.Add(-2 * time.Hour).UTC(), Until: noonAbroad.Add(-30 * time.Minute).UTC(), Asked: [2]string{options.Since, options.Until},
	}
	if diff := cmp.Diff(want, first); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if options.Continue, err = first.next("of the records"); err != nil {
		t.Fatal(err)
	}
	second, err := startOf(options, noonAbroad.Add(time.Hour))
	require.NoError(t, err)
	want.Continue = "of the records"
	if diff := cmp.Diff(want, second); diff != "" {
		t.Errorf("an hour later (-want +got):\n%s", diff)
	}
	for _, other := range []v1alpha1.ImageHistoryOptions{{Since: "3h", Until: options.Until}, {Since: "2h"}, {}} {
		other.Continue = options.Continue
		if start, err := startOf(&other, noonAbroad); err == nil {
			t.Errorf("%+v is of another question: got %+v", other, start)
		}
	}
}

func TestTheLastPageHasNoNext(t *testing.T) {
	first, err := startOf(&v1alpha1.ImageHistoryOptions{}, noonAbroad)
	if err != nil || !first.Since.IsZero() || !first.Until.IsZero() {
		t.Errorf("without a time: %+v, error %v", first, err)
	}
	if next, err := first.next(""); next != "" || err != nil {
		t.Errorf("got %q, error %v", next, err)
	}
}

// FuzzContinue reads arbitrary continue tokens. An accepted token can be continued, and stays the same.
func FuzzContinue(f *testing.F) {
	start := historyStart{Since: noonAbroad.UTC()}
	sound, err := start.next("x")
	if err != nil {
		f.Fatal(err)
	}
	for _, text := range []string{sound, "", "x", "e30", "bnVsbA", "eyJjb250aW51ZSI6IngiLCJzaW5jZSI6IngifQ"} { // {}, null, and a time that is none
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if text == "" {
			return
		}
		read, err := startOf(&v1alpha1.ImageHistoryOptions{Continue: text}, noonAbroad)
		if err != nil {
			return
		}
		next, err := read.next(read.Continue)
		if err != nil {
			t.Fatalf("%+v: %v", read, err)
		}
		again, err := startOf(&v1alpha1.ImageHistoryOptions{Continue: next}, noonAbroad)
		if err != nil || !again.Since.Equal(read.Since) || !again.Until.Equal(read.Until) || again.Continue != read.Continue {
			t.Errorf("%+v became %+v, error %v", read, again, err)
		}
	})
}
