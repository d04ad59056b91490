// SPDX-License-Identifier: Apache-2.0

package catalog

import (
	"strings"
	"testing"

	"sigs.k8s.io/yaml"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/e2e/require"
)

func TestAKindCanHaveTestsWhoseFileItsUsersWrite(t *testing.T) {
	const document = `
metadata: {name: webs}
spec:
  names: {kind: Web}
  template:
    builder: {name: debian}
    base: {reference: "debian:trixie"}
    targets: [{platform: linux/amd64, format: raw}]
    tests: [{name: site, boot: {}, goss: tests/site.yaml}]
    channels: [{name: stable, promote: Automatic, requires: {tests: [site]}}]
  versions:
  - name: v1
    schema:
      type: object
      properties:
        checks: {type: string, description: Checks of goss., maxLength: 1024}
    bindings: [{field: spec.checks, to: "spec.source.inline.files[tests/site.yaml]"}]`
	for title, test := range map[string]struct{ schema, want string }{
		"required":       {"type: object\n      required: [checks]", ""},
		"with a default": {"type: object", ""},
		"optional":       {"type: object", "spec.template.tests[0].goss"},
	} {
		text := strings.Replace(document, "type: object", test.schema, 1)
		if title == "with a default" {
			text = strings.Replace(text, "maxLength: 1024", `maxLength: 1024, default: "service: {ssh: {running: true}}"`, 1)
		}
		declared := &v1alpha1.ImageKind{}
		require.NoError(t, yaml.UnmarshalStrict([]byte(text), declared))
		_, errs := Compile(t.Context(), declared)
		if test.want == "" && len(errs) > 0 || test.want != "" && (len(errs) != 1 || errs[0].Field != test.want) {
			t.Errorf("%s: %v", title, errs)
		}
	}
}
