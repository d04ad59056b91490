// SPDX-License-Identifier: Apache-2.0

package sbom

import (
	"cmp"
	_ "embed"
	"regexp"
	"strconv"
	"strings"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
)

// licenceList and exceptionList are the identifiers of the SPDX licence list, https://spdx.org/licenses. The bills name a licence that a
// later list adds as its archive does, which is valid too.
var (
	//go:embed licences.txt
	licenceList string
	//go:embed exceptions.txt
	exceptionList string
)

var (
	licenceRefPattern = regexp.MustCompile(`\ALicenseRef-[A-Za-z0-9.-]+\z`)
	notInReference    = regexp.MustCompile(`[^A-Za-z0-9.]+`)
	parentheses       = strings.NewReplacer("(", " ( ", ")", " ) ")
	noParentheses     = strings.NewReplacer("( ", "(", " )", ")")
)

// identifiers are those of the SPDX licence list, by their lower case.
type identifiers struct{ licences, exceptions map[string]string }

func newIdentifiers() identifiers {
	index := func(list string) map[string]string {
		identifiers := map[string]string{}
		for identifier := range strings.FieldsSeq(list) {
			identifiers[strings.ToLower(identifier)] = identifier
		}
		return identifiers
	}
	return identifiers{index(licenceList), index(exceptionList)}
}

// expression is an SPDX licence expression (SPDX 2.3, annex D). It is zero for the text of a licence that is not an expression,
// such as "GPL-2+" of Debian.
type expression struct {
	text       string
	references []string // to licences that are not in the SPDX licence list
}

// licencesOf returns the expression of each licence of a lock.
func licencesOf(lock *v1alpha1.Lock) map[string]expression {
	known := newIdentifiers()
	expressions := map[string]expression{}
	for i := range lock.Packages {
		licence := lock.Packages[i].Licence
		if _, seen := expressions[licence]; !seen {
			expressions[licence] = known.expression(licence)
		}
	}
	return expressions
}

func (known identifiers) expression(licence string) (found expression) {
	const operand, operator, exception = 0, 1, 2
	next, depth, simple := operand, 0, false // simple means that WITH can follow
	tokens := strings.Fields(parentheses.Replace(licence))
	for i, token := range tokens {
		ok := true
		switch {
		case next == operand && token == "(":
			depth++
		case next == operand:
			if licenceRefPattern.MatchString(token) {
				found.references = append(found.references, token)
			} else {
				tokens[i], ok = known.licence(token)
			}
			next, simple = operator, true
		case next == exception:
			tokens[i], ok = known.exceptions[strings.ToLower(token)]
			next, simple = operator, false
		case token == ")" && depth > 0:
			depth--
			simple = false
		case token == "AND" || token == "OR":
			next = operand
		case token == "WITH" && simple:
			next = exception
		default:
			ok = false
		}
		if !ok {
			return expression{}
		}
	}
	if next != operator || depth > 0 {
		return expression{}
	}
	found.text = noParentheses.Replace(strings.Join(tokens, " "))
	return found
}

// licence returns an identifier of a licence, which can end in a plus.
func (known identifiers) licence(token string) (identifier string, ok bool) {
	if identifier, ok = known.licences[strings.ToLower(token)]; ok {
		return identifier, true
	}
	trimmed, plus := strings.CutSuffix(token, "+")
	identifier, ok = known.licences[strings.ToLower(trimmed)]
	return identifier + "+", ok && plus
}

// extractedLicence defines a licence in an SPDX document.
type extractedLicence struct {
	ID   string `json:"licenseId"`
	Name string `json:"name"`
	Text string `json:"extractedText"`
}

// references returns the SPDX licence expression for each licence of a lock, and the licences that an SPDX document has to define for them.
func references(lock *v1alpha1.Lock) (declared map[string]string, extracted []any) {
	declared = map[string]string{"": ""}
	expressions := licencesOf(lock)
	defined := map[string]bool{} // references
	define := func(reference, licence string) {
		defined[reference] = true
		extracted = append(extracted, extractedLicence{reference, licence, licence})
	}
	for i := range lock.Packages { // first those that the builder wrote
		licence := lock.Packages[i].Licence
		declared[licence] = expressions[licence].text
		for _, reference := range expressions[licence].references {
			if !defined[reference] {
				define(reference, reference)
			}
		}
	}
	numbers := map[string]int{}
	for i := range lock.Packages {
		licence := lock.Packages[i].Licence
		if licence == "" || declared[licence] != "" {
			continue
		}
		reference := referenceTo(licence)
		for base := reference; defined[reference]; {
			numbers[base]++
			reference = base + "-" + strconv.Itoa(numbers[base])
		}
		define(reference, licence)
		declared[licence] = reference
	}
	return declared, extracted
}

// referenceTo returns a readable reference to a licence. Others can have the same.
func referenceTo(licence string) string {
	readable := strings.Trim(notInReference.ReplaceAllString(strings.ReplaceAll(licence, "+", "-plus"), "-"), "-")
	return "LicenseRef-" + cmp.Or(readable[:min(len(readable), 64)], "other")
}
