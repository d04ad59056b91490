// SPDX-License-Identifier: Apache-2.0

package transport

import (
	"fmt"
	"net/url"
)

// CheckPlainHTTP checks that each text is HOST or HOST:PORT, as Options.PlainHTTP needs them.
func CheckPlainHTTP(hosts []string) error {
	for _, text := range hosts {
		parsed, err := url.Parse("//" + text)
		if err != nil || parsed.Host != text || parsed.Hostname() == "" || text[len(text)-1] == ':' {
			return fmt.Errorf("registry %q: must be HOST or HOST:PORT, such as registry.lan:5000", text)
		}
	}
	return nil
}
