// SPDX-License-Identifier: Apache-2.0

package examples

import (
	"math"
	"regexp"
	"regexp/syntax"
	"strings"
	"unicode/utf8"

	structuralschema "k8s.io/apiextensions-apiserver/pkg/apiserver/schema"
)

// formatExamples are texts of the formats that apiextensions checks.
var formatExamples = map[string]string{
	"bsonobjectid": "507f1f77bcf86cd799439011", "byte": "ZXhhbXBsZQ==", "cidr": "192.0.2.0/24", "creditcard": "4111111111111111",
	"date": "2026-01-01", "date-time": "2026-01-01T00:00:00Z", "datetime": "2026-01-01T00:00:00Z", "duration": "1h",
	"email": "user@example.com", "hexcolor": "#808080", "hostname": "example.com", "ipv4": "192.0.2.1", "ipv6": "2001:db8::1",
	"isbn": "0306406152", "isbn10": "0306406152", "isbn13": "9780306406157", "mac": "02:00:00:00:00:01", "rgbcolor": "rgb(128,128,128)",
	"ssn": "123-45-6789", "uri": "https://example.com", "uuid": "6ba7b810-9dad-41d1-80b4-00c04fd430c8",
	"uuid3": "6ba7b810-9dad-31d1-80b4-00c04fd430c8", "uuid4": "6ba7b810-9dad-41d1-80b4-00c04fd430c8",
	"uuid5": "6ba7b810-9dad-51d1-80b4-00c04fd430c8",
}

const exampleText = "example"

// sampleText returns a text that the rules accept, where it finds one. It prefers the text that it is given.
func sampleText(rules *structuralschema.ValueValidation, preferred string) string {
	low, high := int64(0), int64(math.MaxInt32)
	if rules.MinLength != nil {
		low = *rules.MinLength
	}
	if rules.MaxLength != nil {
		high = *rules.MaxLength
	}
	pattern, err := regexp.Compile(rules.Pattern)
	if err != nil {
		return exampleText
	}
	fits := func(text string) bool {
		length := int64(utf8.RuneCountInString(text))
		return text != "" && low <= length && length <= high && pattern.MatchString(text)
	}
	for _, text := range []string{preferred, formatExamples[rules.Format], exampleText, "Example", "example.com", "1.0.0", "1"} {
		if fits(text) {
			return text
		}
	}
	if rules.Pattern == "" {
		length := min(max(low, min(high, int64(len(exampleText)))), maxSample)
		return strings.Repeat(exampleText, int(length)/len(exampleText)+1)[:length]
	}
	parsed, err := syntax.Parse(rules.Pattern, syntax.Perl)
	if err != nil {
		return exampleText
	}
	for extra := range int(min(low, maxSample)) + 4 {
		text := &strings.Builder{}
		writeMatch(text, parsed, extra)
		if fits(text.String()) {
			return text.String()
		}
	}
	return exampleText
}

// maxSample is the length of the longest text that is made.
const maxSample = 256

// writeMatch writes a text that a regular expression matches, except for conditions on what surrounds it. extra is how often optional
// parts are repeated.
func writeMatch(text *strings.Builder, expression *syntax.Regexp, extra int) {
	repeat := func(times int) {
		for range times {
			if text.Len() > maxSample {
				return
			}
			writeMatch(text, expression.Sub[0], extra)
		}
	}
	switch expression.Op {
	case syntax.OpLiteral:
		text.WriteString(string(expression.Rune))
	case syntax.OpCharClass:
		text.WriteRune(isPlausible(expression.Rune))
	case syntax.OpAnyChar, syntax.OpAnyCharNotNL:
		text.WriteRune('a')
	case syntax.OpConcat:
		for _, part := range expression.Sub {
			writeMatch(text, part, extra)
		}
	case syntax.OpCapture, syntax.OpAlternate:
		writeMatch(text, expression.Sub[0], extra)
	case syntax.OpStar:
		repeat(extra)
	case syntax.OpPlus:
		repeat(1 + extra)
	case syntax.OpQuest:
		repeat(min(extra, 1))
	case syntax.OpRepeat:
		times := expression.Min + extra
		if expression.Max >= 0 {
			times = min(times, expression.Max)
		}
		repeat(times)
	}
}

// isPlausible returns a character of a class, which is a list of ranges: a letter or digit if it has one.
func isPlausible(class []rune) rune {
	for _, wanted := range "aA1-_. " {
		for i := 0; i+1 < len(class); i += 2 {
			if class[i] <= wanted && wanted <= class[i+1] {
				return wanted
			}
		}
	}
	if len(class) == 0 {
		return 'a'
	}
	return class[0]
}

// sampleNumber returns the smallest number that the rules accept. Without a minimum it returns 1, or the largest one if 1 is too large.
func sampleNumber(rules *structuralschema.ValueValidation, whole bool) any {
	step := 1.0
	if rules.MultipleOf != nil && *rules.MultipleOf > 0 {
		step = *rules.MultipleOf
	}
	stepwise := whole || rules.MultipleOf != nil
	number := step
	switch low, high := rules.Minimum, rules.Maximum; {
	case low != nil && high != nil && rules.ExclusiveMinimum && !stepwise:
		number = (*low + *high) / 2
	case low != nil:
		if number = *low; stepwise {
			number = math.Ceil(number/step) * step
		}
		if rules.ExclusiveMinimum && number == *low {
			number += step
		}
	case high != nil && *high <= number:
		if number = *high; stepwise {
			number = math.Floor(number/step) * step
		}
		if rules.ExclusiveMaximum && number == *high {
			number -= step
		}
	}
	if number == math.Trunc(number) && math.Abs(number) < 1<<53 {
		return int64(number)
	}
	return number
}
