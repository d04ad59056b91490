// SPDX-License-Identifier: Apache-2.0

package sources

import (
	"strings"

	corev1 "k8s.io/api/core/v1"
)

// Proxy returns the variables of proxies that are set in an environment.
func Proxy(getenv func(name string) string) []corev1.EnvVar {
	var found []corev1.EnvVar
	for _, name := range []string{"HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "no_proxy"} {
		if value := getenv(name); value != "" {
			found = append(found, corev1.EnvVar{Name: name, Value: value})
		}
	}
	return found
}

// PodProxy returns the variables of proxies for pods: those of Proxy without credentials, because users of a namespace can read its pods. withheld are
// the names of the others.
func PodProxy(getenv func(name string) string) (found []corev1.EnvVar, withheld []string) {
	for _, variable := range Proxy(getenv) {
		if strings.Contains(variable.Value, "@") { // also of a URL without a scheme, which is one for Go
			withheld = append(withheld, variable.Name)
		} else {
			found = append(found, variable)
		}
	}
	return found, withheld
}
