// SPDX-License-Identifier: Apache-2.0

package logarchive

import (
	"strings"
	"testing"
)

func TestTheFlag(t *testing.T) {
	for url, complaint := range map[string]string{
		"": "", None: "", "mem://": "", "file://" + t.TempDir(): "",
		"/var/logs":        `--log-archive: open the log archive /var/logs: unknown scheme ""; allowed are file:///directory`,
		"ftp://host?key=1": `--log-archive: open the log archive ftp://host: unknown scheme "ftp"`,
		"file://relative":  "an absolute path and no host",
	} {
		store, err := (&Flags{URL: url}).Open(t.Context())
		if complaint != "" {
			if err == nil || !strings.Contains(err.Error(), complaint) {
				t.Errorf("%q: got error %v, want %s", url, err, complaint)
			}
			continue
		}
		if none := url == "" || url == None; err != nil || (store == nil) != none {
			t.Errorf("%q: got %v, error %v", url, store, err)
		}
		if store != nil {
			if err := store.Close(); err != nil {
				t.Error(err)
			}
		}
	}
}
