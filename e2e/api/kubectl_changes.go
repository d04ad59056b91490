// SPDX-License-Identifier: Apache-2.0

package api

import (
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/e2e/terminal"
)

func describeKubectlChanges(w *fixture) {
	s := w.terminal

	Describe("kubectl edit", func() {
		It("saves what was changed, and nothing where nothing was", func(ctx SpecContext) {
			w.create(ctx, "web")
			edited := w.withEditor(`sed -i s/bookworm/trixie/ "$1"`).Run(ctx, "", "edit", "image", "web")
			Expect(edited).To(Equal("image.images.goldsmith.dev/web edited\n"))
			Expect(w.getImage(ctx, "web").Spec.Base.Reference).To(Equal("debian:trixie"))
			unchanged := w.withEditor("true").Try(ctx, "", "edit", "image", "web")
			Expect(unchanged.Code).To(BeZero())
			Expect(unchanged.Stdout + unchanged.Stderr).To(ContainSubstring("Edit cancelled, no changes made."))
		})

		It("shows what is wrong, in the editor, until there is nothing to save", func(ctx SpecContext) {
			w.create(ctx, "web")
			w.observedImage(ctx, "web")
			refused := w.withEditor(`grep "^#" "$1"; sed -i "s/debian:bookworm/two words/" "$1"`).Try(ctx, "", "edit", "image", "web")
			Expect(refused.Code).To(Equal(1))
			Expect(refused.Stdout).To(And(ContainSubstring(`images.images.goldsmith.dev "web" was not valid`), ContainSubstring("spec.base.reference")))
			Expect(refused.Stderr).To(ContainSubstring("Edit cancelled, no valid changes were saved."))
			Expect(w.getImage(ctx, "web").Spec.Base.Reference).To(Equal("debian:bookworm"))
		})

		It("changes the status where that is asked for", func(ctx SpecContext) {
			w.create(ctx, "web")
			w.observedImage(ctx, "web")
			w.withEditor(`sed -i -e "s/^status:/status:\n  activeBuilds: 7/" -e s/bookworm/trixie/ "$1"`).Run(ctx, "", "edit", "image", "web", "--subresource=status")
			image := w.getImage(ctx, "web")
			Expect(image.Status.ActiveBuilds).To(BeEquivalentTo(7))
			Expect(image.Spec.Base.Reference).To(Equal("debian:bookworm"))
		})
	})

	It("kubectl label and annotate add, keep, replace and remove", func(ctx SpecContext) {
		w.create(ctx, "web")
		w.create(ctx, "other")
		Expect(s.Run(ctx, "", "label", "images", "--all", "team=red")).To(And(
			ContainSubstring("image.images.goldsmith.dev/web labeled"), ContainSubstring("image.images.goldsmith.dev/other labeled")))
		Expect(s.Fail(ctx, "", "label", "image", "web", "team=blue")).To(ContainSubstring("'team' already has a value (red), and --overwrite is false"))
		s.Run(ctx, "", "label", "--overwrite", "image", "web", "team=blue")
		Expect(s.Run(ctx, "", "label", "image", "-l", "team=red", "team-")).To(ContainSubstring("other unlabeled"))
		s.Run(ctx, "", "annotate", "image/web", "note=a b")
		s.Run(ctx, "", "annotate", "image/web", "note-", "other=c", "--dry-run=server")
		Expect(s.Run(ctx, "", "label", "image", "web", "--list")).To(Equal("team=blue\n"))
		Expect(w.getImage(ctx, "web").Annotations).To(Equal(map[string]string{"note": "a b"}))
		Expect(w.getImage(ctx, "other").Labels).To(BeEmpty())
		Expect(w.getImage(ctx, "web").Generation).To(BeEquivalentTo(1))
	})

	It("kubectl patch knows every type, as a dry run, too", func(ctx SpecContext) {
		w.create(ctx, "web")
		const dry = "--dry-run=server"
		for kind, patch := range map[string]string{
			"json":      `[{"op":"replace","path":"/spec/base/reference","value":"debian:trixie"}]`,
			"merge":     `{"spec":{"base":{"reference":"debian:trixie"}}}`,
			"strategic": `{"spec":{"base":{"reference":"debian:trixie"}}}`,
		} {
			Expect(s.Run(ctx, "", "patch", "image/web", "--type="+kind, "-p", patch, dry, "-o", "jsonpath={.spec.base.reference}")).To(Equal("debian:trixie"), kind)
		}
		Expect(w.getImage(ctx, "web").Spec.Base.Reference).To(Equal("debian:bookworm"))
		Expect(s.Run(ctx, "", "patch", "image/web", "--type=merge", "-p", `{"spec":{"suspend":true}}`)).To(ContainSubstring("patched (no change)"))
	})

	Describe("kubectl apply", func() {
		It("removes what is no longer in the manifest, and leaves what others have added", func(ctx SpecContext) {
			with := func(labels, parameters string) string {
				return strings.Replace(plainImage("web", "labels: "+labels), "spec:", "spec:\n  parameters: "+parameters, 1)
			}
			s.Run(ctx, with("{a: x, b: x}", "[{name: a}, {name: b}]"), "apply", "-f", "-")
			s.Run(ctx, "", "label", "image", "web", "c=x")
			s.Run(ctx, "", "patch", "image", "web", "-p", `{"spec":{"parameters":[{"name":"c"}]}}`)
			s.Run(ctx, with("{a: x}", "[{name: a}]"), "apply", "-f", "-")
			Expect(w.getImage(ctx, "web").Labels).To(Equal(map[string]string{"a": "x", "c": "x"}))
			Expect(w.getImage(ctx, "web").Spec.Parameters).To(ConsistOf(v1alpha1.Parameter{Name: "a"}, v1alpha1.Parameter{Name: "c"}))
			Expect(s.Run(ctx, "", "apply", "view-last-applied", "image", "web", "-o", "json")).To(ContainSubstring(`"a": "x"`))
		})

		DescribeTable("keeps durations and quantities as they are written, and changes nothing the second time", func(ctx SpecContext, flags ...string) {
			const written = `
  timeouts: {queue: 1h0m0s, start: 600s, run: 7d}
  retry: {backoff: {initial: 1.5s, max: 60m}}
  triggers: {schedule: {cron: "@daily", jitter: "0", startingDeadline: 5400s}}
  history: {ttl: {succeeded: 30d, failed: 1d12h}, logRetention: {failed: 48h}, recordRetention: {failed: 010d}, logMaxBytes: 1024Mi}
  template: {resources: {requests: {cpu: "0.5", memory: 1024Mi}, limits: {cpu: 2, memory: 2048Mi}}}`
			manifest := strings.Replace(plainImage("web"), "spec:", "spec:"+written, 1)
			apply := append([]string{"apply", "-f", "-"}, flags...)
			s.Run(ctx, manifest, apply...)
			applied := w.observedImage(ctx, "web")
			Expect(applied.Spec.Timeouts.Run).To(HaveValue(Equal(v1alpha1.Duration{Duration: 7 * 24 * time.Hour, Written: "7d"})))
			for field, want := range map[string]string{
				"timeouts": `{"queue":"1h0m0s","run":"7d","start":"600s"}`, "retry.backoff": `{"initial":"1.5s","max":"60m"}`,
				"triggers.schedule.jitter": "0", "triggers.schedule.startingDeadline": "5400s",
				"history.ttl": `{"failed":"1d12h","succeeded":"30d"}`, "history.logRetention.failed": "48h", "history.recordRetention.failed": "010d",
				"history.logMaxBytes": "1024Mi", "template.resources.requests": `{"cpu":"0.5","memory":"1024Mi"}`,
				"template.resources.limits": `{"cpu":2,"memory":"2048Mi"}`,
			} {
				Expect(s.Run(ctx, "", "get", "image", "web", "-o", "jsonpath={.spec."+field+"}")).To(Equal(want), field)
			}
			Expect(s.Run(ctx, manifest, apply...)).To(MatchRegexp("web (unchanged|serverside-applied)\n$"))
			Expect(w.getImage(ctx, "web")).To(BeComparableTo(applied))
			Expect(s.Run(ctx, manifest, append([]string{"diff", "-f", "-"}, flags...)...)).To(BeEmpty())

			s.Run(ctx, manifest, "apply", "-f", "-", "--server-side", "--field-manager=another") // and conflicts with nobody
			Expect(w.getImage(ctx, "web").Generation).To(Equal(applied.Generation))
		},
			Entry("on the client"),
			Entry("on the server", "--server-side"),
		)

		It("moves on to the server's side", func(ctx SpecContext) {
			s.Run(ctx, plainImage("web", "labels: {a: x, b: x}"), "apply", "-f", "-")
			s.Run(ctx, plainImage("web", "labels: {a: x}"), "apply", "--server-side", "-f", "-")
			image := w.getImage(ctx, "web")
			Expect(image.Labels).To(Equal(map[string]string{"a": "x"}))
			Expect(owned(image, "kubectl Apply")).To(ContainSubstring("f:spec"))
		})

		It("--prune removes what has left the manifests, of the kinds that are listed", func(ctx SpecContext) {
			pruned := []string{"apply", "--prune", "-l", "app=x", "--prune-allowlist=images.goldsmith.dev/v1alpha1/Image", "-f", "-"}
			s.Run(ctx, plainImage("a", "labels: {app: x}")+plainImage("b", "labels: {app: x}"), pruned...)
			w.create(ctx, "by-hand", labelled("app", "x"))
			s.Run(ctx, plainImage("foreign", "labels: {app: z}"), "apply", "-f", "-")
			Expect(s.Run(ctx, plainImage("a", "labels: {app: x}"), pruned...)).To(And(ContainSubstring("a unchanged"), ContainSubstring("b pruned")))
			Expect(strings.Fields(s.Run(ctx, "", "get", "images", "-o", "jsonpath={.items[*].metadata.name}"))).To(ConsistOf("a", "by-hand", "foreign"))
		})

		It("--prune removes what has left a set", func(ctx SpecContext) {
			sets := w.withVariable("KUBECTL_APPLYSET=true")
			set := []string{"apply", "--server-side", "--prune", "--applyset=configmap/set", "-f", "-"}
			sets.Run(ctx, plainImage("a")+plainImage("b"), set...)
			Expect(sets.Run(ctx, plainImage("a"), set...)).To(ContainSubstring("b pruned"))
			Expect(strings.Fields(s.Run(ctx, "", "get", "images", "-o", "name"))).To(ConsistOf("image.images.goldsmith.dev/a"))
			Expect(w.dependents("set")(ctx)).To(HaveField("Annotations", HaveKeyWithValue("applyset.kubernetes.io/contains-group-kinds", "Image.images.goldsmith.dev")))
		})

		It("--validate decides about fields that nobody knows", func(ctx SpecContext) {
			unknown := strings.Replace(plainImage("web"), "spec:", "spec:\n  colour: gold", 1)
			dry := []string{"create", "--dry-run=server", "-f", "-"}
			Expect(s.Fail(ctx, unknown, append(dry, "--validate=strict")...)).To(ContainSubstring(`strict decoding error: unknown field "spec.colour"`))
			warned := s.Try(ctx, unknown, append(dry, "--validate=warn")...)
			Expect(warned.Code).To(BeZero())
			Expect(warned.Stderr).To(Equal("Warning: unknown field \"spec.colour\"\n"))
			ignored := s.Try(ctx, unknown, append(dry, "--validate=ignore")...)
			Expect(ignored.Stderr).To(BeEmpty())
			Expect(ignored.Stdout).To(Equal("image.images.goldsmith.dev/web created (server dry run)\n"))
			Expect(w.Images().List(ctx, metav1.ListOptions{})).To(HaveField("Items", BeEmpty()))
		})
	})

	It("kubectl diff shows a server-side apply before it is done", func(ctx SpecContext) {
		s.Run(ctx, plainImage("web"), "apply", "--server-side", "-f", "-")
		w.Eventually(ctx, func() terminal.Result { // a first status that is written meanwhile would be a difference
			return s.Try(ctx, plainImage("web"), "diff", "--server-side", "-f", "-")
		}).Should(HaveField("Code", 0))
		differs := s.Try(ctx, strings.Replace(plainImage("web"), "bookworm", "trixie", 1)+plainImage("new"), "diff", "--server-side", "-f", "-")
		Expect(differs.Code).To(Equal(1), differs.Stderr)
		Expect(differs.Stdout).To(And(MatchRegexp(`(?m)^\+ +reference: debian:trixie$`), MatchRegexp(`(?m)^\+  name: new$`)))
		Expect(w.getImage(ctx, "web").Spec.Base.Reference).To(Equal("debian:bookworm"))
	})
}
