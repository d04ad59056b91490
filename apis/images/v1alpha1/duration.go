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
// and returns it without days: 7d becomes 168h0m0s.
type Duration struct {
	// The same protobuf message as metav1.Duration, which does not read days.
	time.Duration `protobuf:"varint,1,opt,name=duration,casttype=time.Duration"`
}

// UnmarshalJSON reads a string by ParseDuration.
func (d *Duration) UnmarshalJSON(data []byte) error {
	var text string
	if json.Unmarshal(data, &text) != nil {
		return errNoDuration
	}
	duration, err := ParseDuration(text)
	if err == nil {
		d.Duration = duration
	}
	return err
}

// MarshalJSON writes the same string as metav1.Duration.
func (d Duration) MarshalJSON() ([]byte, error) {
	return json.Marshal(d.Duration.String())
}

// ToUnstructured returns what MarshalJSON writes, for server-side apply.
func (d Duration) ToUnstructured() any {
	return d.Duration.String()
}

// OpenAPISchemaType returns the type of the schema, for the generator of OpenAPI.
func (Duration) OpenAPISchemaType() []string { return []string{"string"} }

// OpenAPISchemaFormat returns no format, as that of metav1.Duration.
func (Duration) OpenAPISchemaFormat() string { return "" }
