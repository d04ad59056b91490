// SPDX-License-Identifier: Apache-2.0

package v1alpha1

import (
	"fmt"
	"net/url"
	"strconv"

	"k8s.io/apimachinery/pkg/conversion"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
)

// Convert_url_Values_To_v1alpha1_ImageBuildLogOptions reads query parameters. The generated conversion does not support
// pointers to 32-bit integers, and its errors do not name the invalid parameter.
func Convert_url_Values_To_v1alpha1_ImageBuildLogOptions(in *url.Values, out *v1alpha1.ImageBuildLogOptions, scope conversion.Scope) error {
	if err := autoConvert_url_Values_To_v1alpha1_ImageBuildLogOptions(in, out, scope); err != nil {
		for _, parameter := range []string{"tailLines", "limitBytes"} {
			if _, invalid := strconv.ParseInt(in.Get(parameter), 10, 64); in.Has(parameter) && invalid != nil {
				return named(parameter, in, err)
			}
		}
		return fmt.Errorf("sinceTime must be a time such as 2006-01-02T15:04:05Z, not %q", in.Get("sinceTime"))
	}
	text := in.Get("attempt")
	if text == "" {
		return nil
	}
	number, err := strconv.ParseInt(text, 10, 32)
	if err != nil {
		return fmt.Errorf("attempt must be a number, not %q", text)
	}
	attempt := int32(number)
	out.Attempt = &attempt
	return nil
}

// Convert_url_Values_To_v1alpha1_ImageHistoryOptions reads query parameters. The errors of the generated conversion do not name
// the invalid parameter.
func Convert_url_Values_To_v1alpha1_ImageHistoryOptions(in *url.Values, out *v1alpha1.ImageHistoryOptions, scope conversion.Scope) error {
	return named("limit", in, autoConvert_url_Values_To_v1alpha1_ImageHistoryOptions(in, out, scope))
}

// Convert_url_Values_To_v1alpha1_ImageJournalOptions reads query parameters like the conversion of ImageHistoryOptions.
func Convert_url_Values_To_v1alpha1_ImageJournalOptions(in *url.Values, out *v1alpha1.ImageJournalOptions, scope conversion.Scope) error {
	return named("limit", in, autoConvert_url_Values_To_v1alpha1_ImageJournalOptions(in, out, scope))
}

// named returns the error of a numeric parameter with its name, and without the Go function that refused it.
func named(parameter string, in *url.Values, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s must be a number, not %q", parameter, in.Get(parameter))
}
