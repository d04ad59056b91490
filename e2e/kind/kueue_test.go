// SPDX-License-Identifier: Apache-2.0

package kind

import (
	"strings"
	"testing"
)

func TestAnotherKueueIsAnotherImageAndTheSameNode(t *testing.T) {
	const names = `source kueue/environment.sh; built_node_image; kueue_image`
	for _, test := range []struct{ name, file, old, changed string }{
		{"a version", "versions.env", "KUEUE=", "KUEUE=9"},
		{"how its program is built", "build/binaries.sh", "kueue/pkg/version.GitVersion", "kueue/pkg/version.Version"},
		{"who it runs as", "kueue/Dockerfile", "65532", "1000"},
	} {
		t.Run(test.name, func(t *testing.T) {
			c := newCheckout(t)
			before := strings.Fields(c.mustBash(t, names))
			c.replace(t, test.file, test.old, test.changed)
			after := strings.Fields(c.mustBash(t, names))
			if before[0] != after[0] || before[1] == after[1] {
				t.Errorf("before: %q, after: %q", before, after)
			}
		})
	}
}

func TestKueueWantsACluster(t *testing.T) {
	c := newCheckout(t)
	for _, script := range []string{"up", "down"} {
		if _, complaints, err := c.bash(t, "kueue/"+script); err == nil || !strings.Contains(complaints, "usage: kueue/"+script+" CLUSTER") {
			t.Errorf("%s without a name: %v: %s", script, err, complaints)
		}
	}
}
