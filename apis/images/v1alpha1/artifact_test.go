// SPDX-License-Identifier: Apache-2.0

package v1alpha1

import "testing"

func TestTheFileOfAnArtifactIsNamedByBuildAndTarget(t *testing.T) {
	for target, want := range map[string]string{
		"linux/amd64/raw":      "debian-7-linux-amd64.raw",
		"linux/arm64/v8/qcow2": "debian-7-linux-arm64-v8.qcow2",
		"raw":                  "debian-7-raw",
		"../../etc/pass wd":    "debian-7-..-..-etc.pass-wd",
	} {
		if got := (&Artifact{Target: target}).FileName("debian-7"); got != want {
			t.Errorf("%s: %s, not %s", target, got, want)
		}
	}
}
