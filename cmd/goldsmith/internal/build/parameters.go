// SPDX-License-Identifier: Apache-2.0

package build

import (
	"fmt"
	"strings"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
)

// parseParameters parses parameters of the form NAME=VALUE. A value may be empty, and may contain "=".
func parseParameters(written []string) ([]v1alpha1.Parameter, error) {
	var parameters []v1alpha1.Parameter
	seen := map[string]bool{}
	for _, text := range written {
		name, value, ok := strings.Cut(text, "=")
		switch {
		case !ok || name == "":
			return nil, fmt.Errorf("--parameter %q: must be NAME=VALUE, such as edition=12", text)
		case seen[name]:
			return nil, fmt.Errorf("--parameter %q: name is set twice: set each parameter once", name)
		}
		seen[name] = true
		parameters = append(parameters, v1alpha1.Parameter{Name: name, Value: value})
	}
	return parameters, nil
}
