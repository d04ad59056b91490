// SPDX-License-Identifier: Apache-2.0

package deadline

import (
	"testing"
	"time"
)

func TestOnlyWorkTakesLongerOnABusyMachine(t *testing.T) {
	wait := Wait{Timers: time.Minute, Work: 10 * time.Second}
	for factor, want := range map[float64]time.Duration{1: 70 * time.Second, 1.5: 75 * time.Second, 4: 100 * time.Second, 1.13: 72 * time.Second} {
		if got := wait.times(factor); got != want {
			t.Errorf("factor %v: %v", factor, got)
		}
	}
}

func TestRatio(t *testing.T) {
	for _, test := range []struct {
		name      string
		wall, cpu time.Duration
		want      float64
	}{
		{"an idle machine", time.Second, time.Second, 1},
		{"two processes for each CPU", 2 * time.Second, time.Second, 2},
		{"an overloaded machine", time.Minute, time.Second, most},
		{"other goroutines that work meanwhile", time.Second, 3 * time.Second, least},
		{"no measurement", time.Second, 0, least},
	} {
		if got := ratio(test.wall, test.cpu); got != test.want {
			t.Errorf("%s: %v", test.name, got)
		}
	}
}

func TestTheFactorIsMeasuredOnceOrAdopted(t *testing.T) {
	t.Cleanup(func() { adopted.Store(0) })
	first := Factor()
	if first < least || first > most {
		t.Errorf("factor %v", first)
	}
	if second := Factor(); second != first {
		t.Errorf("factor %v after %v", second, first)
	}
	Adopt(2.5)
	if got := Factor(); got != 2.5 {
		t.Errorf("factor %v instead of the adopted one", got)
	}
	if got := BuilderStart.Deadline(); got != 38*time.Second {
		t.Errorf("deadline %v", got)
	}
	Adopt(100)
	if got := Factor(); got != most {
		t.Errorf("factor %v is adopted", got)
	}
}
