// SPDX-License-Identifier: Apache-2.0

package v1alpha1

import (
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
