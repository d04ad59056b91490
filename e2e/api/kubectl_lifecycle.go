// SPDX-License-Identifier: Apache-2.0

package api

import (
	"context"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
)

func describeKubectlLifecycle(w *fixture) {
	s := w.terminal

	It("kubectl create takes generated names", func(ctx SpecContext) {
		generated := strings.Replace(plainImage(""), "  name: ", "  generateName: web-", 1)
		Expect(s.Run(ctx, generated, "create", "-f", "-")).To(MatchRegexp(`^image\.images\.goldsmith\.dev/web-[a-z0-9]{5} created\n$`))
		Expect(s.Fail(ctx, generated, "apply", "-f", "-")).To(ContainSubstring("cannot use generate name with apply"))
	})

	It("kubectl replace replaces, and with --force makes another object", func(ctx SpecContext) {
		first := w.create(ctx, "web", labelled("a", "b"))
		Expect(s.Run(ctx, plainImage("web"), "replace", "-f", "-")).To(Equal("image.images.goldsmith.dev/web replaced\n"))
		Expect(w.getImage(ctx, "web")).To(And(HaveField("UID", first.UID), HaveField("Labels", BeEmpty())))
		Expect(s.Fail(ctx, plainImage("absent"), "replace", "-f", "-")).To(ContainSubstring(`images.images.goldsmith.dev "absent" not found`))
		s.Run(ctx, plainImage("web"), "replace", "--force", "-f", "-")
		Expect(w.getImage(ctx, "web").UID).NotTo(Equal(first.UID))
		stale := strings.Replace(plainImage("web"), "metadata:", "metadata:\n  resourceVersion: \"1\"", 1)
		Expect(s.Fail(ctx, stale, "replace", "-f", "-")).To(ContainSubstring("the object has been modified"))
	})

	Describe("kubectl wait", func() {
		It("waits for conditions, fields and objects, and says what it has waited for in vain", func(ctx SpecContext) {
			w.create(ctx, "web")
			patience := "--timeout=" + w.environment.Patience.String()
			Expect(s.Run(ctx, "", "wait", "--for=condition=InputsResolved", "image/web", patience)).To(Equal("image.images.goldsmith.dev/web condition met\n"))
			s.Run(ctx, "", "wait", "--for=jsonpath={.status.observedGeneration}=1", "images", "--all", patience)
			s.Run(ctx, "", "wait", "--for=condition=Building=False", "image/web", patience)
			s.Run(ctx, "", "wait", "--for=create", "image/web", patience)
			Expect(s.Fail(ctx, "", "wait", "--for=condition=Ready", "image/web", "--timeout=2s")).To(ContainSubstring("timed out waiting for the condition on images/web"))
			Expect(s.Fail(ctx, "", "wait", "--for=condition=Ready", "image/absent", "--timeout=2s")).To(ContainSubstring(`images.images.goldsmith.dev "absent" not found`))
		})

		It("waits for a deletion", func(ctx SpecContext) {
			w.create(ctx, "web", held)
			s.Run(ctx, "", "delete", "image", "web", "--wait=false")
			waited := make(chan int, 1)
			go func() {
				defer GinkgoRecover()
				waited <- s.Try(ctx, "", "wait", "--for=delete", "image/web", "--timeout="+w.environment.Patience.String()).Code
			}()
			w.release(ctx, "web")
			Eventually(ctx, waited).WithTimeout(w.environment.Patience).Should(Receive(BeZero()))
			s.Run(ctx, "", "wait", "--for=delete", "image/web", "--timeout=1s")
		})
	})

	Describe("kubectl delete", func() {
		It("waits for what finalizers hold", func(ctx SpecContext) {
			w.create(ctx, "web", held)
			Expect(s.Fail(ctx, "", "delete", "image", "web", "--timeout=3s")).To(ContainSubstring("timed out waiting for the condition on images/web"))
			w.release(ctx, "web")
			Expect(s.Fail(ctx, "", "delete", "image", "web")).To(ContainSubstring("not found"))
			Expect(s.Run(ctx, "", "delete", "image", "web", "--ignore-not-found")).To(BeEmpty())
		})

		It("selects, and tries without doing", func(ctx SpecContext) {
			for _, name := range []string{"a", "b", "c"} {
				w.create(ctx, name, labelled("name", name))
			}
			Expect(s.Run(ctx, "", "delete", "images", "--all", "--dry-run=server")).To(ContainSubstring("(server dry run)"))
			s.Run(ctx, "", "delete", "images", "-l", "name=a")
			s.Run(ctx, "", "delete", "images", "--field-selector=metadata.name=b")
			Expect(strings.Fields(s.Run(ctx, "", "get", "images", "-o", "name"))).To(ConsistOf("image.images.goldsmith.dev/c"))
			s.Run(ctx, plainImage("c"), "delete", "--now", "-f", "-")
			Expect(s.Run(ctx, "", "get", "images", "-o", "name")).To(BeEmpty())
		})

		DescribeTable("does with what an image owns as --cascade says:", func(ctx SpecContext, cascade string, left func(ctx context.Context)) {
			w.dependent(ctx, w.create(ctx, "web"), "settings")
			s.Run(ctx, "", "delete", "image", "web", "--cascade="+cascade)
			left(ctx)
		},
			Entry("background", "background", func(ctx context.Context) { w.collected(ctx, "settings") }),
			Entry("foreground", "foreground", func(ctx context.Context) { w.collected(ctx, "settings") }),
			Entry("orphan", "orphan", func(ctx context.Context) {
				Expect(w.dependents("settings")(ctx)).To(HaveField("OwnerReferences", BeEmpty()))
			}),
		)
	})

	DescribeTable("What kubectl can do with some kinds only is refused, and changes nothing:", func(ctx SpecContext, args ...string) {
		w.create(ctx, "web")
		before := w.observedImage(ctx, "web")
		Expect(s.Fail(ctx, "", args...)).To(Or(
			ContainSubstring("Image"),
			ContainSubstring("the server could not find the requested resource"),
			ContainSubstring(`"web" restarting is not supported`),
		))
		Expect(w.getImage(ctx, "web")).To(BeComparableTo(before))
	},
		Entry(nil, "scale", "image/web", "--replicas=2"),
		Entry(nil, "rollout", "status", "image/web"),
		Entry(nil, "rollout", "restart", "image/web"),
		Entry(nil, "autoscale", "image/web", "--max=2"),
		Entry(nil, "set", "env", "image/web", "A=b"),
		Entry(nil, "set", "image", "image/web", "a=b"),
		Entry(nil, "logs", "image/web"),
		Entry(nil, "exec", "image/web", "--", "true"),
		Entry(nil, "attach", "image/web"),
		Entry(nil, "expose", "image/web"),
		Entry(nil, "port-forward", "image/web", "8080"),
	)

	It("kubectl explain says what a field is for, down to the last", func(ctx SpecContext) {
		explained := s.Run(ctx, "", "explain", "image.spec.targets.format")
		Expect(explained).To(And(MatchRegexp(`FIELD: format <\w+>`), ContainSubstring("format of the artifact: raw, qcow2, vmdk, iso or oci.")))
		Expect(s.Run(ctx, "", "explain", "image", "--recursive")).To(ContainSubstring("requiredDuringSchedulingIgnoredDuringExecution"))
		Expect(s.Run(ctx, "", "explain", "imagebuild.status.attempts.failure", "--output=plaintext-openapiv2")).To(ContainSubstring("logTail"))
		Expect(s.Fail(ctx, "", "explain", "image.spec.colour")).To(ContainSubstring(`field "colour" does not exist`))
	})
}
