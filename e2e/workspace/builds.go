// SPDX-License-Identifier: Apache-2.0

package workspace

import (
	"context"
	"fmt"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"github.com/onsi/gomega/types"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/util/retry"

	client "goldsmith.dev/goldsmith/apis/generated/clientset/versioned/typed/images/v1alpha1"
	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/e2e/brief"
)

// CreateImage creates an Image.
func (w *Workspace) CreateImage(ctx context.Context, image *v1alpha1.Image) *v1alpha1.Image {
	GinkgoHelper()
	created, err := w.Images().Create(ctx, image, metav1.CreateOptions{})
	Expect(err).NotTo(HaveOccurred())
	return created
}

// CreateBuild creates a build without an Image.
func (w *Workspace) CreateBuild(ctx context.Context, build *v1alpha1.ImageBuild) *v1alpha1.ImageBuild {
	GinkgoHelper()
	created, err := w.Builds().Create(ctx, build, metav1.CreateOptions{})
	Expect(err).NotTo(HaveOccurred())
	return created
}

// ChangeImage changes the stored Image of this name.
func (w *Workspace) ChangeImage(ctx context.Context, name string, change func(*v1alpha1.Image)) *v1alpha1.Image {
	GinkgoHelper()
	changed, err := ChangeImage(ctx, w.Images(), name, change)
	Expect(err).NotTo(HaveOccurred())
	return changed
}

// ChangeImage changes the stored Image of this name with the permissions of a client. It is repeated after a conflict, for some
// seconds: controllers write to the Image, too.
func ChangeImage(ctx context.Context, images client.ImageInterface, name string, change func(*v1alpha1.Image)) (changed *v1alpha1.Image, err error) {
	backoff := wait.Backoff{Steps: 20, Duration: 10 * time.Millisecond, Factor: 1.3, Jitter: 0.1}
	err = retry.RetryOnConflict(backoff, func() error {
		image, err := images.Get(ctx, name, metav1.GetOptions{})
		if err != nil {
			return err
		}
		change(image)
		changed, err = images.Update(ctx, image, metav1.UpdateOptions{})
		return err
	})
	return changed, err
}

// Request requests a build of an Image.
func (w *Workspace) Request(ctx context.Context, image, requestID string) *v1alpha1.ImageBuild {
	GinkgoHelper()
	build, err := w.Images().Instantiate(ctx, image, &v1alpha1.BuildRequest{RequestID: requestID}, metav1.CreateOptions{})
	Expect(err).NotTo(HaveOccurred())
	return build
}

// Cancel cancels a build.
func (w *Workspace) Cancel(ctx context.Context, build, reason string) *v1alpha1.ImageBuild {
	GinkgoHelper()
	cancelled, err := w.Builds().Cancel(ctx, build, &v1alpha1.CancelRequest{Reason: reason}, metav1.CreateOptions{})
	Expect(err).NotTo(HaveOccurred())
	return cancelled
}

// WaitForBuild waits until a build matches, and returns it. It fails as soon as the build has finished and does not match: a
// finished build does not change any more. Errors of the API are retried.
func (w *Workspace) WaitForBuild(ctx context.Context, name string, wanted types.GomegaMatcher) *v1alpha1.ImageBuild {
	GinkgoHelper()
	var build *v1alpha1.ImageBuild
	w.Eventually(ctx, func(ctx context.Context) (*v1alpha1.ImageBuild, error) {
		var err error
		build, err = w.Builds().Get(ctx, name, metav1.GetOptions{})
		if err != nil || !build.Status.Finished {
			return build, err
		}
		if matches, err := wanted.Match(build); err == nil && !matches {
			return build, StopTrying("the build has finished: " + wanted.FailureMessage(build))
		}
		return build, nil
	}).Should(wanted, func() string { return brief.Object(build) })
	return build
}

// Finished waits until a build has finished, and returns it.
func (w *Workspace) Finished(ctx context.Context, name string) *v1alpha1.ImageBuild {
	GinkgoHelper()
	return w.WaitForBuild(ctx, name, HaveField("Status.Finished", true))
}

// Succeeded waits until a build has succeeded, and returns it.
func (w *Workspace) Succeeded(ctx context.Context, name string) *v1alpha1.ImageBuild {
	GinkgoHelper()
	return w.WaitForBuild(ctx, name, HaveField("Status.Phase", v1alpha1.BuildSucceeded))
}

// Settled waits until a build has finished, its log is archived and the build is recorded, as far as the server does both. Its status
// does not change any more.
func (w *Workspace) Settled(ctx context.Context, name string) *v1alpha1.ImageBuild {
	GinkgoHelper()
	var build *v1alpha1.ImageBuild
	w.Eventually(ctx, func(ctx context.Context) (bool, error) {
		var err error
		build, err = w.Builds().Get(ctx, name, metav1.GetOptions{})
		archived := meta.IsStatusConditionTrue(build.Status.Conditions, v1alpha1.BuildLogArchived)
		recorded := meta.IsStatusConditionTrue(build.Status.Conditions, v1alpha1.BuildRecorded)
		return build.Status.Finished && (archived || !w.options.Archived) && (recorded || !w.options.Recorded), err
	}).Should(BeTrue(), func() string { return brief.Object(build) })
	return build
}

// WaitForCondition waits until a condition of a build is one of those wanted, each written as "Status/Reason", and returns the build,
// which has finished. It is for conditions that are set after the end: LogArchived, Recorded and Reproduced.
func (w *Workspace) WaitForCondition(ctx context.Context, name, conditionType string, wanted ...string) *v1alpha1.ImageBuild {
	GinkgoHelper()
	var build *v1alpha1.ImageBuild
	w.Eventually(ctx, func(ctx context.Context) (string, error) {
		var err error
		build, err = w.Builds().Get(ctx, name, metav1.GetOptions{})
		if err != nil {
			return "", err
		}
		condition := meta.FindStatusCondition(build.Status.Conditions, conditionType)
		if condition == nil {
			return fmt.Sprintf("none, in phase %s", build.Status.Phase), nil
		}
		return fmt.Sprintf("%s/%s", condition.Status, condition.Reason), nil
	}).Should(BeElementOf(wanted), func() string { return brief.Object(build) })
	Expect(build.Status.Finished).To(BeTrue(), "a running build does not have the condition %s", conditionType)
	return build
}

// WaitForDeletion waits until a build is deleted.
func (w *Workspace) WaitForDeletion(ctx context.Context, build string) {
	GinkgoHelper()
	w.Eventually(ctx, func(ctx context.Context) bool {
		_, err := w.Builds().Get(ctx, build, metav1.GetOptions{})
		return apierrors.IsNotFound(err)
	}).Should(BeTrue())
}
