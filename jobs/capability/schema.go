// SPDX-License-Identifier: Apache-2.0

package capability

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"k8s.io/kube-openapi/pkg/validation/spec"
	"k8s.io/kube-openapi/pkg/validation/strfmt"
	"k8s.io/kube-openapi/pkg/validation/validate"
)

const (
	// maxProperties is the maximum number of declared parameters: a build has no more.
	maxProperties = 64
	// maxDescription is the maximum length of a text for users, in characters.
	maxDescription = 1024
)

// Schema is the subset of JSON schema (draft 2020-12) that describes parameters. In contrast to JSON schema, parameters that it does not
// declare are refused by default.
type Schema struct {
	// Type is "object". Defaults to "object".
	Type string `json:"type,omitempty"`
	// Description is for users. It is not checked.
	Description string `json:"description,omitempty"`
	// Properties are the parameters by name.
	Properties map[string]Property `json:"properties,omitempty"`
	// Required are the names of the parameters that each build must set.
	Required []string `json:"required,omitempty"`
	// AdditionalProperties is whether the builder takes parameters that Properties lack.
	AdditionalProperties bool `json:"additionalProperties,omitempty"`
}

// Property describes the value of a parameter. The text of the value is the value if Type is string, and its JSON otherwise.
type Property struct {
	// Type is string, integer, number or boolean. Defaults to string.
	Type string `json:"type,omitempty"`
	// Description is for users.
	Description string `json:"description,omitempty"`
	// Default is what the builder does without the parameter, for users. It is not set in the input of the builder.
	Default any `json:"default,omitempty"`
	// Enum has the only values. Defaults to all values.
	Enum []any `json:"enum,omitempty"`
	// Pattern is a regular expression in the syntax of Go, which a part of the text matches.
	Pattern string `json:"pattern,omitempty"`
	// PatternErrorMessage tells users which texts match Pattern, such as "must be a size, such as 2G". Errors and lists of values have it instead
	// of Pattern. JSON schema has no such keyword, but editors know this one.
	PatternErrorMessage string `json:"patternErrorMessage,omitempty"`
	// MinLength and MaxLength limit the number of characters of a text.
	MinLength *int64 `json:"minLength,omitempty"`
	MaxLength *int64 `json:"maxLength,omitempty"`
	// The limits of a number.
	Minimum          *float64 `json:"minimum,omitempty"`
	Maximum          *float64 `json:"maximum,omitempty"`
	ExclusiveMinimum *float64 `json:"exclusiveMinimum,omitempty"`
	ExclusiveMaximum *float64 `json:"exclusiveMaximum,omitempty"`
	// MultipleOf divides a number without a rest.
	MultipleOf *float64 `json:"multipleOf,omitempty"`
	// ContentMediaType is application/yaml if ContentSchema describes the value that the text means as YAML, or is empty.
	ContentMediaType string   `json:"contentMediaType,omitempty"`
	ContentSchema    *Content `json:"contentSchema,omitempty"`
}

// MarshalJSON writes the defaults that differ from those of JSON schema, so that every reader of JSON schema understands the schema.
func (s Schema) MarshalJSON() ([]byte, error) {
	type fields Schema // without this method
	explicit := struct {
		fields
		AdditionalProperties bool `json:"additionalProperties"`
	}{fields(s), s.AdditionalProperties}
	explicit.Type = typeObject
	return json.Marshal(explicit)
}

// MarshalJSON writes the type even if it is the default.
func (p Property) MarshalJSON() ([]byte, error) {
	type fields Property // without this method
	p.Type = p.TypeName()
	return json.Marshal(fields(p))
}

// The types of values.
const (
	typeString  = "string"
	typeInteger = "integer"
	typeNumber  = "number"
	typeBoolean = "boolean"
	// The types in a Content.
	typeArray  = "array"
	typeObject = "object"
)

// TypeName returns the type of the value.
func (p Property) TypeName() string { return cmp.Or(p.Type, typeString) }

// problems returns what is wrong with a schema at a path.
func (s *Schema) problems(path string) []error {
	var problems []error
	if s.Type != "" && s.Type != typeObject {
		problems = append(problems, fmt.Errorf("%s.type: must be object", path))
	}
	if len(s.Properties) > maxProperties {
		problems = append(problems, fmt.Errorf("%s.properties: must have at most %d properties, because builds have at most %[2]d parameters", path, maxProperties))
	}
	for _, name := range slices.Sorted(maps.Keys(s.Properties)) {
		at := path + ".properties." + name
		if len(name) > MaxParameterName || !ParameterName.MatchString(name) {
			problems = append(problems, fmt.Errorf("%s: the name must be 1 to %d letters, digits, '-', '_' and '.'", at, MaxParameterName))
		}
		if name == "true" || name == "false" {
			problems = append(problems, fmt.Errorf("%s: quote the name, which YAML takes for a boolean: y, n, yes, no, on and off, too", at))
		}
		problems = append(problems, s.Properties[name].problems(at)...)
	}
	return append(problems, undeclared(s.Required, s.Properties, path)...)
}

// undeclared returns an error for each required name that properties lack.
func undeclared[T any](required []string, properties map[string]T, path string) []error {
	var problems []error
	for i, name := range required {
		if _, declared := properties[name]; !declared {
			problems = append(problems, fmt.Errorf("%s.required[%d]: %q is not in properties", path, i, name))
		}
	}
	return problems
}

func (p Property) problems(path string) []error {
	var problems []error
	report := func(keyword, format string, args ...any) {
		problems = append(problems, fmt.Errorf("%s.%s: %s", path, keyword, fmt.Sprintf(format, args...)))
	}
	if !slices.Contains([]string{typeString, typeInteger, typeNumber, typeBoolean}, p.TypeName()) {
		report("type", "must be %s, %s, %s or %s: the value of a parameter is one of these", typeString, typeInteger, typeNumber, typeBoolean)
		return problems
	}
	for _, of := range []struct{ keyword, text string }{{"description", p.Description}, {"patternErrorMessage", p.PatternErrorMessage}} {
		if utf8.RuneCountInString(of.text) > maxDescription {
			report(of.keyword, "must have at most %d characters", maxDescription)
		}
	}
	if p.PatternErrorMessage != "" && p.Pattern == "" {
		report("patternErrorMessage", "has no effect: there is no pattern")
	}
	if (p.ContentMediaType != "" || p.ContentSchema != nil) && (p.ContentMediaType != mediaTypeYAML || p.ContentSchema == nil) {
		report("contentMediaType", "set both contentMediaType: %s and contentSchema, or neither", mediaTypeYAML)
	} else if p.ContentSchema != nil {
		problems = append(problems, p.ContentSchema.problems(path+".contentSchema")...)
	}
	type keyword struct {
		name string
		set  bool
	}
	if p.TypeName() != typeString {
		for _, of := range []keyword{
			{"pattern", p.Pattern != ""}, {"minLength", p.MinLength != nil}, {"maxLength", p.MaxLength != nil}, {"contentSchema", p.ContentSchema != nil},
		} {
			if of.set {
				report(of.name, "has no effect: it is for type %s", typeString)
			}
		}
	}
	if p.TypeName() != typeInteger && p.TypeName() != typeNumber {
		for _, of := range []keyword{
			{"minimum", p.Minimum != nil}, {"maximum", p.Maximum != nil}, {"exclusiveMinimum", p.ExclusiveMinimum != nil},
			{"exclusiveMaximum", p.ExclusiveMaximum != nil}, {"multipleOf", p.MultipleOf != nil},
		} {
			if of.set {
				report(of.name, "has no effect: it is for type %s or %s", typeInteger, typeNumber)
			}
		}
	}
	if _, err := regexp.Compile(p.Pattern); err != nil {
		report("pattern", "%s", strings.TrimPrefix(err.Error(), "error parsing regexp: "))
		return problems
	}
	if p.MultipleOf != nil && *p.MultipleOf <= 0 {
		report("multipleOf", "must be greater than 0")
		return problems
	}
	// The other keywords judge the values of the schema itself, but the list of values is no judge of its own values.
	rest := p
	rest.Enum = nil
	for i, value := range p.Enum {
		if problem := rest.checkDeclared(value); problem != "" {
			report(fmt.Sprintf("enum[%d]", i), "%s", problem)
		}
	}
	if p.Enum != nil && len(p.Enum) == 0 {
		report("enum", "must have a value")
	}
	if p.Default != nil {
		if problem := p.checkDeclared(p.Default); problem != "" {
			report("default", "%s", problem)
		}
	}
	return problems
}

// checkDeclared checks a value of the schema itself.
func (p Property) checkDeclared(value any) string {
	if _, isText := value.(string); isText != (p.TypeName() == typeString) {
		return p.wrongType()
	}
	return p.check(Text(value))
}

// Text returns the text of a parameter with a value of a schema.
func Text(value any) string {
	if text, isText := value.(string); isText {
		return text
	}
	text, err := json.Marshal(value)
	if err != nil {
		return fmt.Sprint(value) // of no type that JSON has
	}
	return string(text)
}

// check returns why a text is not a value of the parameter, or "".
func (p Property) check(text string) string {
	value, ok := p.parse(text)
	if !ok {
		return p.wrongType()
	}
	return p.checkParsed(value)
}

// checkParsed returns why a value of the right type is not one of the parameter, or "".
func (p Property) checkParsed(value any) string {
	if len(p.Enum) > 0 && !slices.ContainsFunc(p.Enum, func(allowed any) bool { return Text(allowed) == Text(value) }) {
		return "must be " + p.Values()
	}
	if number, whole := value.(int64); whole {
		value = float64(number) // the library cuts the limits of a whole number to whole numbers
	}
	result := validate.NewSchemaValidator(p.schema(), nil, "", strfmt.Default).Validate(value)
	if result.IsValid() {
		return ""
	}
	message := result.Errors[0].Error()
	if _, rule, found := strings.Cut(message, " in body should "); found {
		message = "must " + rule
		if strings.HasPrefix(rule, "match ") {
			return cmp.Or(p.PatternErrorMessage, message)
		}
	}
	return message
}

func (p Property) wrongType() string {
	switch p.TypeName() {
	case typeBoolean:
		return "must be true or false"
	case typeInteger:
		return "must be a whole number"
	case typeNumber:
		return "must be a number"
	case typeArray:
		return "must be a list"
	case typeObject:
		return "must be an object, such as {name: value}"
	default:
		return "must be text: write it in quotes"
	}
}

// parse returns the value that a text means.
func (p Property) parse(text string) (value any, ok bool) {
	switch p.TypeName() {
	case typeString:
		return text, true
	case typeBoolean:
		return text == "true", text == "true" || text == "false"
	}
	if !json.Valid([]byte(text)) || strings.TrimSpace(text) != text {
		return nil, false
	}
	if number, err := strconv.ParseInt(text, 10, 64); err == nil {
		return number, true
	}
	number, err := strconv.ParseFloat(text, 64)
	return number, err == nil && p.Type == typeNumber
}

// schema returns the schema of a value for the library, in which limits are exclusive by a keyword of their own.
func (p Property) schema() *spec.Schema {
	schema := &spec.Schema{SchemaProps: spec.SchemaProps{
		Pattern: p.Pattern, MinLength: p.MinLength, MaxLength: p.MaxLength, Minimum: p.Minimum, Maximum: p.Maximum, MultipleOf: p.MultipleOf,
	}}
	if exclusive := p.ExclusiveMinimum; exclusive != nil && (p.Minimum == nil || *exclusive >= *p.Minimum) {
		schema.Minimum, schema.ExclusiveMinimum = exclusive, true
	}
	if exclusive := p.ExclusiveMaximum; exclusive != nil && (p.Maximum == nil || *exclusive <= *p.Maximum) {
		schema.Maximum, schema.ExclusiveMaximum = exclusive, true
	}
	return schema
}

// Values describes which values the parameter can have, apart from its type. It is empty if it can have all.
func (p Property) Values() string {
	if len(p.Enum) > 0 {
		texts := make([]string, len(p.Enum))
		for i, value := range p.Enum {
			texts[i] = Text(value)
		}
		return "one of " + strings.Join(texts, ", ")
	}
	var rules []string
	if p.ContentSchema != nil {
		rules = append(rules, "YAML")
	}
	if p.Pattern != "" {
		rules = append(rules, cmp.Or(strings.TrimPrefix(p.PatternErrorMessage, "must be "), "matches "+p.Pattern))
	}
	for _, length := range []struct {
		rule  string
		limit *int64
	}{{"at least %d characters", p.MinLength}, {"at most %d characters", p.MaxLength}} {
		if length.limit != nil {
			rules = append(rules, fmt.Sprintf(length.rule, *length.limit))
		}
	}
	for _, number := range []struct {
		rule  string
		limit *float64
	}{{">= ", p.Minimum}, {"> ", p.ExclusiveMinimum}, {"<= ", p.Maximum}, {"< ", p.ExclusiveMaximum}, {"multiple of ", p.MultipleOf}} {
		if number.limit != nil {
			rules = append(rules, number.rule+Text(*number.limit))
		}
	}
	return strings.Join(rules, ", ")
}

// unknown describes which names there are instead of an unknown one of something, such as a parameter.
func unknown(what, name string, names []string) string {
	nearest, distance := "", 1+min(2, len(name)/2)
	for _, known := range names {
		if d := edits(strings.ToLower(name), strings.ToLower(known)); d < distance {
			nearest, distance = known, d
		}
	}
	if nearest != "" {
		return fmt.Sprintf("has no such %s: did you mean %s?", what, nearest)
	}
	return fmt.Sprintf("has no such %s: it takes %s", what, strings.Join(names, ", "))
}

// edits returns how many bytes have to be inserted, removed or replaced to change one text into another.
func edits(from, to string) int {
	row := make([]int, len(to)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(from) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(to) {
			cost := diagonal
			if from[i] != to[j] {
				cost++
			}
			diagonal = row[j+1]
			row[j+1] = min(cost, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(to)]
}
