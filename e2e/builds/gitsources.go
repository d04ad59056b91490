// SPDX-License-Identifier: Apache-2.0

package builds

import (
	"context"
	"fmt"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/e2e/host"
	"goldsmith.dev/goldsmith/e2e/workspace"
)

// describeGitSources describes images whose files come from Git. address is where this process is reached.
func describeGitSources(w *fixture, address func(context.Context) string) {
	Describe("A source from Git", func() {
		// start builds a first commit with the credentials of a Secret.
		start := func(ctx SpecContext) (repository *host.Repository, first string, build *v1alpha1.ImageBuild) {
			GinkgoHelper()
			repository = host.NewRepository(ctx, address(ctx))
			first = repository.Commit(ctx, "Add the banner", "debian/root/etc/motd", "hello")
			_, err := w.Kube.CoreV1().Secrets(w.Namespace).Create(ctx, repository.Secret(), metav1.CreateOptions{})
			Expect(err).NotTo(HaveOccurred())
			image := workspace.NewImage("web")
			image.Spec.Source = &v1alpha1.Source{Git: &v1alpha1.GitSource{
				URL: repository.URL, Ref: "main", Path: "debian", SecretRef: &v1alpha1.SecretReference{Name: "git"},
			}}
			w.CreateImage(ctx, image)
			w.waitForImage(ctx, "web", built(1))
			return repository, first, w.Succeeded(ctx, "web-1")
		}

		It("is built at the commit that its branch names", Label("gate"), func(ctx SpecContext) {
			_, first, build := start(ctx)
			Expect(build.Status.Resolved.Source).To(And(
				HaveField("Revision", "sha1:"+first), HaveField("Ref", "refs/heads/main"), HaveField("Summary", "Add the banner")))
		})

		It("is built at each new commit, and when a user asks", func(ctx SpecContext) {
			repository, first, oldest := start(ctx)
			second := repository.Commit(ctx, "Say more", "debian/root/etc/motd", "hello, world")
			w.hintSource(ctx, "web")
			w.waitForImage(ctx, "web", built(2))
			Expect(w.Succeeded(ctx, "web-2").Spec.Trigger).To(And(
				HaveField("Reason", v1alpha1.TriggerSourceChange),
				HaveField("Message", fmt.Sprintf("the source has changed since build web-1: %.12s → %.12s Say more", first, second))))

			third := repository.Commit(ctx, "Say even more", "debian/root/etc/motd", "hello, worlds")
			w.Request(ctx, "web", "now")
			Expect(w.Succeeded(ctx, "web-3").Status.Resolved.Source.Revision).To(Equal("sha1:"+third), "what the branch names when the user asks")

			repository.Push(ctx, first)
			w.hintSource(ctx, "web")
			w.waitForImage(ctx, "web", built(4))
			again := w.Succeeded(ctx, "web-4")
			Expect(again.Spec.Trigger.Reason).To(Equal(v1alpha1.TriggerSourceChange), "a branch that moves back is followed")
			Expect(again.Status.Artifacts).To(HaveExactElements(HaveField("Digest", oldest.Status.Artifacts[0].Digest)))

			w.ChangeImage(ctx, "web", func(image *v1alpha1.Image) { image.Spec.Source.Git.Ref = "next" })
			w.waitForImage(ctx, "web", conditions("InputsResolved=False/SourceNotFound", "Ready=True/BuildSucceeded", "Stalled=False/Progressing"))
		})
	})
}

// hintSource has the source of an Image checked soon, as a webhook does.
func (w *fixture) hintSource(ctx context.Context, image string) {
	GinkgoHelper()
	patch := fmt.Sprintf(`{"status":{"source":{"hintTime":%q}}}`, time.Now().UTC().Format(time.RFC3339))
	_, err := w.Images().Patch(ctx, image, types.MergePatchType, []byte(patch), metav1.PatchOptions{}, "status")
	Expect(err).NotTo(HaveOccurred())
}
