// SPDX-License-Identifier: Apache-2.0

package api

import (
	"context"
	"sync"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
)

func describeQuota(w *fixture) {
	Describe("A quota for objects", func() {
		It("refuses the creation of what is over it, until something is deleted", func(ctx SpecContext) {
			w.create(ctx, "first")
			w.create(ctx, "second")
			w.limit(ctx, map[corev1.ResourceName]string{"count/images.images.goldsmith.dev": "2"})
			create := func(dryRun ...string) func(ctx context.Context) error {
				return func(ctx context.Context) error {
					_, err := w.Images().Create(ctx, image("third"), metav1.CreateOptions{DryRun: dryRun})
					return err
				}
			}
			w.refusedByAll(ctx, create(metav1.DryRunAll))
			err := create()(ctx)
			Expect(apierrors.IsForbidden(err)).To(BeTrue(), "%v", err)
			Expect(err).To(MatchError(ContainSubstring("exceeded quota: objects, requested: count/images.images.goldsmith.dev=1, " +
				"used: count/images.images.goldsmith.dev=2, limited: count/images.images.goldsmith.dev=2")))
			images(w).patch(ctx, "second", types.MergePatchType, `{"metadata":{"labels":{"a":"b"}}}`)
			_, err = w.Images().Patch(ctx, "third", types.ApplyPatchType,
				[]byte(`{"apiVersion":"images.goldsmith.dev/v1alpha1","kind":"Image","metadata":{"name":"third"},`+imageContent+`}`), metav1.PatchOptions{FieldManager: "one"})
			Expect(apierrors.IsForbidden(err)).To(BeTrue(), "%v", err)

			Expect(w.Images().Delete(ctx, "first", metav1.DeleteOptions{})).To(Succeed())
			w.Eventually(ctx, create()).Should(Succeed())
		})

		It("for builds holds for requests, too, and a request that was refused keeps its number", func(ctx SpecContext) {
			w.create(ctx, "web", func(image *v1alpha1.Image) { image.Spec.Builder.Name = "nobody" })
			request := func(id string, dryRun ...string) func(ctx context.Context) (*v1alpha1.ImageBuild, error) {
				return func(ctx context.Context) (*v1alpha1.ImageBuild, error) {
					return w.Images().Instantiate(ctx, "web", &v1alpha1.BuildRequest{RequestID: id}, metav1.CreateOptions{DryRun: dryRun})
				}
			}
			Expect(request("first")(ctx)).To(HaveField("Name", "web-1"))
			w.limit(ctx, map[corev1.ResourceName]string{"count/imagebuilds.images.goldsmith.dev": "1"})
			w.refusedByAll(ctx, func(ctx context.Context) error {
				_, err := request("second", metav1.DryRunAll)(ctx)
				return err
			})
			_, err := request("second")(ctx)
			Expect(apierrors.IsForbidden(err)).To(BeTrue(), "%v", err)
			Expect(err).To(MatchError(ContainSubstring("exceeded quota: objects")))
			Expect(w.Builds().Delete(ctx, "web-1", metav1.DeleteOptions{})).To(Succeed())
			w.Eventually(ctx, request("second")).Should(HaveField("Name", "web-2"))
		})
	})
}

// describeKindQuota: an object of a kind counts twice, as itself and as its Image.
func describeKindQuota(w *subject) {
	DescribeTable("A quota refuses the creation of what is over it, and counts what is deleted, for", func(ctx SpecContext, ofKind, ofImages, over string) {
		w.create(ctx, "first")
		w.fixture.create(ctx, "other")
		w.limit(ctx, map[corev1.ResourceName]string{kindCount: ofKind, imageCount: ofImages}, map[corev1.ResourceName]string{kindCount: "1", imageCount: "2"})
		create := func(dryRun ...string) func(ctx context.Context) error {
			return func(ctx context.Context) error {
				_, err := w.client().Create(ctx, w.object("second"), metav1.CreateOptions{DryRun: dryRun})
				return err
			}
		}
		w.refusedByAll(ctx, create(metav1.DryRunAll))
		Expect(create()(ctx)).To(MatchError(And(ContainSubstring("exceeded quota: objects, requested: "+over+"=1"), ContainSubstring(w.resource.Resource))))
		_, err := w.client().Patch(ctx, "first", types.MergePatchType, []byte(`{"metadata":{"labels":{"a":"b"}}}`), metav1.PatchOptions{})
		Expect(err).NotTo(HaveOccurred())
		w.remove(ctx, "first")
		w.Eventually(ctx, create()).Should(Succeed())
	},
		Entry("the objects of the kind", "1", "10", kindCount),
		Entry("Images", "10", "2", imageCount),
	)
}

// kindCount and imageCount are the resources of quotas.
const (
	kindCount  = "count/appliances.catalog.goldsmith.dev"
	imageCount = "count/images.images.goldsmith.dev"
)

// limit creates a quota in the namespace, and waits until as many objects are counted as there are: by default as many as are allowed. The
// quota controller counts once, from its cache, and may not know the resource or the newest object yet. So a wrong count is made again,
// with a new quota.
func (w *fixture) limit(ctx context.Context, allowed map[corev1.ResourceName]string, present ...map[corev1.ResourceName]string) {
	GinkgoHelper()
	quotas := w.Kube.CoreV1().ResourceQuotas(w.Namespace)
	want := resources(append(present, allowed)[0])
	w.Eventually(ctx, func(ctx context.Context) (used corev1.ResourceList, err error) {
		quota, err := quotas.Get(ctx, "objects", metav1.GetOptions{})
		if apierrors.IsNotFound(err) {
			quota, err = quotas.Create(ctx, &corev1.ResourceQuota{
				ObjectMeta: metav1.ObjectMeta{Name: "objects"}, Spec: corev1.ResourceQuotaSpec{Hard: resources(allowed)},
			}, metav1.CreateOptions{})
		}
		if err == nil && len(quota.Status.Hard) > 0 && !equality.Semantic.DeepEqual(quota.Status.Used, want) {
			err = quotas.Delete(ctx, quota.Name, metav1.DeleteOptions{})
		}
		return quota.Status.Used, err
	}).Should(BeComparableTo(want))
}

func resources(counts map[corev1.ResourceName]string) corev1.ResourceList {
	list := corev1.ResourceList{}
	for name, count := range counts {
		list[name] = resource.MustParse(count)
	}
	return list
}

// refusedByAll waits until a dry run is refused by each replica: each learns of a quota at a moment of its own, and may have looked just before
// there was one. That many dry runs at once meet them all.
func (w *fixture) refusedByAll(ctx context.Context, dryRun func(ctx context.Context) error) {
	GinkgoHelper()
	const atOnce = 20
	w.Eventually(ctx, func(ctx context.Context) []error {
		answers := make([]error, atOnce)
		var asking sync.WaitGroup
		for i := range answers {
			asking.Go(func() { answers[i] = dryRun(ctx) })
		}
		asking.Wait()
		return answers
	}).Should(HaveEach(Satisfy(apierrors.IsForbidden)))
}
