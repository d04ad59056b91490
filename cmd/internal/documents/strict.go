// SPDX-License-Identifier: Apache-2.0

package documents

import (
	"errors"
	"fmt"

	kjson "sigs.k8s.io/json"

	"goldsmith.dev/goldsmith/apis/wrongtype"
)

// Strict decodes the JSON of a document. A field that the type lacks is an error. The error names fields, and no types of Go.
func Strict(text []byte, into any) error {
	problems, err := kjson.UnmarshalStrict(text, into)
	if err != nil {
		return wrongtype.Explain(err)
	}
	return errors.Join(problems...)
}

// Within puts the subject in front of an error, or of each error that was joined.
func Within(subject string, err error) []error {
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		var all []error
		for _, one := range joined.Unwrap() {
			all = append(all, Within(subject, one)...)
		}
		return all
	}
	return []error{fmt.Errorf("%s: %w", subject, err)}
}
