// SPDX-License-Identifier: Apache-2.0

package v1alpha1

import (
	"bytes"
	"encoding/json"
	"math"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

func TestDurationsCanHaveDays(t *testing.T) {
	for text, want := range map[string]time.Duration{
		"7d": 7 * day, "0d": 0, "1d12h": 36 * time.Hour, "1d1h30m0.5s": day + 90*time.Minute + 500*time.Millisecond, "3650d": 87600 * time.Hour,
		"90s": 90 * time.Second, "1h30m": 90 * time.Minute, "0": 0, "-1h": -time.Hour, "1.5h": 90 * time.Minute,
		"106751d23h47m16.854775807s": math.MaxInt64, "9223372036854775807ns": math.MaxInt64,
	} {
		if got, err := ParseDuration(text); err != nil || got != want {
			t.Errorf("%s: got %s, want %s: %v", text, got, want, err)
		}
	}
	for _, text := range []string{
		"", "d", "7", "7D", "7 d", " 7d", "-7d", "+7d", "1.5d", "12h1d", "1d1d", "1dd", "1d12", "1d-1h", "1d+1h", "2w", "7days", "1_0d", "soon",
		"106751d23h47m16.854775808s", "106752d", "18446744073709551616d",
	} {
		if got, err := ParseDuration(text); err == nil || got != 0 {
			t.Errorf("%q: got %s, want an error", text, got)
		}
	}
}

func TestDurationsAreReadWithDaysAndWrittenAsKubernetesDoes(t *testing.T) {
	for _, text := range []string{"7d", "168h", "168h0m0s"} {
		var read Duration
		if err := json.Unmarshal([]byte(`"`+text+`"`), &read); err != nil || read.Duration != 7*day {
			t.Errorf("%s: got %s: %v", text, read, err)
		}
		kubernetes := metav1.Duration{Duration: read.Duration}
		want, errWant := json.Marshal(kubernetes)
		if got, err := json.Marshal(read); err != nil || errWant != nil || !bytes.Equal(got, want) || read.ToUnstructured() != kubernetes.ToUnstructured() {
			t.Errorf("%s: got %s, want %s: %v", text, got, want, err)
		}
		want, errWant = kubernetes.Marshal()
		if got, err := read.Marshal(); err != nil || errWant != nil || !bytes.Equal(got, want) {
			t.Errorf("%s: got %x, want %x: %v", text, got, want, err)
		}
	}
	for _, data := range []string{`"2w"`, `""`, `90`, `{}`, `null`} {
		read := Duration{Duration: time.Hour}
		if err := read.UnmarshalJSON([]byte(data)); err == nil || err.Error() != "must be a duration such as 90s, 30m, 2h or 7d" || read.Duration != time.Hour {
			t.Errorf("%s: got %s, %v", data, read, err)
		}
	}
}
