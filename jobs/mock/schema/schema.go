// SPDX-License-Identifier: Apache-2.0

// Package schema describes the parameters of the builder mock, also on systems that it does not run on.
package schema

import (
	"fmt"
	"time"

	"goldsmith.dev/goldsmith/jobs/capability"
)

// MaxDuration is the limit of the parameter duration, which its pattern cannot express.
const MaxDuration = 7 * 24 * time.Hour

// The most steps that a build has.
const maxSteps = 10_000

// Defaults of the parameters.
const (
	DefaultDuration     = time.Second
	DefaultSteps        = 5
	DefaultLinesPerStep = 1
	DefaultFailReason   = "MockFailed"
)

// formTime and formDuration have the durations of the API, of which the builder refuses those beyond the limit.
const (
	formTime     = `([0-9]+\.?[0-9]*|\.[0-9]+)(ns|us|µs|μs|ms|s|m|h)`
	formDuration = `(0|[0-9]+d(` + formTime + `)*|(` + formTime + `)+)`
)

// Parameters describes the parameters. The builder ignores others.
func Parameters() *capability.Schema {
	number := func(least, most float64, description string) capability.Property {
		return capability.Property{Type: "integer", Minimum: &least, Maximum: &most, Description: description}
	}
	choice := func(description string, values ...any) capability.Property {
		return capability.Property{Enum: values, Default: values[0], Description: description}
	}
	text := func(pattern, must, description string) capability.Property {
		return capability.Property{Pattern: "^(" + pattern + ")$", PatternErrorMessage: "must be " + must, Description: description}
	}
	defaulting := func(property capability.Property, to any) capability.Property {
		property.Default = to
		return property
	}
	return &capability.Schema{AdditionalProperties: true, Properties: map[string]capability.Property{
		"duration": defaulting(text(formDuration+"(,"+formDuration+")*",
			fmt.Sprintf("a duration from 0s to %.0fh, such as 1m30s, or one for each attempt, such as 1m30s,0s", MaxDuration.Hours()),
			"How long the build takes, such as 1m30s. 10m,0s is 10 minutes in the first attempt, and none in later ones"), DefaultDuration.String()),
		"steps":        defaulting(number(0, maxSteps, "Number of steps"), DefaultSteps),
		"linesPerStep": defaulting(number(0, 100_000, "Lines that each step logs at its start"), DefaultLinesPerStep),
		"lineBytes":    number(1, 1<<20, "Length of each of these lines, with its newline"),
		"failAt":       number(1, maxSteps, "The step after whose lines the build fails"),
		"failReason":   {Default: DefaultFailReason, Description: "Reason of the failure"},
		"failClass":    {Description: "Class of the failure"},
		"retryable":    {Type: "boolean", Default: false, Description: "Whether the result permits another attempt"},
		"failAttempts": number(0, 1_000, "How many attempts fail, from the first"),
		"exitCode":     number(0, 255, "Exit code. By default 0, or 1 if the build fails"),
		"packages":     {Description: "Packages in the lock, such as openssl=3.5.6-1 curl"},
		"distribution": {Description: "Distribution of the packages, such as debian:13"},
		"archive":      text("https?://[!$-.0->A-~]+(/[!$->@-~]*)?", "a URL that begins with http:// or https://, without user, query and fragment", "URL of an archive with the versions of packages that have none"),
		"sourceFile":   {Description: "A file of the source that the build logs"},
		"reproducible": {Type: "boolean", Default: true, Description: "Whether the artifacts of equal inputs are equal"},
		"lock":         choice("The lock that the build writes", "good", "none", "malformed"),
		"result":       choice("The result that the build writes", "good", "none", "malformed", "oversized", "baddigest"),
		"onTerm":       choice("What the build does on SIGTERM: it ends, continues, or does the other steps without waiting", "exit", "ignore", "hurry"),
		"crash":        {Enum: []any{"segv", "oom"}, Description: "How the builder crashes"},
	}}
}
