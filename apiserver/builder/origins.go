// SPDX-License-Identifier: Apache-2.0

package builder

import (
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"regexp/syntax"
	"slices"
	"strings"

	genericfilters "k8s.io/apiserver/pkg/server/filters"
)

// originsFlag is the library's flag for pages of other origins.
const originsFlag = "cors-allowed-origins"

// OriginsUsage is the help text of the flag for Options.ServerRun.CorsAllowedOriginList.
const OriginsUsage = `allowed origins of web pages, as regular expressions for the whole origin, such as '^https://portal\.example\.com$'; comma-separated or repeated (default none)`

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

// answerPages lets pages of the origins read answers and send every request of the API. Such pages authenticate with a token
// that they send themselves: the server never allows credentials of the browser, because a page that the expressions allow by
// mistake could act for its reader with them.
func answerPages(origins []string, next http.Handler) http.Handler {
	if len(origins) == 0 {
		return next
	}
	readable := []string{"Date", "Warning", "Retry-After", "Audit-Id"}
	pages := genericfilters.WithCORS(next, origins, nil, nil, readable, "false")
	return http.HandlerFunc(func(writer http.ResponseWriter, request *http.Request) {
		writer.Header().Add("Vary", "Origin") // a cache must not give one page the answer for another
		pages.ServeHTTP(writer, request)
	})
}
