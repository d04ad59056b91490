// SPDX-License-Identifier: Apache-2.0

package faults

import (
	"context"
	"fmt"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/e2e/cluster"
	"goldsmith.dev/goldsmith/e2e/deadline"
	"goldsmith.dev/goldsmith/e2e/host"
)

// The layers of a fleet: images without a base, images that are based on those, and images that are based on these.
const (
	fleetBases  = 5
	fleetMiddle = 15
	fleetSize   = 50
)

// fleetImage is an image of a fleet.
type fleetImage struct {
	name string
	base *fleetImage
	// packages are its own, beside those of its base.
	packages string
	// has reports whether it has openssl, from its base or itself.
	has bool
}

// newFleet returns 50 images in three layers. Two of the five bases have openssl, and so have three images that are based on others.
func newFleet() []fleetImage {
	fleet := make([]fleetImage, fleetSize)
	for i := range fleet {
		image := &fleet[i]
		*image = fleetImage{name: fmt.Sprintf("image-%02d", i), packages: "nginx"}
		switch {
		case i < fleetBases:
			image.has = i < 2
		case i < fleetBases+fleetMiddle:
			image.base = &fleet[i%fleetBases]
		default:
			image.base = &fleet[fleetBases+i%fleetMiddle]
			image.has = i >= fleetSize-3
		}
		if image.has {
			image.packages = "openssl"
		}
		image.has = image.has || image.base != nil && image.base.has
	}
	return fleet
}

// describeFleet: package builds shows what happens to each image.
func describeFleet(w *cluster.Workspace) {
	It("A fix in an archive is built into the images of a fleet that have the package and tested, bases first and each once, although the leading controller is killed", func(ctx SpecContext) {
		address := host.Address(ctx, w.Kube)
		archive, registry := host.NewPackages(address), host.NewRegistry(address)
		_, err := w.Kube.CoreV1().Secrets(w.Namespace).Create(ctx, registry.Secret(), metav1.CreateOptions{})
		Expect(err).NotTo(HaveOccurred())
		history, first := w.Record(), time.Now().Add(-time.Hour)
		archive.Publish(first, "openssl 3.5.6-1", "nginx 1.26.3-3")
		fleet, affected := newFleet(), 0
		for _, of := range fleet {
			image := cluster.NewImage(of.name, "archive="+archive.URL, "packages="+of.packages)
			image.Spec.Triggers = &v1alpha1.Triggers{OnPackageChange: &v1alpha1.PackageTrigger{}}
			image.Spec.Tests = []v1alpha1.ImageTest{{Name: "accepted", Runner: &v1alpha1.TestRunner{Name: "mock"}}} // which passes each
			image.Spec.Channels = []v1alpha1.ChannelRule{{Name: "stable", Promote: v1alpha1.PromoteAutomatic}}
			image.Spec.Output = &v1alpha1.Output{Repository: registry.Host + "/team/" + of.name, SecretRef: &v1alpha1.SecretReference{Name: "registry"}}
			if of.base != nil {
				image.Spec.Base = v1alpha1.Base{ImageRef: &v1alpha1.BaseImageReference{Name: of.base.name}}
			}
			if of.has {
				affected++
			}
			w.CreateImage(ctx, image)
		}
		By("building all of them")
		eventually(ctx, w, func(of v1alpha1.Image) string { return behind(of, 1, first) })

		By("publishing the fix, and killing the leader while the first images are built")
		fixed := time.Now()
		archive.Publish(fixed, "openssl 3.5.6-1", "nginx 1.26.3-3", "openssl 3.5.7-1 security CVE-2026-1234", "nginx 1.26.3-4")
		w.CheckArchive(ctx, archive.URL)
		w.Eventually(ctx, func(ctx context.Context) (int, error) {
			builds, err := w.Builds().List(ctx, metav1.ListOptions{})
			return len(builds.Items), err
		}).Should(BeNumerically(">", fleetSize+1))
		killLeader(ctx, w)

		By("having the fix in the channels of the images that have the package")
		counts := map[string]int64{}
		for _, of := range fleet {
			counts[of.name] = 1
			if of.has {
				counts[of.name] = 2
			}
		}
		eventually(ctx, w, func(of v1alpha1.Image) string {
			reason := behind(of, counts[of.Name], fixed)
			if reason == "" && counts[of.Name] == 2 && (len(of.Status.Fixes) != 1 || len(of.Status.Fixes[0].Channels) != 1) {
				return "the fix is not in its channel"
			}
			return reason
		})
		builds, err := w.Builds().List(ctx, metav1.ListOptions{})
		Expect(err).NotTo(HaveOccurred())
		Expect(builds.Items).To(HaveLen(fleetSize + affected))
		byName := map[string]v1alpha1.ImageBuild{}
		for _, build := range builds.Items {
			Expect(build.Status.Phase).To(Equal(v1alpha1.BuildSucceeded), build.Name)
			Expect(build.Status.Tests).To(HaveExactElements(HaveField("Outcome", v1alpha1.TestPassed)), build.Name)
			byName[build.Name] = build
		}
		for _, of := range fleet {
			if of.has && of.base != nil && of.base.has {
				base, build := byName[of.base.name+"-2"], byName[of.name+"-2"]
				Expect(build.Spec.Trigger.Reason).To(Equal(v1alpha1.TriggerBaseChange), of.name)
				Expect(build.CreationTimestamp.Time).NotTo(BeTemporally("<", base.Status.CompletionTime.Time), of.name)
			}
		}
		Eventually(ctx, history.Violations).WithTimeout(deadline.HistoryCatchesUp.Deadline()).Should(BeEmpty(), "violations in the recorded history")
		last := time.Time{}
		images, err := w.Images().List(ctx, metav1.ListOptions{})
		Expect(err).NotTo(HaveOccurred())
		for _, image := range images.Items {
			for _, fix := range image.Status.Fixes {
				if in := fix.Channels[0].Time.Time; in.After(last) {
					last = in
				}
			}
		}
		AddReportEntry("the fix was in the last channel after", last.Sub(fixed).String())
	})
}

// eventually waits until the reason of every image is empty.
func eventually(ctx context.Context, w *cluster.Workspace, reason func(v1alpha1.Image) string) {
	GinkgoHelper()
	Eventually(ctx, func(ctx context.Context) (map[string]string, error) {
		images, err := w.Images().List(ctx, metav1.ListOptions{})
		reasons := map[string]string{}
		for _, image := range images.Items {
			if text := reason(image); text != "" {
				reasons[image.Name] = text
			}
		}
		return reasons, err
	}).WithTimeout(deadline.Fleet.Deadline()).WithPolling(time.Second).Should(BeEmpty())
}

// behind tells why not all builds of an image have ended, and been compared with a state of the archive. It is empty if they have.
func behind(image v1alpha1.Image, builds int64, state time.Time) string {
	latest, packages := image.Status.LatestBuild, image.Status.Packages
	switch {
	case image.Status.BuildCounter != builds || latest == nil || !latest.Phase.Finished():
		return fmt.Sprintf("%d builds, and %+v", image.Status.BuildCounter, latest)
	case packages == nil || packages.Build != latest.Name || len(packages.Archives) != 1 || packages.Archives[0].Date.Unix() != state.Unix():
		return fmt.Sprintf("the packages are %+v", packages)
	}
	return ""
}
