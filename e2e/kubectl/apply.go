// SPDX-License-Identifier: Apache-2.0

package kubectl

import (
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"goldsmith.dev/goldsmith/e2e/terminal"
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

		It("can be asked before what it would change", func(ctx SpecContext) {
			s.Run(ctx, manifest("web", "edition: a"), "apply", "-f", "-")
			Eventually(ctx, func() terminal.Result { // a status that is written meanwhile would be a difference
				return s.Try(ctx, manifest("web", "edition: a"), "diff", "-f", "-")
			}).WithTimeout(s.environment.Patience).WithPolling(time.Second).Should(HaveField("Code", 0))
			differs := s.Try(ctx, manifest("web", "edition: b"), "diff", "-f", "-")
			Expect(differs.Code).To(Equal(1), differs.Stderr)
			Expect(differs.Stdout).To(And(MatchRegexp(`(?m)^-\s+value: a$`), MatchRegexp(`(?m)^\+\s+value: b$`)))
			Expect(s.field(ctx, "image/web", ".spec.parameters[2].value")).To(Equal("a"))
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
