// SPDX-License-Identifier: Apache-2.0

package v1alpha1

import (
	"encoding/json"
	"errors"
	"math"
	"strconv"
	"strings"
	"time"
)

const day = 24 * time.Hour

// maxDays is the largest number of days that a duration can hold.
const maxDays = uint64(math.MaxInt64 / day)

var errNoDuration = errors.New("must be a duration such as 90s, 30m, 2h or 7d")

// ParseDuration reads a duration as time.ParseDuration does, and also a whole number of days before the other units, such as 7d or
// 1d12h. A day has 24 hours.
func ParseDuration(text string) (time.Duration, error) {
	number, rest, found := strings.Cut(text, "d")
	if !found {
		number, rest = "0", text
	}
	days, err := strconv.ParseUint(number, 10, 64)
	if err != nil || days > maxDays || found && strings.ContainsAny(rest, "+-") {
		return 0, errNoDuration
	}
	duration := time.Duration(days) * day
	if found && rest == "" {
		return duration, nil
	}
	others, err := time.ParseDuration(rest)
	if err != nil || others > math.MaxInt64-duration {
		return 0, errNoDuration
	}
	return duration + others, nil
}

// Duration is a length of time in days, hours, minutes and seconds, such as 7d, 1d12h, 1h30m or 90s. The server stores
// and returns it as it was written.
// +k8s:conversion-gen=false
// +k8s:validation:pattern="^([0-9]+d|([0-9]+d|[+-]?)(0|(([0-9]+([.][0-9]*)?|[.][0-9]+)(ns|us|µs|μs|ms|s|m|h))+))$"
// +protobuf.options.(gogoproto.goproto_stringer)=false
type Duration struct {
	// The first field of the protobuf message is that of metav1.Duration, which does not read days.
	time.Duration `protobuf:"varint,1,opt,name=duration,casttype=time.Duration"`

	// Written is the text that was written for this duration. It is empty for the shortest text, such as 1h30m.
	// It is ignored when it is the text of a different duration.
	Written string `protobuf:"bytes,2,opt,name=written"`
}

// String returns the text that was written. For a duration that comes from code it is the shortest text: 10m and not
// 10m0s.
func (d Duration) String() string {
	if d.Written != "" {
		if duration, err := ParseDuration(d.Written); err == nil && duration == d.Duration {
			return d.Written
		}
	}
	return shortest(d.Duration)
}

func shortest(duration time.Duration) string {
	text := duration.String()
	if strings.HasSuffix(text, "m0s") {
		text = strings.TrimSuffix(text, "0s")
	}
	if strings.HasSuffix(text, "h0m") {
		text = strings.TrimSuffix(text, "0m")
	}
	return text
}

// UnmarshalJSON reads a string by ParseDuration.
func (d *Duration) UnmarshalJSON(data []byte) error {
	var text string
	if json.Unmarshal(data, &text) != nil {
		return errNoDuration
	}
	duration, err := ParseDuration(text)
	if err != nil {
		return err
	}
	*d = Duration{Duration: duration}
	if text != shortest(duration) {
		d.Written = text
	}
	return nil
}

// MarshalJSON writes what String returns.
func (d Duration) MarshalJSON() ([]byte, error) {
	return json.Marshal(d.String())
}

// ToUnstructured returns what MarshalJSON writes, for server-side apply.
func (d Duration) ToUnstructured() any {
	return d.String()
}

// OpenAPISchemaType returns the type of the schema, for the generator of OpenAPI.
func (Duration) OpenAPISchemaType() []string { return []string{"string"} }

// OpenAPISchemaFormat returns no format, as that of metav1.Duration.
func (Duration) OpenAPISchemaFormat() string { return "" }
