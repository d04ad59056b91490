// SPDX-License-Identifier: Apache-2.0

package schemas_test

import (
	"strings"
	"testing"
)

// whole is an Image with a value for most fields. Each broken manifest is this manifest with one change.
const whole = `apiVersion: images.goldsmith.dev/v1alpha1
kind: Image
metadata:
  name: web
  labels: {team: web}
spec:
  builder: {name: mock}
  base: {reference: "debian:bookworm"}
  source: {inline: {files: {etc/motd: hello}}}
  parameters:
  - {name: duration, value: 1s}
  targets:
  - {platform: linux/amd64, format: raw}
  - {platform: linux/arm64/v8, format: qcow2}
  template:
    resources: {limits: {cpu: 2, memory: 1Gi}}
    tolerations: [{key: builders, operator: Exists, effect: NoSchedule}]
    env: [{name: COLOUR, value: red}]
  triggers:
    schedule: {cron: "@daily", mode: IfChanged, jitter: 1h30m}
    onBaseChange: false
  runPolicy: Serial
  suspend: false
  timeouts: {run: 1d12h, start: 0.5h}
  retry: {limit: 2, classes: [Timeout], backoff: {initial: 30s}}
  history: {succeeded: 5, logMaxBytes: 1048576, ttl: {failed: 30d}}
`

// broken is a change that makes the manifest invalid, and the path of the field that is wrong. A path is empty if no field is wrong.
type broken struct {
	what, old, new, path string
}

var allBroken = []broken{
	{"an unknown field beside spec", "spec:\n", "specs: {}\nspec:\n", "specs"},
	{"an unknown field of spec", "suspend:", "suspended:", "spec.suspended"},
	{"an unknown field of the builder", "{name: mock}", "{name: mock, version: a}", "spec.builder.version"},
	{"an unknown field of the base", "{reference:", "{tag: a, reference:", "spec.base.tag"},
	{"an unknown field of the source", "{inline: {files:", "{inline: {mode: a, files:", "spec.source.inline.mode"},
	{"an unknown field of a parameter", "{name: duration, value: 1s}", "{name: duration, val: 1s}", "spec.parameters[0].val"},
	{"an unknown field of a target", "format: qcow2}", "format: qcow2, size: 1Gi}", "spec.targets[1].size"},
	{"an unknown field of the template", "resources:", "resource:", "spec.template.resource"},
	{"an unknown field of a toleration", "key: builders,", "key: builders, name: a,", "spec.template.tolerations[0].name"},
	{"an unknown field of the triggers", "onBaseChange:", "onBaseChanged:", "spec.triggers.onBaseChanged"},
	{"an unknown field of the schedule", "jitter:", "timezone: UTC, jitter:", "spec.triggers.schedule.timezone"},
	{"an unknown field of the backoff", "initial:", "first:", "spec.retry.backoff.first"},
	{"an unknown field of the history", "failed:", "failure:", "spec.history.ttl.failure"},

	{"no builder", "  builder: {name: mock}\n", "", "spec.builder"},
	{"no base", "  base: {reference: \"debian:bookworm\"}\n", "", "spec.base"},
	{"no targets", "  targets:\n  - {platform: linux/amd64, format: raw}\n  - {platform: linux/arm64/v8, format: qcow2}\n", "", "spec.targets"},
	{"no platform", "platform: linux/amd64, ", "", "spec.targets[0].platform"},
	{"no format", ", format: qcow2", "", "spec.targets[1].format"},
	{"no name of a parameter", "name: duration, ", "", "spec.parameters[0].name"},
	{"no times in a schedule", "cron: \"@daily\", ", "", "spec.triggers.schedule.cron"},
	{"no name of a variable", "name: COLOUR, ", "", "spec.template.env[0].name"},

	{"an unknown format", "format: raw", "format: vhd", "spec.targets[0].format"},
	{"a format in upper case", "format: raw", "format: RAW", "spec.targets[0].format"},
	{"an unknown run policy", "runPolicy: Serial", "runPolicy: Sequential", "spec.runPolicy"},
	{"an unknown mode of the schedule", "mode: IfChanged", "mode: Never", "spec.triggers.schedule.mode"},
	{"an unknown class of failures", "classes: [Timeout]", "classes: [Network]", "spec.retry.classes[0]"},
	{"an unknown effect of a taint", "effect: NoSchedule", "effect: Never", "spec.template.tolerations[0].effect"},

	{"a string for a boolean", "suspend: false", "suspend: \"no\"", "spec.suspend"},
	{"a string for a number", "limit: 2", "limit: \"2\"", "spec.retry.limit"},
	{"a number for a string", "value: 1s", "value: 1", "spec.parameters[0].value"},
	{"a boolean for a string", "value: red", "value: true", "spec.template.env[0].value"},
	{"a fraction for a whole number", "succeeded: 5", "succeeded: 5.5", "spec.history.succeeded"},
	{"a number for a duration", "run: 1d12h", "run: 60", "spec.timeouts.run"},
	{"a boolean for a quantity", "cpu: 2", "cpu: true", "spec.template.resources.limits.cpu"},
	{"a map for the parameters", "\n  - {name: duration, value: 1s}", " {duration: 1s}", "spec.parameters"},
	{"a list for the files", "files: {etc/motd: hello}", "files: [etc/motd]", "spec.source.inline.files"},
	{"a name for the builder", "{name: mock}", "mock", "spec.builder"},
	{"a reference for the base", "{reference: \"debian:bookworm\"}", "\"debian:bookworm\"", "spec.base"},

	{"an empty list of targets", ":\n  - {platform: linux/amd64, format: raw}\n  - {platform: linux/arm64/v8, format: qcow2}\n", ": []\n", "spec.targets"},
	{"a platform without an architecture", "linux/amd64", "linux", "spec.targets[0].platform"},
	{"a duration in weeks", "run: 1d12h", "run: 2w", "spec.timeouts.run"},
	{"too many retries", "limit: 2", "limit: 11", "spec.retry.limit"},
	{"no successful build to keep", "succeeded: 5", "succeeded: 0", "spec.history.succeeded"},
	{"a name of a builder in upper case", "name: mock", "name: Mock", "spec.builder.name"},
	{"a space in the name of a parameter", "name: duration", "name: a duration", "spec.parameters[0].name"},

	{"an unknown kind", "kind: Image", "kind: Picture", ""},
	{"an unknown version", "v1alpha1", "v1beta9", ""},
	{"an unknown group", "images.goldsmith.dev", "images.example.com", ""},
}

func (b broken) manifest(t *testing.T) string {
	t.Helper()
	if strings.Count(whole, b.old) != 1 {
		t.Fatalf("%s: the manifest has %q %d times", b.what, b.old, strings.Count(whole, b.old))
	}
	return strings.Replace(whole, b.old, b.new, 1)
}
