// SPDX-License-Identifier: Apache-2.0

package kubectl

import (
	"slices"
	"strconv"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"goldsmith.dev/goldsmith/apis/generated/discovery"
)

func describeGet(s *shell) {
	Describe("get", func() {
		It("shows the columns of images and builds", func(ctx SpecContext) {
			s.build(ctx, "web")
			digest := strings.TrimPrefix(s.field(ctx, "image/web", ".status.latestSuccessful.artifacts[0].digest"), "sha256:")[:12]

			images := rows(s.Run(ctx, "", "get", "images"))
			Expect(images).To(HaveLen(2))
			Expect(images[0]).To(Equal(strings.Fields("NAME READY UPTODATE REASON LATEST DIGEST ACTIVE NEXT AGE")))
			Expect(images[1][:6]).To(Equal([]string{"web", "True", "True", "web-1", digest, "0"}))

			builds := s.Run(ctx, "", "get", "imagebuilds")
			Expect(rows(builds)[0]).To(Equal(strings.Fields("NAME IMAGE PHASE WHY PROGRESS ATTEMPT DURATION AGE")))
			Expect(builds).To(MatchRegexp(`(?m)^web-1 +web +Succeeded +1 +\d+s +\d+s$`))

			wide := rows(s.Run(ctx, "", "get", "imagebuilds", "-o", "wide"))
			Expect(wide[0]).To(Equal(strings.Fields("NAME IMAGE PHASE WHY PROGRESS ATTEMPT DURATION AGE TRIGGER NODE DIGEST ONEOFF STARTED FINISHED")))
			Expect(wide[1]).To(ContainElements("Created", digest))
		})

		It("shows why a build failed", Label("gate"), func(ctx SpecContext) {
			s.Run(ctx, manifest("web", "failAt: 1"), "apply", "-f", "-")
			s.waitFor(ctx, "condition=Stalled", "image/web")
			Expect(rows(s.Run(ctx, "", "get", "imgb", "web-1"))[1][:4]).To(Equal([]string{"web-1", "web", "Failed", "BuilderFailed"}))
			Expect(rows(s.Run(ctx, "", "get", "img", "web"))[1][:4]).To(Equal([]string{"web", "False", "False", "BuilderFailed"}))

			wide := s.Run(ctx, "", "get", "img", "web", "-o", "wide")
			Expect(rows(wide)[0]).To(Equal(strings.Fields("NAME READY UPTODATE REASON LATEST DIGEST ACTIVE NEXT AGE BUILDER BASE CHANNELS LASTFAILURE SINCE SUSPENDED VULNERABILITIES")))
			Expect(wide).To(ContainSubstring("build web-1 ended with BuilderFailed: "))
			for _, object := range []string{"image/web", "imagebuild/web-1"} {
				described := s.Run(ctx, "", "describe", object)
				Expect(strings.Count(described, "MockFailed")).To(Equal(1), described)
			}
		})

		It("knows the short names and the category", func(ctx SpecContext) {
			s.build(ctx, "web")
			Expect(s.Run(ctx, "", "get", "img", "-o", "name")).To(Equal("image.images.goldsmith.dev/web\n"))
			Expect(s.Run(ctx, "", "get", "imgb", "-o", "name")).To(Equal("imagebuild.images.goldsmith.dev/web-1\n"))
			Expect(strings.Fields(s.Run(ctx, "", "get", "goldsmith", "-o", "name"))).To(ConsistOf(
				"image.images.goldsmith.dev/web", "imagebuild.images.goldsmith.dev/web-1"))
			served, err := discovery.Resources()
			Expect(err).NotTo(HaveOccurred())
			var resources [][]string
			for _, served := range served {
				if !strings.Contains(served.Name, "/") {
					resources = append(resources, slices.Concat([]string{served.Name}, served.ShortNames, []string{"images.goldsmith.dev/v1alpha1", strconv.FormatBool(served.Namespaced), served.Kind}))
				}
			}
			Expect(rows(s.Run(ctx, "", "api-resources", "--api-group=images.goldsmith.dev", "--no-headers"))).To(ConsistOf(resources))
		})

		It("shows the registered builders, which nobody can change", func(ctx SpecContext) {
			builders := rows(s.Run(ctx, "", "get", "builders"))
			Expect(builders[0]).To(Equal(strings.Fields("NAME TARGETS PARAMETERS DESCRIPTION")))
			Expect(builders).To(ContainElement(HaveExactElements("mock", "<all>", "archive,crash,distribution,duration+15,*", "Test", "builder", "that", "writes", "small", "files", "and", "fails", "on", "request")))
			Expect(rows(s.Run(ctx, "", "get", "builder", "mock", "-o", "wide"))[0]).To(Equal(strings.Fields("NAME TARGETS PARAMETERS DESCRIPTION REPORTS PROBE PROGRAM")))
			Expect(s.Run(ctx, "", "get", "builders", "--field-selector=metadata.name=mock", "-o", "name")).To(Equal("builder.images.goldsmith.dev/mock\n"))
			Expect(s.Run(ctx, "", "get", "builder", "mock", "-o", "yaml")).To(And(HavePrefix("apiVersion: images.goldsmith.dev/v1alpha1\n"), ContainSubstring("\nreports: true\n")))
			Expect(s.Run(ctx, "", "describe", "builder", "mock")).To(And(MatchRegexp(`(?m)^Kind: +Builder$`), MatchRegexp(`(?m)^Reports: +true$`)))
			Expect(s.Run(ctx, "", "explain", "builder.parameters")).To(ContainSubstring("parameters is a JSON schema"))
			Expect(s.Fail(ctx, "", "get", "builder", "gone")).To(ContainSubstring(`builders.images.goldsmith.dev "gone" not found`))
			Expect(s.Fail(ctx, "", "delete", "builder", "mock")).To(ContainSubstring("MethodNotAllowed"))
		})

		It("selects by fields and labels, sorts, and reads page by page", func(ctx SpecContext) {
			s.build(ctx, "web")
			s.Run(ctx, manifest("broken", "failAt: 1"), "apply", "-f", "-")
			s.waitFor(ctx, "condition=Stalled", "image/broken")
			s.Run(ctx, "", "patch", "image", "broken", "-p", `{"spec":{"suspend":true}}`)
			names := func(args ...string) []string {
				GinkgoHelper()
				return strings.Fields(s.Run(ctx, "", append(args, "-o", "jsonpath={.items[*].metadata.name}")...))
			}

			Expect(names("get", "imgb", "--field-selector=status.phase=Succeeded")).To(ConsistOf("web-1"))
			Expect(names("get", "imgb", "--field-selector=status.finished=true,spec.imageRef.name=broken")).To(ConsistOf("broken-1"))
			Expect(names("get", "imgb", "--field-selector=spec.trigger.reason!=Created")).To(BeEmpty())
			Expect(names("get", "imgb", "-l", "images.goldsmith.dev/image=web")).To(ConsistOf("web-1"))
			Expect(names("get", "images", "--field-selector=spec.suspend=true")).To(ConsistOf("broken"))
			Expect(names("get", "images", "--field-selector=spec.builder.name=mock")).To(ConsistOf("web", "broken"))
			Expect(names("get", "images", "--sort-by=.metadata.name", "--chunk-size=1")).To(Equal([]string{"broken", "web"}))
			Expect(s.Fail(ctx, "", "get", "images", "--field-selector=spec.colour=gold")).To(ContainSubstring("spec.colour"))
		})
	})
}
