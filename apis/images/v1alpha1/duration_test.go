// SPDX-License-Identifier: Apache-2.0

package v1alpha1

import (
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

func TestDurationsAreWrittenAsTheyWereRead(t *testing.T) {
	for _, text := range []string{"7d", "168h", "168h0m0s", "10080m", "1.5h", "90m", "1h30m", "1h0m5s", "0", "0s", "0d", "-1h"} {
		var read, received Duration
		if err := json.Unmarshal([]byte(`"`+text+`"`), &read); err != nil {
			t.Errorf("%s: %v", text, err)
		}
		data, err := read.Marshal()
		if err == nil {
			err = received.Unmarshal(data)
		}
		if err != nil || received != read {
			t.Errorf("%s: protobuf made %#v of %#v: %v", text, received, read, err)
		}
		if got, err := json.Marshal(received); err != nil || string(got) != `"`+text+`"` || received.ToUnstructured() != text || received.String() != text {
			t.Errorf("%s: got %s, %v and %s: %v", text, got, received.ToUnstructured(), received, err)
		}
	}
	for _, data := range []string{`"2w"`, `""`, `90`, `{}`, `null`} {
		read := Duration{Duration: time.Hour}
		if err := read.UnmarshalJSON([]byte(data)); err == nil || err.Error() != "must be a duration such as 90s, 30m, 2h or 7d" || read.Duration != time.Hour {
			t.Errorf("%s: got %s, %v", data, read, err)
		}
	}
}

func TestDurationsWithoutTheirTextAreShort(t *testing.T) {
	for duration, want := range map[time.Duration]string{
		0: "0s", time.Second: "1s", 10 * time.Minute: "10m", 100 * time.Minute: "1h40m", 24 * time.Hour: "24h", time.Hour + time.Second: "1h0m1s",
		-time.Minute: "-1m", 1500 * time.Millisecond: "1.5s", 10 * time.Second: "10s", 110 * time.Hour: "110h",
	} {
		var read, stored Duration
		if got := (Duration{Duration: duration}).String(); got != want {
			t.Errorf("%s: got %s, want %s", duration, got, want)
		}
		if err := json.Unmarshal([]byte(`"`+want+`"`), &read); err != nil || read != (Duration{Duration: duration}) {
			t.Errorf("%s: got %#v: %v", want, read, err)
		}
		data, err := (&metav1.Duration{Duration: duration}).Marshal() // what earlier versions stored
		if err == nil {
			err = stored.Unmarshal(data)
		}
		if err != nil || stored != read {
			t.Errorf("%s: got %#v: %v", duration, stored, err)
		}
	}
	if changed := (Duration{Duration: time.Hour, Written: "7d"}).String(); changed != "1h" {
		t.Errorf("a duration that code has changed is %s", changed)
	}
}
