// SPDX-License-Identifier: Apache-2.0

package requesterrors

import (
	"bytes"
	"encoding/json"
	"errors"
	"maps"
	"reflect"
	"slices"
	"strconv"
	"strings"

	apiresource "k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/apimachinery/pkg/util/validation/field"
	"sigs.k8s.io/yaml"
)

// maxTypeFaults is how many values of the wrong type one error names.
const maxTypeFaults = 10

// NameWrongTypes replaces the error of a decoder that did not read JSON or YAML into an object of this type. The new error names
// the path of each value of the wrong type, and what the field must be. Any other error stays as it is.
func NameWrongTypes(err error, data []byte, object any) error {
	if err == nil || runtime.IsStrictDecodingError(err) {
		return err
	}
	value, invalid := exactJSON(data)
	if invalid != nil { // most objects are JSON, which is read much faster than YAML
		asJSON, notYAML := yaml.YAMLToJSON(data)
		if notYAML != nil {
			return err
		}
		if value, invalid = exactJSON(asJSON); invalid != nil {
			return err
		}
	}
	check := &typeCheck{}
	check.value(reflect.TypeOf(object), value, nil)
	if len(check.faults) == 0 {
		return err
	}
	return errors.New(strings.Join(check.faults, "; "))
}

// exactJSON decodes JSON without rounding a number.
func exactJSON(data []byte) (value any, err error) {
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.UseNumber()
	if err := decoder.Decode(&value); err != nil {
		return nil, err
	}
	if decoder.More() {
		return nil, errors.New("text follows the JSON")
	}
	return value, nil
}

// typeCheck compares JSON with the types that it is read into.
type typeCheck struct {
	faults []string
}

func (c *typeCheck) fault(path *field.Path, text string) {
	if path != nil {
		text = path.String() + ": " + text
	}
	if len(c.faults) < maxTypeFaults {
		c.faults = append(c.faults, text)
	}
}

// expect reports a value whose JSON type does not fit the field.
func (c *typeCheck) expect(met bool, path *field.Path, form string, value any) bool {
	if !met {
		c.fault(path, "must be "+form+", not "+jsonType(value))
	}
	return met
}

func (c *typeCheck) value(kind reflect.Type, value any, path *field.Path) {
	for kind.Kind() == reflect.Pointer {
		kind = kind.Elem()
	}
	if value == nil || kind.Kind() == reflect.Interface {
		return
	}
	if leaf, ok := reflect.TypeAssert[json.Unmarshaler](reflect.New(kind)); ok {
		c.leaf(leaf, value, path)
		return
	}
	switch kind.Kind() {
	case reflect.Struct:
		if object, ok := value.(map[string]any); c.expect(ok, path, "an object", value) {
			c.fields(kind, object, path)
		}
	case reflect.Map:
		if object, ok := value.(map[string]any); c.expect(ok, path, "an object", value) {
			for _, key := range slices.Sorted(maps.Keys(object)) {
				if strings.HasPrefix(key, "$") {
					continue // a directive of a strategic merge patch
				}
				c.value(kind.Elem(), object[key], path.Key(key))
			}
		}
	case reflect.Slice:
		if kind.Elem().Kind() == reflect.Uint8 {
			_, ok := value.(string)
			c.expect(ok, path, "a string of base64", value)
			return
		}
		if list, ok := value.([]any); c.expect(ok, path, "a list", value) {
			for i := range list {
				c.value(kind.Elem(), list[i], path.Index(i))
			}
		}
	case reflect.String:
		_, ok := value.(string)
		c.expect(ok, path, "a string", value)
	case reflect.Bool:
		_, ok := value.(bool)
		c.expect(ok, path, "true or false", value)
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		number, ok := value.(json.Number)
		if !c.expect(ok, path, "a whole number", value) {
			return
		}
		if _, err := strconv.ParseInt(number.String(), 10, kind.Bits()); err != nil {
			c.fault(path, "must be a whole number that fits in "+strconv.Itoa(kind.Bits())+" bits, not "+number.String())
		}
	}
}

// fields checks the fields of a struct by their names in JSON. The strict decoder reports unknown fields.
func (c *typeCheck) fields(kind reflect.Type, object map[string]any, path *field.Path) {
	for member := range kind.Fields() {
		name, options, _ := strings.Cut(member.Tag.Get("json"), ",")
		switch {
		case name == "-":
		case name == "" && (member.Anonymous || strings.Contains(options, "inline")):
			c.value(member.Type, object, path)
		default:
			if value, found := object[name]; found {
				c.value(member.Type, value, path.Child(name))
			}
		}
	}
}

// leaf checks a value whose type decodes itself.
func (c *typeCheck) leaf(leaf json.Unmarshaler, value any, path *field.Path) {
	form, isText := "", true
	switch leaf.(type) {
	case *metav1.Duration:
		form = "a duration such as 1h30m"
	case *metav1.Time, *metav1.MicroTime:
		form = "a time such as 2030-01-02T03:04:05Z"
	case *apiresource.Quantity:
		form, isText = "a quantity such as 500m or 4Gi", false
	case *intstr.IntOrString:
		form, isText = "a whole number or a string", false
	}
	text, ok := value.(string)
	if isText && form != "" && !c.expect(ok, path, form, value) {
		return
	}
	encoded, err := json.Marshal(value)
	if err == nil {
		err = leaf.UnmarshalJSON(encoded)
	}
	if err == nil {
		return
	}
	switch _, isDuration := leaf.(*metav1.Duration); {
	case isDuration:
		c.fault(path, durationProblem(err))
	case form == "":
		c.fault(path, err.Error())
	case ok:
		c.fault(path, "must be "+form+", not "+strconv.Quote(text))
	default:
		c.expect(false, path, form, value)
	}
}

// durationProblem returns the error of time.ParseDuration without the text, and the remedy. The path of the field shows where
// the text is.
func durationProblem(err error) string {
	problem, _, found := strings.Cut(strings.TrimPrefix(err.Error(), "time: "), " in duration ")
	if found {
		return problem + "; use h, m or s"
	}
	return problem + "; use a form such as 1h30m"
}

// jsonType returns the JSON type of a value, with its article.
func jsonType(value any) string {
	switch value.(type) {
	case map[string]any:
		return "an object"
	case []any:
		return "a list"
	case string:
		return "a string"
	case json.Number:
		return "a number"
	default:
		return "true or false"
	}
}
