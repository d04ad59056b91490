// SPDX-License-Identifier: Apache-2.0

package kubectl

import (
	"bufio"
	"context"
	"reflect"
	"slices"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
)

// OlderRelease is the label of specs that need Environment.Older.
const OlderRelease = "older-kubectl"

// newest is the release of Kubernetes that Goldsmith is built with.
const newest = "1.37"

// withRelease is the terminal of a user who has the kubectl of a minor release.
func (s *shell) withRelease(minor string) terminal {
	GinkgoHelper()
	changed := s.terminal
	if minor != newest {
		changed.Kubectl = s.environment.Older[minor]
	}
	Expect(changed.Kubectl).NotTo(BeNil(), "there is no kubectl %s", minor)
	return changed
}

// describeReleases has the commands whose client code differs between releases of kubectl.
func describeReleases(s *shell) {
	It("an older kubectl is what it says it is", Label(OlderRelease), func(ctx SpecContext) {
		for minor := range s.environment.Older {
			Expect(s.withRelease(minor).Run(ctx, "", "version", "--client")).To(ContainSubstring("Client Version: v" + minor + "."))
		}
	})

	DescribeTableSubtree("kubectl", func(minor string) {
		It("explains every field, by both OpenAPI documents", func(ctx SpecContext) {
			for kind, object := range map[string]any{"image": v1alpha1.Image{}, "imagebuild": v1alpha1.ImageBuild{}} {
				expected := fieldNames(reflect.TypeOf(object))
				Expect(len(expected)).To(BeNumerically(">", 30))
				for _, output := range []string{"plaintext", "plaintext-openapiv2"} {
					explained := s.withRelease(minor).Run(ctx, "", "explain", kind, "--recursive", "--output="+output)
					Expect(strings.Fields(explained)).To(ContainElements(expected), output)
					Expect(explained).NotTo(ContainSubstring("<no description>"))
					if output == "plaintext" {
						Expect(explained).NotTo(ContainSubstring("<>"))
					}
				}
			}
		})

		It("finds resources, applies, shows what would differ, and describes", func(ctx SpecContext) {
			kubectl := s.withRelease(minor)
			Expect(strings.Fields(kubectl.Run(ctx, "", "api-resources", "--api-group=images.goldsmith.dev", "--no-headers", "--output=wide"))).To(And(
				ContainElements("images", "img", "Image", "imagebuilds", "imgb", "ImageBuild", "goldsmith,all"),
				ContainElement("create,delete,deletecollection,get,list,patch,update,watch")))
			colour := strings.Replace(suspended("web"), "spec:", "spec:\n  colour: gold", 1)
			Expect(kubectl.Fail(ctx, colour, "apply", "-f", "-")).To(ContainSubstring(`unknown field "spec.colour"`))
			for name, flags := range map[string][]string{"client": nil, "server": {"--server-side"}} {
				with := func(args ...string) []string { return append(args, flags...) }
				kubectl.Run(ctx, suspended(name), with("apply", "-f", "-")...)
				Eventually(ctx, func() result { // a first status that is written meanwhile would be a difference
					return kubectl.Try(ctx, suspended(name), with("diff", "-f", "-")...)
				}).WithTimeout(s.environment.Patience).WithPolling(polling).Should(HaveField("Stdout", BeEmpty()))
				differs := kubectl.Try(ctx, strings.Replace(suspended(name), "mock", "other", 1), with("diff", "-f", "-")...)
				Expect(differs.Code).To(Equal(1), differs.Stderr)
				Expect(differs.Stdout).To(And(MatchRegexp(`(?m)^- +name: mock$`), MatchRegexp(`(?m)^\+ +name: other$`)))
			}
			Expect(kubectl.Run(ctx, "", "describe", "img", "client")).To(And(MatchRegexp(`(?m)^Kind: +Image$`), MatchRegexp(`(?m)^ +Suspend: +true$`)))
		})

		It("watches, and waits for a deletion", func(ctx SpecContext) {
			kubectl := s.withRelease(minor)
			kubectl.Run(ctx, suspended("web"), "apply", "-f", "-")
			running, stop := context.WithCancel(ctx)
			defer stop()
			command := kubectl.Command(running, "get", "images", "--watch", "--output-watch-events")
			output, err := command.StdoutPipe()
			Expect(err).NotTo(HaveOccurred())
			Expect(command.Start()).To(Succeed())
			lines := make(chan string, 100)
			go func() {
				defer close(lines)
				for scanner := bufio.NewScanner(output); scanner.Scan(); {
					lines <- scanner.Text()
				}
			}()
			shows := func(line string) {
				GinkgoHelper()
				Eventually(ctx, lines).WithTimeout(s.environment.Patience).Should(Receive(MatchRegexp(line)))
			}
			shows(`^EVENT +NAME +READY`)
			shows(`^ADDED +web`)
			kubectl.Run(ctx, "", "delete", "image", "web")
			shows(`^DELETED +web`)
			kubectl.Run(ctx, "", "wait", "--for=delete", "image/web", "--timeout=1s")
			stop()
			Expect(command.Wait()).NotTo(Succeed()) // it was stopped
		})
	},
		Entry(newest, newest),
		Entry("1.36", Label(OlderRelease), "1.36"),
		Entry("1.35", Label(OlderRelease), "1.35"),
	)
}

// fieldNames are the names that `kubectl explain --recursive` must show of a type of Goldsmith's API: the JSON names of its fields
// and of the fields of their types. Fields of the types of Kubernetes are left out.
func fieldNames(kind reflect.Type) []string {
	for slices.Contains([]reflect.Kind{reflect.Pointer, reflect.Slice, reflect.Map}, kind.Kind()) {
		kind = kind.Elem()
	}
	if kind.Kind() != reflect.Struct || !strings.HasSuffix(kind.PkgPath(), "apis/images/v1alpha1") {
		return nil
	}
	var fields []string
	for field := range kind.Fields() {
		if name, _, _ := strings.Cut(field.Tag.Get("json"), ","); name != "" {
			fields = append(fields, name)
		}
		fields = append(fields, fieldNames(field.Type)...)
	}
	return fields
}
