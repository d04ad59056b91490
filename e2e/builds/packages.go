// SPDX-License-Identifier: Apache-2.0

package builds

import (
	"context"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/e2e/host"
	"goldsmith.dev/goldsmith/e2e/workspace"
)

// describePackages describes builds because of new packages. address is where this process is reached, and prepare lets the server read the locks of
// an Image.
func describePackages(w *fixture, address func(context.Context) string, prepare func(context.Context) func(*v1alpha1.Image)) {
	Describe("A fix in an archive of packages", func() {
		It("is built into the images that have the package, bases first and each once, and into no other", func(ctx SpecContext) {
			archive, prepared := host.NewPackages(address(ctx)), prepare(ctx)
			now := time.Now()
			archive.Publish(now.Add(-time.Hour), "openssl 3.5.6-1", "curl 8.14.1-2", "nginx 1.26.3-3")
			create := func(name, base, packages string) {
				image := workspace.NewImage(name, "archive="+archive.URL, "packages="+packages)
				image.Spec.Triggers = &v1alpha1.Triggers{OnPackageChange: &v1alpha1.PackageTrigger{}}
				image.Spec.Channels = []v1alpha1.ChannelRule{{Name: "stable", Promote: v1alpha1.PromoteAutomatic}}
				if base != "" {
					basedOn(image, base, "")
				}
				prepared(image)
				w.CreateImage(ctx, image)
			}
			create("debian", "", "openssl")
			create("web", "debian", "nginx")
			create("shop", "web", "curl openssl")
			create("other", "", "nginx")
			unchanged := conditions("PackagesUpToDate=True/PackagesUnchanged")
			for _, name := range []string{"debian", "web", "shop", "other"} {
				w.waitForImage(ctx, name, built(1), unchanged)
			}

			archive.Publish(now, "openssl 3.5.6-1", "curl 8.14.1-2", "nginx 1.26.3-3", "openssl 3.5.7-1 security CVE-2026-1234", "nginx 1.26.3-4")
			w.CheckArchive(ctx, archive.URL)
			w.waitForImage(ctx, "debian", built(2), unchanged)
			w.waitForImage(ctx, "web", built(2))
			shop := w.waitForImage(ctx, "shop", built(2), unchanged)
			for _, state := range shop.Status.Packages.Archives {
				Expect(state.Date.UTC().Format(time.RFC3339)).To(Equal(now.UTC().Format(time.RFC3339)))
			}
			other := w.waitForImage(ctx, "other", conditions("PackagesUpToDate=False/PackagesKept"), HaveField("Status.Packages.OtherCount", int32(1)))
			Expect(other.Status.BuildCounter).To(Equal(int64(1)), "nginx is no update for security")

			started := w.Succeeded(ctx, "debian-2").Spec.Trigger
			Expect(started.Reason).To(Equal(v1alpha1.TriggerPackageChange))
			Expect(started.Message).To(Equal("new packages: openssl 3.5.6-1 → 3.5.7-1 (CVE-2026-1234)"))
			Expect(started.Packages.Updates).To(ConsistOf(And(HaveField("To", "3.5.7-1"), HaveField("Security", true))))
			for _, name := range []string{"web-2", "shop-2"} {
				Expect(w.Succeeded(ctx, name).Spec.Trigger.Reason).To(Equal(v1alpha1.TriggerBaseChange))
			}
			for _, name := range []string{"debian", "web", "shop"} {
				promoted := HaveField("Channels", HaveExactElements(HaveField("Name", "stable")))
				fix := w.waitForImage(ctx, name, HaveField("Status.Fixes", HaveExactElements(promoted))).Status.Fixes[0]
				Expect(fix.Build).To(Equal(name + "-2"))
				Expect(fix.Since.UTC().Format(time.RFC3339)).To(Equal(now.UTC().Format(time.RFC3339)), "the date of the archive")
				Expect(fix.ReadyTime).To(Equal(*w.Succeeded(ctx, fix.Build).Status.CompletionTime))
				Expect(fix.Channels[0].Time.Time).NotTo(BeTemporally("<", fix.ReadyTime.Time))
			}
			Expect(other.Status.Fixes).To(BeEmpty(), "it has no fixed package")
		})
	})
}

// onThisMachine is the address of this process for builders on the same machine.
func onThisMachine(context.Context) string { return "127.0.0.1" }

// withRegistry publishes an Image in a registry of this process, because only the locks of published artifacts can be read in a cluster.
func (w *fixture) withRegistry(ctx context.Context) func(*v1alpha1.Image) {
	GinkgoHelper()
	registry := host.NewRegistry(host.Address(ctx, w.Kube))
	_, err := w.Kube.CoreV1().Secrets(w.Namespace).Create(ctx, registry.Secret(), metav1.CreateOptions{})
	Expect(err).NotTo(HaveOccurred())
	return func(image *v1alpha1.Image) {
		image.Spec.Output = &v1alpha1.Output{Repository: registry.Host + "/team/" + image.Name, SecretRef: &v1alpha1.SecretReference{Name: "registry"}}
	}
}
