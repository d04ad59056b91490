// SPDX-License-Identifier: Apache-2.0

package catalog

import (
	"fmt"
	"runtime"
	"strings"
	"testing"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
)

// largeKind returns an ImageKind with a number of fields. A tenth of them have a rule, and as many values are derived.
func largeKind(t testing.TB, number, fields int) *v1alpha1.ImageKind {
	document := &strings.Builder{}
	fmt.Fprintf(document, `
metadata: {name: servers%d}
spec:
  names: {kind: Server%[1]d}
  template: {builder: {name: debian}, base: {reference: "debian:trixie"}, targets: [{platform: linux/amd64, format: qcow2}]}
  versions:
  - name: v1
    schema:
      type: object
      required: [field0]
      properties:
`, number)
	for i := range fields {
		rule := ""
		if i%10 == 0 {
			rule = `, x-kubernetes-validations: [{rule: "self == oldSelf || self.startsWith('a')", message: must begin with a}]`
		}
		fmt.Fprintf(document, `        field%d: {type: string, minLength: 1, maxLength: 63, pattern: "^[a-z]+$", description: the text of field %[1]d%s}`+"\n", i, rule)
	}
	fmt.Fprintln(document, "    bindings:")
	for i := range fields {
		fmt.Fprintf(document, `    - {field: spec.field%d, to: "spec.parameters[field%[1]d]"}`+"\n", i)
	}
	fmt.Fprintln(document, "    derived:")
	for i := range fields / 10 {
		fmt.Fprintf(document, `    - {to: "spec.parameters[derived%d]", expression: "'srv-' + metadata.name + spec.field0"}`+"\n", i)
	}
	return parseKind(t, document.String())
}

// BenchmarkCompile compiles 100 kinds in each round, and reports the time and the memory of one of them.
func BenchmarkCompile(b *testing.B) {
	const count = 100
	for _, fields := range []int{10, 100} {
		b.Run(fmt.Sprint(fields), func(b *testing.B) {
			declared := make([]*v1alpha1.ImageKind, count)
			for i := range declared {
				declared[i] = largeKind(b, i, fields)
			}
			var before, after runtime.MemStats
			for b.Loop() {
				runtime.GC()
				runtime.ReadMemStats(&before)
				kinds := make([]*Kind, count)
				for i := range declared {
					kind, errs := Compile(b.Context(), declared[i])
					if len(errs) > 0 {
						b.Fatal(errs.ToAggregate())
					}
					kinds[i] = kind
				}
				runtime.GC()
				runtime.ReadMemStats(&after)
				runtime.KeepAlive(kinds)
			}
			b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(b.N*count)/1000, "ms/kind")
			b.ReportMetric(float64(after.HeapAlloc-before.HeapAlloc)/count/1024, "KiB/kind")
		})
	}
}
