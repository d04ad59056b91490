// SPDX-License-Identifier: Apache-2.0

package api

import (
	"bufio"
	"context"
	"io"
	"reflect"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/e2e/terminal"
)

// OlderKubectl is the label of specs that need Environment.OlderKubectls.
const OlderKubectl = "older-kubectl"

// newest is the release of Kubernetes that Goldsmith is built with.
const newest = "1.37"

// kubectl is that of a minor release.
func (w *fixture) kubectl(minor string) terminal.Terminal {
	GinkgoHelper()
	command := w.environment.OlderKubectls[minor]
	if minor == newest {
		command = w.environment.Kubectl
	}
	Expect(command).NotTo(BeNil(), "there is no kubectl %s", minor)
	return w.withKubectl(command)
}

// differs runs kubectl diff, which must find a difference.
func differs(ctx context.Context, kubectl terminal.Terminal, stdin string, args ...string) string {
	GinkgoHelper()
	shown := kubectl.Try(ctx, stdin, args...)
	Expect(shown.Code).To(Equal(1), "kubectl %v:\n%s", args, shown.Stderr)
	return shown.Stdout
}

// by is the manifest with another builder.
func by(manifest, builder string) string {
	return strings.Replace(manifest, "builder: {name: mock}", "builder: {name: "+builder+"}", 1)
}

// scanLines sends each line of an output when it is written.
func scanLines(from io.Reader) <-chan string {
	lines := make(chan string, 100)
	go func() {
		defer close(lines)
		scanner := bufio.NewScanner(from)
		for scanner.Scan() {
			lines <- scanner.Text()
		}
	}()
	return lines
}

func describeKubectlReleases(w *fixture) {
	It("an older kubectl is what it says it is", Label(OlderKubectl), func(ctx SpecContext) {
		for minor := range w.environment.OlderKubectls {
			Expect(w.kubectl(minor).Run(ctx, "", "version", "--client")).To(ContainSubstring("Client Version: v" + minor + "."))
		}
	})

	DescribeTableSubtree("kubectl", func(minor string) {
		It("explains every field, by both OpenAPI documents", func(ctx SpecContext) {
			kubectl := w.kubectl(minor)
			for kind, object := range map[string]any{"image": v1alpha1.Image{}, "imagebuild": v1alpha1.ImageBuild{}} {
				expected := terminal.FieldNames(reflect.TypeOf(object))
				Expect(len(expected)).To(BeNumerically(">", 30))
				for _, output := range []string{"plaintext", "plaintext-openapiv2"} {
					explained := kubectl.Run(ctx, "", "explain", kind, "--recursive", "--output="+output)
					Expect(strings.Fields(explained)).To(ContainElements(expected), output)
					Expect(explained).NotTo(ContainSubstring("<no description>"))
				}
			}
			Expect(kubectl.Run(ctx, "", "explain", "img.spec.builder.name")).To(ContainSubstring("name selects a builder"))
		})

		It("finds resources, short names and the category", func(ctx SpecContext) {
			kubectl := w.kubectl(minor)
			w.create(ctx, "web")
			Expect(strings.Fields(kubectl.Run(ctx, "", "api-resources", "--api-group=images.goldsmith.dev", "--no-headers", "--output=wide"))).To(And(
				ContainElements("images", "img", "Image", "imagebuilds", "imgb", "ImageBuild", "goldsmith,all"),
				ContainElement("create,delete,deletecollection,get,list,patch,update,watch")))
			Expect(kubectl.Run(ctx, "", "api-versions")).To(ContainSubstring("images.goldsmith.dev/v1alpha1\n"))
			for _, name := range []string{"img", "images.v1alpha1.images.goldsmith.dev", "goldsmith"} {
				Expect(kubectl.Run(ctx, "", "get", name, "--output=name")).To(Equal("image.images.goldsmith.dev/web\n"), name)
			}
		})

		It("gets a table, wide, by selectors, page by page, and as objects", func(ctx SpecContext) {
			kubectl := w.kubectl(minor)
			w.create(ctx, "web", labelled("colour", "gold"))
			w.create(ctx, "other")
			Expect(kubectl.Run(ctx, "", "get", "images", "--show-labels", "--chunk-size=1")).To(And(
				MatchRegexp(`^NAME +READY +UPTODATE +REASON +LATEST +DIGEST +ACTIVE +NEXT +AGE +LABELS\n`), MatchRegexp(`(?m)^other .*<none>$`), MatchRegexp(`(?m)^web .*colour=gold$`)))
			Expect(kubectl.Run(ctx, "", "get", "images", "--selector=colour=gold", "--field-selector=spec.suspend=true", "--no-headers")).To(MatchRegexp(`^web [^\n]*\n$`))
			Expect(kubectl.Run(ctx, "", "get", "image/web", "--output=yaml")).To(ContainSubstring("kind: Image\n"))
			Expect(kubectl.Run(ctx, "", "get", "image/web", "--subresource=status", "--output=jsonpath={.spec.builder.name}")).To(Equal("mock"))
			Expect(kubectl.Try(ctx, "", "get", "imagebuilds").Stderr).To(ContainSubstring("No resources found in " + w.Namespace))
			Expect(kubectl.Fail(ctx, "", "get", "image/none")).To(ContainSubstring(`images.images.goldsmith.dev "none" not found`))
		})

		It("describes", func(ctx SpecContext) {
			w.create(ctx, "web")
			Expect(w.kubectl(minor).Run(ctx, "", "describe", "image", "web")).To(And(
				MatchRegexp(`(?m)^Name: +web$`), MatchRegexp(`(?m)^Kind: +Image$`), MatchRegexp(`(?m)^ +Suspend: +true$`)))
		})

		DescribeTable("applies, sees what would differ, and applies that", func(ctx SpecContext, flags ...string) {
			kubectl := w.kubectl(minor)
			with := func(args ...string) []string { return append(args, flags...) }
			Expect(differs(ctx, kubectl, plainImage("web"), with("diff", "-f", "-")...)).To(ContainSubstring("+kind: Image"))
			kubectl.Run(ctx, plainImage("web"), with("apply", "-f", "-")...)
			w.Eventually(ctx, func() terminal.Result { // a first status that is written meanwhile would be a difference
				return kubectl.Try(ctx, plainImage("web"), with("diff", "-f", "-")...)
			}).Should(HaveField("Stdout", BeEmpty()))
			Expect(differs(ctx, kubectl, by(plainImage("web"), "other"), with("diff", "-f", "-")...)).To(And(
				MatchRegexp(`(?m)^- +name: mock$`), MatchRegexp(`(?m)^\+ +name: other$`)))
			kubectl.Run(ctx, by(plainImage("web"), "other"), with("apply", "-f", "-")...)
			Expect(kubectl.Run(ctx, "", "get", "image/web", "--output=jsonpath={.spec.builder.name}")).To(Equal("other"))
		},
			Entry("on the client"),
			Entry("on the server", "--server-side"),
		)

		It("checks fields before it applies them", func(ctx SpecContext) {
			kubectl := w.kubectl(minor)
			colour := strings.Replace(plainImage("web"), "spec:", "spec:\n  colour: gold", 1)
			Expect(kubectl.Fail(ctx, colour, "apply", "-f", "-")).To(ContainSubstring(`unknown field "spec.colour"`))
			Expect(kubectl.Try(ctx, colour, "apply", "-f", "-", "--validate=warn").Stderr).To(ContainSubstring(`unknown field "spec.colour"`))
		})

		It("waits for an object, for a field of it, and for its end", func(ctx SpecContext) {
			kubectl := w.kubectl(minor)
			waits := func(args ...string) <-chan string {
				done := make(chan string, 1)
				go func() {
					defer GinkgoRecover()
					done <- kubectl.Run(ctx, "", append([]string{"wait", "image/web", "--timeout=" + w.environment.Patience.String()}, args...)...)
				}()
				return done
			}
			created := waits("--for=create")
			w.create(ctx, "web", labelled(step, "1"))
			Eventually(ctx, created).WithTimeout(w.environment.Patience).Should(Receive(ContainSubstring("condition met")))
			changed := waits("--for=jsonpath={.metadata.labels.step}=2")
			w.ChangeImage(ctx, "web", labelled(step, "2"))
			Eventually(ctx, changed).WithTimeout(w.environment.Patience).Should(Receive(ContainSubstring("condition met")))
			gone := waits("--for=delete")
			w.remove(ctx, "web")
			Eventually(ctx, gone).WithTimeout(w.environment.Patience).Should(Receive())
		})

		It("watches", func(ctx SpecContext) {
			w.create(ctx, "web")
			running, stop := context.WithCancel(ctx)
			defer stop()
			command := w.kubectl(minor).Command(running, "get", "images", "--watch", "--output-watch-events")
			shown, err := command.StdoutPipe()
			Expect(err).NotTo(HaveOccurred())
			Expect(command.Start()).To(Succeed())
			seen := scanLines(shown)
			shows := func(line string) {
				GinkgoHelper()
				Eventually(ctx, seen).WithTimeout(w.environment.Patience).Should(Receive(MatchRegexp(line)))
			}
			shows(`^EVENT +NAME +READY`)
			shows(`^ADDED +web`)
			w.create(ctx, "other")
			shows(`^ADDED +other`)
			w.remove(ctx, "web")
			shows(`^DELETED +web`)
			stop()
			Expect(command.Wait()).NotTo(Succeed()) // it was stopped
		})
	},
		Entry(newest, newest),
		Entry("1.36", Label(OlderKubectl), "1.36"),
		Entry("1.35", Label(OlderKubectl), "1.35"),
	)
}
