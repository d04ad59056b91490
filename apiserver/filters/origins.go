// SPDX-License-Identifier: Apache-2.0

package filters

import (
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"regexp/syntax"
	"slices"
	"strings"

	"github.com/spf13/pflag"
	"k8s.io/apiserver/pkg/endpoints/responsewriter"
	genericfilters "k8s.io/apiserver/pkg/server/filters"
)

// originsFlag is the library's flag for pages of other origins.
const originsFlag = "cors-allowed-origins"

// originsUsage is the help text of the flag.
const originsUsage = `allowed origins of web pages, as regular expressions for the whole origin, such as '^https://portal\.example\.com$'; comma-separated or repeated (default none)`

// AddOriginsFlag adds the flag for Options.ServerRun.CorsAllowedOriginList. The library's flag of this name also splits an expression that
// contains a comma, such as ^https://[a-z]{1,8}\.example\.com$.
func AddOriginsFlag(flags *pflag.FlagSet, origins *[]string) {
	flags.Var((*originList)(origins), originsFlag, originsUsage)
}

// originList is the value of the flag.
type originList []string

// Set adds expressions. A comma in braces, brackets or parentheses belongs to its expression, and every other comma separates two.
func (l *originList) Set(text string) error {
	if text == "" {
		return nil
	}
	start, depth, escaped, inClass := 0, 0, false, false
	for i, character := range text {
		switch {
		case escaped:
			escaped = false
		case character == '\\':
			escaped = true
		case inClass:
			inClass = character != ']'
		case character == '[':
			inClass = true
		case character == '{', character == '(':
			depth++
		case character == '}', character == ')':
			depth--
		case character == ',' && depth <= 0:
			*l = append(*l, text[start:i])
			start = i + 1
		}
	}
	*l = append(*l, text[start:])
	return nil
}

// String implements pflag.Value.
func (l *originList) String() string { return strings.Join(*l, ",") }

// Type implements pflag.Value.
func (l *originList) Type() string { return "strings" }

// Append implements pflag.SliceValue. A value is one expression.
func (l *originList) Append(text string) error { *l = append(*l, text); return nil }

// Replace implements pflag.SliceValue.
func (l *originList) Replace(expressions []string) error { *l = expressions; return nil }

// GetSlice implements pflag.SliceValue.
func (l *originList) GetSlice() []string { return *l }

// CheckOrigins returns an error for each expression that a server refuses as an origin of web pages: see
// Options.ServerRun.CorsAllowedOriginList. An expression is a regular expression in the syntax of Go, and matches whole origins
// alone: each of its alternatives begins with ^ and ends with $. Otherwise "https://example.com" would allow
// https://example.com.attacker.org too (CVE-2022-1996). The library accepts some of these expressions, and ends the process if
// an expression cannot be parsed.
func CheckOrigins(expressions []string) error {
	var failures []error
	for _, expression := range expressions {
		switch whole, err := matchesWhole(expression); {
		case expression == "":
			failures = append(failures, fmt.Errorf("--%s: an expression is empty: omit the flag to allow no origin", originsFlag))
		case expression == "*":
			failures = append(failures, fmt.Errorf("--%s: '*' is no regular expression: use '^.*$' to allow every origin", originsFlag))
		case err != nil:
			failures = append(failures, fmt.Errorf("--%s: %w", originsFlag, err))
		case !whole:
			failures = append(failures, fmt.Errorf("--%s: '%s' also matches a part of other origins: use '%s'", originsFlag, expression, anchor(expression)))
		}
	}
	return errors.Join(failures...)
}

// matchesWhole reports whether an expression matches whole strings alone.
func matchesWhole(expression string) (bool, error) {
	parsed, err := syntax.Parse(expression, syntax.Perl)
	if err != nil {
		return false, err
	}
	return anchored(parsed, syntax.OpBeginText, first) && anchored(parsed, syntax.OpEndText, last), nil
}

func first(parts []*syntax.Regexp) *syntax.Regexp { return parts[0] }
func last(parts []*syntax.Regexp) *syntax.Regexp  { return parts[len(parts)-1] }

// anchored reports whether every match of an expression has the anchor at one of its ends.
func anchored(expression *syntax.Regexp, anchor syntax.Op, end func([]*syntax.Regexp) *syntax.Regexp) bool {
	switch expression.Op {
	case anchor:
		return true
	case syntax.OpConcat, syntax.OpCapture:
		return anchored(end(expression.Sub), anchor, end)
	case syntax.OpAlternate:
		return !slices.ContainsFunc(expression.Sub, func(part *syntax.Regexp) bool { return !anchored(part, anchor, end) })
	default:
		return false
	}
}

// anchor returns the expression for whole origins that its author probably means. Dots of an origin that has no other special
// character become literal. The form of Kubernetes' own examples, //example\.com(:|$), gets a scheme and a port.
func anchor(given string) string {
	expression := given
	if !strings.ContainsAny(expression, `\*+?()|[]{}^$`) {
		expression = regexp.QuoteMeta(expression)
	}
	expression = strings.TrimSuffix(strings.TrimPrefix(expression, "^"), "$")
	if host, found := strings.CutSuffix(expression, "(:|$)"); found {
		expression = host + "(:[0-9]+)?"
	}
	if strings.HasPrefix(expression, "//") {
		expression = "https?:" + expression
	}
	if strings.Contains(expression, "|") {
		expression = "(?:" + expression + ")"
	}
	expression = "^" + expression + "$"
	if whole, err := matchesWhole(expression); !whole || err != nil { // a flag of the expression, such as (?m), changes the anchors
		return `\A(?:` + given + `)\z`
	}
	return expression
}

// AnswerPages lets pages of the origins read answers and send every request of the API. Such pages authenticate with a token
// that they send themselves: the server never allows credentials of the browser, because a page that the expressions allow by
// mistake could act for its reader with them.
func AnswerPages(origins []string, next http.Handler) http.Handler {
	if len(origins) == 0 {
		return next
	}
	readable := []string{"Date", "Warning", "Retry-After", "Audit-Id"}
	pages := genericfilters.WithCORS(next, origins, nil, nil, readable, "false")
	return http.HandlerFunc(func(writer http.ResponseWriter, request *http.Request) {
		varying := &varyingWriter{writer}
		varying.vary()
		pages.ServeHTTP(responsewriter.WrapForHTTP1Or2(varying), request)
	})
}

// varyingWriter tells caches that an answer depends on the origin, so that they do not give one page the answer for another. It tells
// again when the answer begins, because the library's discovery replaces the header.
type varyingWriter struct{ http.ResponseWriter }

// Unwrap returns the writer of the answer.
func (w *varyingWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// WriteHeader begins the answer.
func (w *varyingWriter) WriteHeader(code int) {
	w.vary()
	w.ResponseWriter.WriteHeader(code)
}

// Write begins or continues the answer.
func (w *varyingWriter) Write(data []byte) (int, error) {
	w.vary()
	return w.ResponseWriter.Write(data)
}

func (w *varyingWriter) vary() {
	if !slices.Contains(w.Header().Values("Vary"), "Origin") {
		w.Header().Add("Vary", "Origin")
	}
}
