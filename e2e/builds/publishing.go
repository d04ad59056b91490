// SPDX-License-Identifier: Apache-2.0

package builds

import (
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/e2e/host"
	"goldsmith.dev/goldsmith/e2e/workspace"
)

func describePublishing(w *fixture) {
	Describe("An image with an output", func() {
		It("is published with the credentials of its Secret, and not without them, and others start from it", Label("gate"), func(ctx SpecContext) {
			registry := host.NewRegistry(host.Address(ctx, w.Kube))
			image := workspace.NewImage("web")
			image.Spec.Output = &v1alpha1.Output{Repository: registry.Host + "/team/web", SecretRef: &v1alpha1.SecretReference{Name: "registry"}}
			w.CreateImage(ctx, image)
			denied := w.WaitForBuild(ctx, "web-1", failedWith("Config/RegistryDenied"))
			Expect(denied.Status.Failure.Message).To(ContainSubstring("Secret %s/registry of output.secretRef does not exist", w.Namespace))
			Expect(denied.Status.Artifacts).To(BeEmpty())
			Expect(w.Log(ctx, "web-1", nil)).To(MatchRegexp(`(?s)step 1/1.*\ngoldsmith: waiting for the result.*output\.secretRef does not exist`))

			_, err := w.Kube.CoreV1().Secrets(w.Namespace).Create(ctx, registry.Secret(), metav1.CreateOptions{})
			Expect(err).NotTo(HaveOccurred())
			build := w.Succeeded(ctx, w.Request(ctx, "web", "again").Name)

			artifact := build.Status.Artifacts[0]
			digest, published := strings.CutPrefix(artifact.Location, image.Spec.Output.Repository+"@")
			Expect(published).To(BeTrue(), artifact.Location)
			Expect(artifact.Verified).To(Equal(v1alpha1.ArtifactVerifiedContent))
			Expect(artifact.Tag).To(Equal(build.Name))
			Expect(registry.DigestOf("team/web", build.Name)).To(Equal(digest))
			Expect(registry.DigestOf("team/web", "web-1")).To(BeEmpty())

			By("the documents about it are in the repository, and its packages are listed")
			var documents []string
			for i := range artifact.Documents {
				document := &artifact.Documents[i]
				documents = append(documents, document.Name())
				Expect(document.Verified).To(Equal(v1alpha1.ArtifactVerifiedContent))
				Expect(document.Location).To(HavePrefix(image.Spec.Output.Repository + "@sha256:"))
			}
			Expect(documents).To(Equal([]string{"lock", "cyclonedx", "spdx"}))
			listed := &v1alpha1.ImageBuildPackages{}
			Expect(w.Goldsmith.ImagesV1alpha1().RESTClient().Get().Namespace(w.Namespace).Resource("imagebuilds").Name(build.Name).
				SubResource("packages").Do(ctx).Into(listed)).To(Succeed())
			Expect(listed.Locks).To(HaveLen(1))
			Expect(listed.Locks[0].Digest).To(Equal(artifact.Document(v1alpha1.DocumentLock).Digest))
			Expect(listed.Locks[0].Lock.Packages).To(HaveLen(int(*artifact.Packages)))

			By("another image starts from the published artifact")
			based := workspace.NewImage("based")
			based.Spec.Base = v1alpha1.Base{ImageRef: &v1alpha1.BaseImageReference{Name: "web"}}
			w.CreateImage(ctx, based)
			denied = w.WaitForBuild(ctx, "based-1", failedWith("Config/RegistryRefused")) // without an output it has no Secret, which has the authority of the registry
			Expect(denied.Status.Failure.Message).To(ContainSubstring("artifact linux/amd64/raw of build %s of base web: fetch from %s", build.Name, registry.Host))
			Expect(w.Log(ctx, "based-1", nil)).To(MatchRegexp(`(?s)goldsmith: fetching linux/amd64/raw of build .*\ngoldsmith: artifact linux/amd64/raw of build .*: fetch from `))
			w.ChangeImage(ctx, "based", func(image *v1alpha1.Image) {
				image.Spec.Output = &v1alpha1.Output{Repository: registry.Host + "/team/based", SecretRef: &v1alpha1.SecretReference{Name: "registry"}}
			})
			w.Succeeded(ctx, "based-2")
			Expect(w.Log(ctx, "based-2", nil)).To(And(
				MatchRegexp(`(?s)goldsmith: fetching linux/amd64/raw of build .*\ngoldsmith: fetched .*\nstep 1/1.*\ngoldsmith: pushed linux/amd64/raw in .*\ngoldsmith: published linux/amd64/raw: `),
				ContainSubstring("the base has linux/amd64/raw, %d bytes, %s", artifact.SizeBytes, artifact.Digest)))
		})
	})
}
