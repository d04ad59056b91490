// SPDX-License-Identifier: Apache-2.0

package validate

var times = rule{
	name:    "times",
	doc:     "check that times and durations are those of metav1, which write RFC 3339 and 1h30m",
	section: "units",
	check: func(a *api) {
		a.eachField(func(_ *structType, f *field) {
			inner, _ := element(f.typ)
			switch {
			case isNamed(inner, "time", "Time"):
				a.reportField(f, noFix, "time.Time is written with fractions and a zero of its own: use metav1.Time, or metav1.MicroTime")
			case isNamed(inner, "time", "Duration"):
				a.reportField(f, noFix, "time.Duration is written as a number of nanoseconds: use metav1.Duration, or an integer whose name ends with its unit")
			}
		})
	},
}
