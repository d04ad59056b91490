// SPDX-License-Identifier: Apache-2.0

package sources

import (
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
)

func TestPodsGetNoProxyWithCredentials(t *testing.T) {
	environment := map[string]string{
		"HTTP_PROXY": "http://user:s3cret@proxy:3128", "HTTPS_PROXY": "http://proxy:3128", "NO_PROXY": ".svc", "http_proxy": "user:s3cret@proxy:3128", "https_proxy": "http://token@proxy:3128",
		"PATH": "/bin",
	}
	getenv := func(name string) string { return environment[name] }
	names := func(variables []corev1.EnvVar) string {
		var all []string
		for _, variable := range variables {
			all = append(all, variable.Name)
			if variable.Value != environment[variable.Name] {
				t.Errorf("%s is %q", variable.Name, variable.Value)
			}
		}
		return strings.Join(all, " ")
	}
	if got := names(Proxy(getenv)); got != "HTTP_PROXY HTTPS_PROXY NO_PROXY http_proxy https_proxy" {
		t.Errorf("a process gets %s", got)
	}
	found, withheld := PodProxy(getenv)
	if got, without := names(found), strings.Join(withheld, " "); got != "HTTPS_PROXY NO_PROXY" || without != "HTTP_PROXY http_proxy https_proxy" {
		t.Errorf("a pod gets %s, without %s", got, without)
	}
}
