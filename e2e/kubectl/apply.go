// SPDX-License-Identifier: Apache-2.0

package kubectl

import (
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
)

func describeApply(s *shell) {
	Describe("apply", func() {
		It("makes an image, leaves it alone, changes it", func(ctx SpecContext) {
			Expect(s.Run(ctx, manifest("web"), "apply", "-f", "-")).To(Equal("image.images.goldsmith.dev/web created\n"))
			s.waitFor(ctx, "condition=Ready", "image/web")
			Expect(s.Run(ctx, manifest("web"), "apply", "-f", "-")).To(Equal("image.images.goldsmith.dev/web unchanged\n"))
			Expect(s.Run(ctx, manifest("web", "edition: b"), "apply", "-f", "-")).To(Equal("image.images.goldsmith.dev/web configured\n"))
			s.waitFor(ctx, "jsonpath={.status.latestSuccessful.number}=2", "image/web")
			Expect(s.field(ctx, "imgb/web-2", ".spec.trigger.changes[*].path")).To(Equal("parameters[edition]"))
		})

		It("on the server's side tracks who owns which field", Label("gate"), func(ctx SpecContext) {
			s.Run(ctx, manifest("web"), "apply", "--server-side", "--field-manager=one", "-f", "-")
			other := `{"apiVersion":"images.goldsmith.dev/v1alpha1","kind":"Image","metadata":{"name":"web"},
				"spec":{"base":{"reference":"debian:trixie"},"parameters":[{"name":"edition","value":"b"}]}}`

			refusal := s.Fail(ctx, other, "apply", "--server-side", "--field-manager=two", "-f", "-")
			Expect(refusal).To(And(ContainSubstring(`conflict with "one"`), ContainSubstring(".spec.base.reference")))
			s.Run(ctx, other, "apply", "--server-side", "--field-manager=two", "--force-conflicts", "-f", "-")
			Expect(s.field(ctx, "image/web", ".spec.base.reference")).To(Equal("debian:trixie"))
			Expect(s.field(ctx, "image/web", ".spec.parameters[*].name")).To(Equal("duration steps edition"))
			Expect(s.Run(ctx, "", "get", "image/web", "-o", "yaml", "--show-managed-fields")).To(ContainSubstring("manager: two"))
		})

		It("warns of a builder that nobody registered", func(ctx SpecContext) {
			created := s.Try(ctx, strings.Replace(manifest("web"), "builder: {name: mock}", "builder: {name: nobodys}", 1), "apply", "-f", "-")
			Expect(created.Code).To(Equal(0), created.Stderr)
			Expect(created.Stderr).To(HavePrefix(`Warning: spec.builder: no builder is registered as "nobodys"`))
		})

		It("as a dry run stores nothing, and shows the defaults", func(ctx SpecContext) {
			shown := s.Run(ctx, manifest("web"), "apply", "--dry-run=server", "-o", "yaml", "-f", "-")
			Expect(shown).To(And(ContainSubstring("runPolicy: Serial"), ContainSubstring("start: 10m"), ContainSubstring("onSpecChange: true")))
			Expect(s.Run(ctx, "", "get", "images", "-o", "name")).To(BeEmpty())
		})
	})

	Describe("apply, of an image that is not built,", func() {
		It("removes what is no longer in the manifest, and leaves what others have added", func(ctx SpecContext) {
			with := func(labels, parameters string) string {
				return strings.Replace(suspended("web", "labels: "+labels), "spec:", "spec:\n  parameters: "+parameters, 1)
			}
			s.Run(ctx, with("{a: x, b: x}", "[{name: a}, {name: b}]"), "apply", "-f", "-")
			s.Run(ctx, "", "label", "image", "web", "c=x")
			s.Run(ctx, "", "patch", "image", "web", "-p", `{"spec":{"parameters":[{"name":"c"}]}}`)
			s.Run(ctx, with("{a: x}", "[{name: a}]"), "apply", "-f", "-")
			Expect(s.field(ctx, "image/web", ".metadata.labels")).To(MatchJSON(`{"a":"x","c":"x"}`))
			Expect(strings.Fields(s.field(ctx, "image/web", ".spec.parameters[*].name"))).To(ConsistOf("a", "c"))
		})

		DescribeTable("keeps durations and quantities as they are written, and changes nothing the second time", func(ctx SpecContext, flags ...string) {
			const written = `
  timeouts: {queue: 1h0m0s, start: 600s, run: 7d}
  retry: {backoff: {initial: 1.5s, max: 60m}}
  triggers: {schedule: {cron: "@daily", jitter: "0", startingDeadline: 5400s}}
  history: {ttl: {succeeded: 30d, failed: 1d12h}, logRetention: {failed: 48h}, recordRetention: {failed: 010d}, logMaxBytes: 1024Mi}
  template: {resources: {requests: {cpu: "0.5", memory: 1024Mi}, limits: {cpu: 2, memory: 2048Mi}}}`
			manifest := strings.Replace(suspended("web"), "spec:", "spec:"+written, 1)
			apply := append([]string{"apply", "-f", "-"}, flags...)
			s.Run(ctx, manifest, apply...)
			s.waitFor(ctx, "jsonpath={.status.observedGeneration}=1", "image/web")
			version := s.field(ctx, "image/web", ".metadata.resourceVersion")
			for field, want := range map[string]string{
				"timeouts": `{"queue":"1h0m0s","run":"7d","start":"600s"}`, "retry.backoff": `{"initial":"1.5s","max":"60m"}`,
				"triggers.schedule.jitter": "0", "triggers.schedule.startingDeadline": "5400s",
				"history.ttl": `{"failed":"1d12h","succeeded":"30d"}`, "history.logRetention.failed": "48h", "history.recordRetention.failed": "010d",
				"history.logMaxBytes": "1024Mi", "template.resources.requests": `{"cpu":"0.5","memory":"1024Mi"}`,
				"template.resources.limits": `{"cpu":2,"memory":"2048Mi"}`,
			} {
				Expect(s.field(ctx, "image/web", ".spec."+field)).To(Equal(want), field)
			}
			Expect(s.Run(ctx, manifest, apply...)).To(MatchRegexp("web (unchanged|serverside-applied)\n$"))
			Expect(s.field(ctx, "image/web", ".metadata.resourceVersion")).To(Equal(version))
			Expect(s.Run(ctx, manifest, append([]string{"diff", "-f", "-"}, flags...)...)).To(BeEmpty())

			s.Run(ctx, manifest, "apply", "-f", "-", "--server-side", "--field-manager=another") // and conflicts with nobody
			Expect(s.field(ctx, "image/web", ".metadata.generation")).To(Equal("1"))
		},
			Entry("on the client"),
			Entry("on the server", "--server-side"),
		)

		It("--prune removes what has left a set", func(ctx SpecContext) {
			sets := s.withVariable("KUBECTL_APPLYSET=true")
			set := []string{"apply", "--server-side", "--prune", "--applyset=configmap/set", "-f", "-"}
			sets.Run(ctx, suspended("a")+suspended("b"), set...)
			Expect(sets.Run(ctx, suspended("a"), set...)).To(ContainSubstring("b pruned"))
			Expect(s.Run(ctx, "", "get", "images", "-o", "name")).To(Equal("image.images.goldsmith.dev/a\n"))
		})
	})

	Describe("label and annotate", func() {
		It("start no build", func(ctx SpecContext) {
			s.build(ctx, "web")
			s.Run(ctx, "", "label", "image", "web", "team=platform")
			s.Run(ctx, "", "annotate", "image", "web", "note=none")
			Expect(s.Run(ctx, "", "get", "images", "-l", "team=platform", "-o", "name")).To(Equal("image.images.goldsmith.dev/web\n"))
			s.Run(ctx, manifest("web", "edition: b"), "apply", "-f", "-")
			s.waitFor(ctx, "jsonpath={.status.latestSuccessful.number}=2", "image/web")
		})
	})

	Describe("create --raw", func() {
		It("asks for a build, and cancels it", func(ctx SpecContext) {
			s.build(ctx, "web")
			path := "/apis/images.goldsmith.dev/v1alpha1/namespaces/" + s.namespace
			const about = `{"apiVersion":"images.goldsmith.dev/v1alpha1","kind":`
			s.Run(ctx, "", "patch", "image", "web", "--type=json", "-p", `[{"op":"replace","path":"/spec/parameters/0/value","value":"10m"}]`)
			s.waitFor(ctx, "jsonpath={.status.phase}=Running", "imgb/web-2")

			answer := s.Run(ctx, about+`"BuildRequest","requestID":"nightly","message":"by hand"}`, "create", "--raw", path+"/images/web/instantiate", "-f", "-")
			Expect(answer).To(And(ContainSubstring(`"kind":"ImageBuild"`), ContainSubstring(`"name":"web-3"`), ContainSubstring("by hand")))
			for _, build := range []string{"web-3", "web-2"} {
				answer = s.Run(ctx, about+`"CancelRequest","reason":"not needed"}`, "create", "--raw", path+"/imagebuilds/"+build+"/cancel", "-f", "-")
				Expect(answer).To(ContainSubstring("cancelRequested"))
				s.waitFor(ctx, "jsonpath={.status.phase}=Cancelled", "imgb/"+build)
			}
		})
	})
}
