// SPDX-License-Identifier: Apache-2.0

package kubectl

import (
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"goldsmith.dev/goldsmith/e2e/deadline"
	"goldsmith.dev/goldsmith/e2e/workspace"
)

// findsKinds is how long kubectl looks for a kind that the server serves. Without an announcement it takes up to two minutes.
var findsKinds = deadline.Wait{Timers: 5 * time.Second, Work: 5 * time.Second}

// describeCatalog: a kind of the catalog is to kubectl what any other kind is.
func describeCatalog(s *shell) {
	appliance := func(name, spec string, metadata ...string) string {
		return "apiVersion: catalog.goldsmith.dev/v1\nkind: Appliance\nmetadata:\n  name: " + name + "\n  " + strings.Join(metadata, "\n  ") + "\nspec: " + spec + "\n---\n"
	}
	const object = "appliance.catalog.goldsmith.dev/"
	establish := func(ctx SpecContext) {
		GinkgoHelper()
		Eventually(ctx, func() int { return s.Try(ctx, workspace.Appliances, "apply", "-f", "-").Code }). // other specs apply it, too
															WithTimeout(s.environment.Patience).WithPolling(polling).Should(BeZero())
		s.Run(ctx, "", "wait", "imagekind/appliances", "--for=condition=Established")
		Eventually(ctx, func() int { return s.Try(ctx, "", "get", "appliances").Code }).WithTimeout(findsKinds.Deadline()).WithPolling(polling).Should(BeZero())
	}

	DescribeTable("kubectl treats a kind of the catalog as any kind:", func(ctx SpecContext, minor string) {
		establish(ctx)
		kubectl := s.withRelease(minor)
		for name, flags := range map[string][]string{"client": nil, "server": {"--server-side"}} {
			apply := append([]string{"apply", "-f", "-"}, flags...)
			kubectl.Run(ctx, appliance(name, "{release: bookworm}"), apply...)
			s.Run(ctx, "", "wait", "--for=condition=Ready", "appliance/"+name, "--timeout="+s.environment.Patience.String())
			Eventually(ctx, func(g Gomega) { // the controller may write the status meanwhile
				version := s.field(ctx, "appliance/"+name, ".metadata.resourceVersion")
				Expect(kubectl.Run(ctx, appliance(name, "{release: bookworm}"), apply...)).To(MatchRegexp(name + " (unchanged|serverside-applied)\n$"))
				g.Expect(s.field(ctx, "appliance/"+name, ".metadata.resourceVersion")).To(Equal(version))
			}).WithTimeout(s.environment.Patience).WithPolling(polling).Should(Succeed())
			Expect(kubectl.Try(ctx, appliance(name, "{release: trixie}"), append([]string{"diff", "-f", "-"}, flags...)...)).To(And(
				HaveField("Code", 1), HaveField("Stdout", MatchRegexp(`(?m)^\+ +release: trixie$`))))
			Expect(kubectl.Fail(ctx, appliance(name, "{release: bookworm, colour: gold}"), apply...)).To(ContainSubstring("spec.colour"))
			Expect(kubectl.Fail(ctx, appliance(name, "{release: sarge}"), apply...)).To(ContainSubstring(`spec.release: Unsupported value: "sarge"`))
		}
		Expect(rows(kubectl.Run(ctx, "", "get", "apl"))[:2]).To(HaveExactElements(
			Equal(strings.Fields("NAME RELEASE READY LATEST AGE")), HaveExactElements("client", "bookworm", "True", "client-1", Not(BeEmpty()))))
		// Other specs delete kinds of this category, and kubectl fails until it has read the list of kinds again.
		Eventually(ctx, func() []string { return strings.Fields(kubectl.Try(ctx, "", "get", "catalog", "-o", "name").Stdout) }).
			WithTimeout(findsKinds.Deadline()).WithPolling(polling).Should(ConsistOf(object+"client", object+"server"))
		Expect(kubectl.Run(ctx, "", "describe", "apl", "client")).To(And(MatchRegexp(`(?m)^Kind: +Appliance$`), MatchRegexp(`(?m)^ +Release: +bookworm$`)))
		for _, output := range []string{"plaintext", "plaintext-openapiv2"} {
			Eventually(ctx, func() result { return kubectl.Try(ctx, "", "explain", "appliance.spec.release", "--output="+output) }).
				WithTimeout(findsKinds.Deadline()).WithPolling(polling).Should(HaveField("Stdout", ContainSubstring("Release of Debian.")))
		}
		Expect(kubectl.Run(ctx, "", "api-resources", "--api-group=catalog.goldsmith.dev")).To(MatchRegexp(`(?m)^appliances +apl +catalog\.goldsmith\.dev/v1 +true +Appliance$`))

		edit := kubectl
		edit.Variables = append(edit.Variables, "KUBE_EDITOR=sed -i s/bookworm/trixie/")
		Expect(edit.Run(ctx, "", "edit", "appliance", "client")).To(Equal(object + "client edited\n"))
		Expect(s.field(ctx, "image/client", ".spec.base.reference")).To(Equal("debian:trixie"))
		Expect(kubectl.Run(ctx, "", "patch", "appliance", "client", "--type=merge", "-p", `{"spec":{"suspend":true}}`)).To(Equal(object + "client patched\n"))
		kubectl.Run(ctx, "", "label", "appliance", "client", "team=shop")
		Expect(kubectl.Run(ctx, "", "delete", "appliances", "-l", "team=shop")).To(ContainSubstring(`"client" deleted`))
		kubectl.Run(ctx, "", "wait", "--for=delete", "appliance/client", "--timeout=1s")
		kubectl.Run(ctx, "", "delete", "appliance", "server", "--cascade=foreground")
		Expect(kubectl.Run(ctx, "", "get", "goldsmith,catalog", "-o", "name")).To(BeEmpty())
	},
		Entry(newest, newest),
		Entry("1.36", Label(OlderRelease), "1.36"),
		Entry("1.35", Label(OlderRelease), "1.35"),
	)

	// Argo CD finds its objects by a label or an annotation, Flux and kubectl by labels. An object of a kind and its Image share other keys.
	It("what prunes objects of a kind by labels prunes no Images, and the other way round", func(ctx SpecContext) {
		establish(ctx)
		tracked := []string{"labels: {app.kubernetes.io/instance: shop, team: shop}", `annotations: {"argocd.argoproj.io/tracking-id": "shop:catalog.goldsmith.dev/Appliance:` + s.namespace + `/web"}`}
		set := []string{"apply", "--prune", "--selector=app.kubernetes.io/instance=shop", "-f", "-",
			"--prune-allowlist=images.goldsmith.dev/v1alpha1/Image", "--prune-allowlist=catalog.goldsmith.dev/v1/Appliance"}
		web, db := appliance("web", "{release: bookworm, suspend: true}", tracked...), appliance("db", "{release: bookworm, suspend: true}", tracked...)
		s.Run(ctx, web+db, set...)
		Expect(s.Run(ctx, "", "get", "images,appliances", "-l", "app.kubernetes.io/instance=shop", "-o", "name")).To(Equal(object + "db\n" + object + "web\n"))
		Expect(s.field(ctx, "image/web", `.metadata.annotations['argocd\.argoproj\.io/tracking-id']`)).To(BeEmpty())
		pruned := s.Run(ctx, web, set...)
		Expect(pruned).To(ContainSubstring(object + "db pruned"))
		Expect(strings.Count(pruned, "pruned")).To(Equal(1), pruned)
		Expect(s.Run(ctx, "", "get", "images", "-o", "name")).To(Equal("image.images.goldsmith.dev/web\n"))

		// The operator of Images prunes those that it has applied, and no object of a kind.
		mine := suspended("mine", "labels: {app.kubernetes.io/instance: shop}")
		s.Run(ctx, web+mine, set...)
		Expect(s.Run(ctx, web, set...)).To(ContainSubstring("image.images.goldsmith.dev/mine pruned"))
		Expect(s.Run(ctx, "", "get", "images,appliances", "-o", "name")).To(Equal("image.images.goldsmith.dev/web\n" + object + "web\n"))
		sets := s.withVariable("KUBECTL_APPLYSET=true")
		applySet := []string{"apply", "--server-side", "--prune", "--applyset=configmap/set", "-f", "-"}
		sets.Run(ctx, appliance("a", "{release: trixie, suspend: true}")+appliance("b", "{release: trixie, suspend: true}"), applySet...)
		Expect(sets.Run(ctx, appliance("a", "{release: trixie, suspend: true}"), applySet...)).To(And(ContainSubstring("b pruned"), Not(ContainSubstring("image"))))
	})
}
