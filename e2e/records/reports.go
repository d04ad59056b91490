// SPDX-License-Identifier: Apache-2.0

package records

import (
	"context"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"goldsmith.dev/goldsmith/apis/generated/clientset/versioned/scheme"
	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/e2e/cluster"
)

func describeReports(w *fixture) {
	It("are counted for each image, over a window", func(ctx SpecContext) {
		w.CreateImage(ctx, cluster.NewImage("web", "edition=1", "failAt=1"))
		w.recorded(ctx, "web-1", "True/Recorded")
		w.ChangeImage(ctx, "web", withInputs("edition=2"))
		w.recorded(ctx, "web-2", "True/Recorded")

		stats := &v1alpha1.ImageStats{}
		Expect(w.read(ctx, "web", "stats", nil, stats)).To(Succeed())
		Expect(stats.Stats).To(HaveValue(And(
			HaveField("Window.Duration", 720*time.Hour), HaveField("Builds", int64(2)), HaveField("Succeeded", int64(1)), HaveField("Failed", int64(1)),
			HaveField("SuccessRate", HaveValue(Equal(int32(50)))), HaveField("Durations", Not(BeNil())), HaveField("QueueTimes", Not(BeNil())),
			HaveField("Failures", Equal([]v1alpha1.FailureCount{{Class: v1alpha1.FailureUser, Builds: 1}})),
			HaveField("Recoveries", int64(1)), HaveField("MeanTimeToRecovery", Not(BeNil())),
		)))
		Expect(stats.Health).To(HaveValue(HaveField("Score", And(BeNumerically(">", 0), BeNumerically("<", 100)))))
		Expect(w.read(ctx, "web", "stats", parameters{"since": "1h"}, stats)).To(Succeed())
		Expect(stats.Stats).To(HaveValue(HaveField("Window.Duration", time.Hour)))
		err := w.read(ctx, "web", "stats", parameters{"since": "soon"}, stats)
		Expect(apierrors.IsBadRequest(err) || apierrors.IsInvalid(err)).To(BeTrue(), "%v", err)
	})

	It("are reported on for all images together, and for one with what else is known", func(ctx SpecContext) {
		for _, name := range []string{"api", "db", "web"} {
			w.CreateImage(ctx, cluster.NewImage(name, "edition=1"))
			w.recorded(ctx, name+"-1", "True/Recorded")
		}
		_, err := w.Images().Patch(ctx, "web", types.MergePatchType, []byte(`{"metadata": {"labels": {"team": "red"}}}`), metav1.PatchOptions{})
		Expect(err).NotTo(HaveOccurred())
		idle := cluster.NewImage("idle")
		idle.Spec.Suspend = new(true)
		w.CreateImage(ctx, idle)

		all := w.reports(ctx, metav1.ListOptions{})
		Expect(reportNames(all)).To(Equal([]string{"api", "db", "idle", "web"}))
		for i := range all.Items {
			report := &all.Items[i]
			Expect(report.History).To(BeEmpty(), "in a list")
			if report.Name != "idle" {
				Expect(report.Stats).To(HaveValue(HaveField("Builds", int64(1))), report.Name)
				Expect(report.Health).To(HaveValue(HaveField("Score", int32(100))), report.Name)
			}
		}
		Expect(reportNames(w.reports(ctx, metav1.ListOptions{LabelSelector: "team=red"}))).To(Equal([]string{"web"}))
		Expect(reportNames(w.reports(ctx, metav1.ListOptions{FieldSelector: "metadata.name=db,since=2h"}))).To(Equal([]string{"db"}))
		Expect(w.reports(ctx, metav1.ListOptions{FieldSelector: "since=2h"}).Items[0].Stats).To(HaveValue(HaveField("Window.Duration", 2*time.Hour)))
		page := w.reports(ctx, metav1.ListOptions{Limit: 3})
		Expect(reportNames(page)).To(Equal([]string{"api", "db", "idle"}))
		Expect(reportNames(w.reports(ctx, metav1.ListOptions{Limit: 3, Continue: page.Continue}))).To(Equal([]string{"web"}))

		_, err = w.note(ctx, "web", v1alpha1.NoteRecord{Text: "looks good"})
		Expect(err).NotTo(HaveOccurred())
		report := &v1alpha1.ImageReport{}
		Expect(w.Goldsmith.ImagesV1alpha1().RESTClient().Get().Namespace(w.Namespace).Resource("imagereports").Name("web").Do(ctx).Into(report)).To(Succeed())
		Expect(names(report.History)).To(Equal([]string{"web-1"}))
		Expect(report.Notes).To(ConsistOf(HaveField("Text", "looks good")))
		err = w.Goldsmith.ImagesV1alpha1().RESTClient().Get().Namespace(w.Namespace).Resource("imagereports").Name("nothing").Do(ctx).Error()
		Expect(apierrors.IsNotFound(err)).To(BeTrue(), "%v", err)

		table, err := w.Environment.Kubectl(ctx, "--namespace="+w.Namespace, "get", "imagereports").CombinedOutput()
		Expect(err).NotTo(HaveOccurred(), "%s", table)
		Expect(string(table)).To(MatchRegexp(`(?s)^NAME +BUILDS +SUCCESS +P50 +P90 +HEALTH +ONEOFFS +AGE\s*\napi +1 +100%? .*\nidle .*\nweb +1 `))
	})
}

func (w *fixture) reports(ctx context.Context, options metav1.ListOptions) *v1alpha1.ImageReportList {
	GinkgoHelper()
	list := &v1alpha1.ImageReportList{}
	request := w.Goldsmith.ImagesV1alpha1().RESTClient().Get().Namespace(w.Namespace).Resource("imagereports").
		VersionedParams(&options, scheme.ParameterCodec)
	Expect(request.Do(ctx).Into(list)).To(Succeed())
	return list
}

// reportNames are the names of the image reports in a list, in its order.
func reportNames(list *v1alpha1.ImageReportList) []string {
	var found []string
	for i := range list.Items {
		found = append(found, list.Items[i].Name)
	}
	return found
}
