// SPDX-License-Identifier: Apache-2.0

package install

import (
	"fmt"
	"net/url"
	"reflect"
	"strconv"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/conversion"
	"k8s.io/apimachinery/pkg/runtime"
)

// AddQueryParameters lets the options of a subresource be read from the query of a request. The scheme knows the options.
func AddQueryParameters(scheme *runtime.Scheme, options runtime.Object) error {
	return scheme.AddConversionFunc((*url.Values)(nil), options, func(query, into any, _ conversion.Scope) error {
		return readQuery(*query.(*url.Values), reflect.ValueOf(into).Elem())
	})
}

// readQuery sets the fields of options to the parameters of their names. The conversions that conversion-gen writes do not support
// pointers to 32-bit integers, and their errors do not name the invalid parameter.
func readQuery(query url.Values, options reflect.Value) error {
	for i := range options.NumField() {
		name, _, _ := strings.Cut(options.Type().Field(i).Tag.Get("json"), ",")
		text := query.Get(name)
		if name == "" || !query.Has(name) {
			continue
		}
		switch field := options.Field(i).Addr().Interface().(type) {
		case *string:
			*field = text
		case *bool: // as Kubernetes reads it: ?follow means ?follow=true
			*field = text != "0" && !strings.EqualFold(text, "false")
		case *int64:
			number, err := readNumber(name, text, 64)
			if err != nil {
				return err
			}
			*field = number
		case **int64:
			number, err := readNumber(name, text, 64)
			if err != nil {
				return err
			}
			*field = &number
		case **int32:
			if text == "" { // not set: so clients of generated conversions send it
				continue
			}
			number, err := readNumber(name, text, 32)
			if err != nil {
				return err
			}
			*field = new(int32(number)) //nolint:gosec // read as 32 bits
		case **metav1.Time:
			*field = &metav1.Time{}
			if err := (*field).UnmarshalQueryParameter(text); err != nil {
				return fmt.Errorf("%s must be a time such as 2006-01-02T15:04:05Z, not %q", name, text)
			}
		default:
			return fmt.Errorf("read the parameter %s: a %T cannot be read", name, field)
		}
	}
	return nil
}

// readNumber returns an error with the name of the parameter, and without the Go function that refused it.
func readNumber(name, text string, bits int) (int64, error) {
	number, err := strconv.ParseInt(text, 10, bits)
	if err != nil {
		return 0, fmt.Errorf("%s must be a number, not %q", name, text)
	}
	return number, nil
}
