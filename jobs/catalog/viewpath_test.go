// SPDX-License-Identifier: Apache-2.0

package catalog

import "testing"

func TestViewPath(t *testing.T) {
	kind := compile(t, debianServers)
	image := storedServer(t, kind)
	for _, test := range []struct{ image, want string }{
		{"spec.parameters[1].value", "spec.size"},
		{"spec.parameters[1]", "spec.size"},
		{"spec.parameters[2].name", "spec.owner"},
		{"spec.parameters[0].value", ""}, // of the template
		{"spec.parameters[3].value", ""}, // there are only three
		{"spec.parameters[-1].value", ""},
		{"spec.parameters", ""}, // several fields decide
		{"spec.base.reference", "spec.release"},
		{"spec.base", "spec.release"},
		{"spec.retry", "spec.retries"},
		{"spec.retry.limit", "spec.retries"},
		{"spec.retry.limits", ""},
		{"spec.triggers.schedule.cron", "spec.rebuild.at"},
		{"spec.triggers.schedule", ""},
		{"spec.builder.name", ""},
		{"spec", ""},
		{"metadata", "metadata"},
		{"metadata.name", "metadata.name"},
		{"metadata.labels[images.goldsmith.dev/legal-hold]", "metadata.labels[images.goldsmith.dev/legal-hold]"},
		{"metadatum", ""},
	} {
		if got, found := kind.ViewPath(image, test.image); got != test.want || found != (test.want != "") {
			t.Errorf("%s: %q, %t, want %q", test.image, got, found, test.want)
		}
	}
}
