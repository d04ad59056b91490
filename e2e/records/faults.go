// SPDX-License-Identifier: Apache-2.0

package records

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/e2e/cluster"
)

// many is the number of builds that run during a fault.
const many = 20

func describeFaults(w *fixture) {
	It("that does not answer holds no build up, and has every one once it answers", func(ctx SpecContext) {
		w.CreateImage(ctx, cluster.NewImage("web", "edition=1"))
		w.recorded(ctx, "web-1", "True/Recorded")
		DeferCleanup(func(ctx SpecContext) { Expect(w.Environment.StartRecords(ctx)).To(Succeed()) })
		Expect(w.Environment.StopRecords(ctx)).To(Succeed())
		w.ChangeImage(ctx, "web", withInputs("edition=2"))
		w.ChangeImage(ctx, "web", func(image *v1alpha1.Image) { image.Spec.History.Succeeded = new(int32(1)) })
		build := w.recorded(ctx, "web-2", "False/"+v1alpha1.ReasonRecordsUnavailable)
		Expect(build.Status.Phase).To(Equal(v1alpha1.BuildSucceeded))
		Expect(meta.FindStatusCondition(build.Status.Conditions, v1alpha1.BuildRecorded).Message).NotTo(ContainSubstring(w.Environment.Records.Password))

		for _, subresource := range []string{"history", "stats", "notes", "changes"} {
			err := w.read(ctx, "web", subresource, nil, &v1alpha1.ImageHistory{})
			Expect(apierrors.IsServiceUnavailable(err)).To(BeTrue(), "%s: %v", subresource, err)
			after, said := apierrors.SuggestsClientDelay(err)
			Expect(said && after > 0).To(BeTrue(), "%s: %v", subresource, err)
		}
		_, err := w.note(ctx, "web", v1alpha1.NoteRecord{Text: "lost"})
		Expect(apierrors.IsServiceUnavailable(err)).To(BeTrue(), "%v", err)
		Expect(w.Environment.WaitAvailable(ctx)).To(Succeed(), "everything else is served")
		_, err = w.Images().List(ctx, metav1.ListOptions{})
		Expect(err).NotTo(HaveOccurred())

		Expect(w.Environment.StartRecords(ctx)).To(Succeed())
		w.recorded(ctx, "web-2", "True/Recorded")
		Expect(names(w.answered(ctx))).To(Equal([]string{"web-2", "web-1"}))
		w.WaitForDeletion(ctx, "web-1") // it is recorded, and one too many
	})

	It("that ends in the middle of what it is told has each build once", func(ctx SpecContext) {
		w.CreateImage(ctx, imageOfMany())
		w.recorded(ctx, "web-1", "True/Recorded")
		for i := range many {
			w.Request(ctx, "web", fmt.Sprint("request ", i))
			if i%10 == 9 {
				Expect(w.Environment.CrashRecords(ctx)).To(Succeed())
			}
		}
		w.hasEachOnce(ctx, many+1)
	})

	It("that several controllers write to has each build once", func(ctx SpecContext) {
		w.CreateImage(ctx, imageOfMany())
		w.recorded(ctx, "web-1", "True/Recorded")
		for i := range many {
			w.Request(ctx, "web", fmt.Sprint("request ", i))
			if i == many/2 {
				w.RemoveLeader(ctx) // the next leader records the remaining builds, and repeats the last writes of this leader
			}
		}
		w.hasEachOnce(ctx, many+1)
	})
}

// imageOfMany has builds that run side by side. One after the other, many builds would take longer than any one step of a spec.
func imageOfMany() *v1alpha1.Image {
	image := cluster.NewImage("web", "edition=1")
	image.Spec.RunPolicy = v1alpha1.RunPolicyParallel
	return image
}

// hasEachOnce waits until so many builds of the image are recorded as they ended, and expects each of them in the history once.
func (w *fixture) hasEachOnce(ctx context.Context, count int) {
	GinkgoHelper()
	want := make([]string, count)
	for i := range want {
		want[count-1-i] = fmt.Sprintf("web-%d", i+1)
	}
	for _, name := range slices.Backward(want) {
		w.recorded(ctx, name, "True/Recorded")
	}
	builds := w.answered(ctx)
	Expect(names(builds)).To(Equal(want))
	for i := range builds {
		Expect(builds[i]).To(And(HaveField("Phase", v1alpha1.BuildSucceeded), HaveField("Attempts", BeNumerically(">=", 1)), HaveField("DeletionTime", BeNil())))
	}
}

// answered waits until the history answers: an API server has connections to a database that there was before.
func (w *fixture) answered(ctx context.Context) (builds []v1alpha1.BuildRecord) {
	GinkgoHelper()
	w.Eventually(ctx, func(ctx context.Context) error {
		page := &v1alpha1.ImageHistory{}
		err := w.read(ctx, "web", "history", parameters{"limit": "500"}, page)
		builds = page.Items
		if err == nil && page.Continue != "" {
			return errors.New("there are more builds than fit on a page")
		}
		return err
	}).WithPolling(time.Second).Should(Succeed())
	return builds
}
