// SPDX-License-Identifier: Apache-2.0

// Package load runs builds in a cluster, and checks that each of them succeeded and that no invariant of builds was violated.
package load

import (
	"context"
	"errors"
	"fmt"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/e2e/cluster"
	"goldsmith.dev/goldsmith/e2e/deadline"
)

// Builds is how many builds a load has, one for each of as many images.
const Builds = 20

// Load is a namespace with images that are being built.
type Load struct {
	workspace *cluster.Workspace
	history   *cluster.History
}

// Start applies the images of a load, to a namespace without any. Parameters for the mock builder are written as
// "name=value". All that happens there is recorded from now on.
func Start(ctx context.Context, workspace *cluster.Workspace, parameters ...string) *Load {
	GinkgoHelper()
	l := &Load{workspace: workspace, history: workspace.Record()}
	for number := range Builds {
		image := cluster.NewImage(fmt.Sprintf("load-%02d", number), parameters...)
		workspace.CreateImage(ctx, image)
	}
	return l
}

// Running waits until at least this many builds run.
func (l *Load) Running(ctx context.Context, atLeast int) {
	GinkgoHelper()
	l.workspace.Eventually(ctx, func(ctx context.Context) (int, error) {
		builds, err := l.workspace.Builds().List(ctx, metav1.ListOptions{})
		if err != nil {
			return 0, err
		}
		running, ended := 0, 0
		for _, build := range builds.Items {
			switch {
			case build.Status.Finished:
				ended++
			case build.Status.Phase == v1alpha1.BuildRunning:
				running++
			}
		}
		if Builds-ended < atLeast {
			return running, StopTrying(fmt.Sprintf("%d builds have ended already", ended))
		}
		return running, nil
	}).Should(BeNumerically(">=", atLeast))
}

// Succeeded waits until there is nothing left to do. It expects that every image was built once, with success, and that
// all was as it must always be meanwhile. It returns the builds.
func (l *Load) Succeeded(ctx context.Context) []v1alpha1.ImageBuild {
	GinkgoHelper()
	l.workspace.Eventually(ctx, l.unsettled).Should(BeEmpty(), l.history.Unfinished)
	Eventually(ctx, l.history.Violations).WithTimeout(deadline.HistoryCatchesUp.Deadline()).Should(BeEmpty(), "violations in the recorded history")
	builds, err := l.workspace.Builds().List(ctx, metav1.ListOptions{})
	Expect(err).NotTo(HaveOccurred())
	Expect(builds.Items).To(HaveLen(Builds))
	for _, build := range builds.Items {
		Expect(build.Status.Phase).To(Equal(v1alpha1.BuildSucceeded), "%s: %+v", build.Name, build.Status.Failure)
	}
	return builds.Items
}

// SucceededAtOnce is Succeeded, and expects that no build needed a second attempt.
func (l *Load) SucceededAtOnce(ctx context.Context) {
	GinkgoHelper()
	for _, build := range l.Succeeded(ctx) {
		Expect(build.Status.Attempts).To(HaveLen(1), build.Name)
	}
}

// unsettled has the name of each image whose build has not finished, and the phase that the image's status reports.
func (l *Load) unsettled(ctx context.Context) ([]string, error) {
	images, err := l.workspace.Images().List(ctx, metav1.ListOptions{})
	if err != nil {
		return nil, err
	}
	if len(images.Items) != Builds {
		return nil, errors.New("not all images are there")
	}
	var unsettled []string
	for _, image := range images.Items {
		switch latest := image.Status.LatestBuild; {
		case latest == nil:
			unsettled = append(unsettled, fmt.Sprintf("image %s reports no build", image.Name))
		case !latest.Phase.Finished():
			unsettled = append(unsettled, fmt.Sprintf("image %s reports build %s: %s", image.Name, latest.Name, latest.Phase))
		}
	}
	return unsettled, nil
}
