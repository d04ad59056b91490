// SPDX-License-Identifier: Apache-2.0

package transport

import "testing"

func TestRegistriesWithoutTLSAreHosts(t *testing.T) {
	for text, valid := range map[string]bool{
		"registry": true, "registry.lan:5000": true, "10.0.0.1": true, "[::1]:5000": true, "[fe80::1]": true,
		"": false, ":5000": false, "registry:": false, "registry:http": false, "http://registry": false, "registry/team": false, "a b": false,
		"user@registry": false, "registry?": false,
	} {
		if err := CheckPlainHTTP([]string{"localhost", text}); (err == nil) != valid {
			t.Errorf("%q: %v", text, err)
		}
	}
}
