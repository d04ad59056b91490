// SPDX-License-Identifier: Apache-2.0

package apiserver_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	gomegatypes "github.com/onsi/gomega/types"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	utilrand "k8s.io/apimachinery/pkg/util/rand"

	"goldsmith.dev/goldsmith/apis/generated/clientset/versioned"
	typed "goldsmith.dev/goldsmith/apis/generated/clientset/versioned/typed/images/v1alpha1"
	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/apiserver"
	"goldsmith.dev/goldsmith/apiserver/builder"
	resolution "goldsmith.dev/goldsmith/jobs/inputs"
	"goldsmith.dev/goldsmith/jobs/trigger"
)

func rand() string { return utilrand.String(8) }

var _ = Describe("Instantiating an Image", func() {
	var (
		images typed.ImageInterface
		builds typed.ImageBuildInterface
	)
	BeforeEach(func(ctx SpecContext) {
		namespace := newNamespace()
		images, builds = imagesIn(namespace), buildsIn(namespace)
		must(images.Create(ctx, newImage("debian"), metav1.CreateOptions{}))
	})

	It("creates a build with a snapshot of the spec, owned by the Image", func(ctx SpecContext) {
		image := must(images.Get(ctx, "debian", metav1.GetOptions{}))
		change := v1alpha1.InputChange{Path: "base.reference", From: "debian:bullseye", To: "debian:bookworm"}
		build := must(images.Instantiate(ctx, "debian", &v1alpha1.BuildRequest{
			RequestID: "first", Reason: v1alpha1.TriggerSpecChange, Message: "the base has changed", Changes: []v1alpha1.InputChange{change},
		}, metav1.CreateOptions{}))

		Expect(build.Name).To(Equal("debian-1"))
		Expect(build.Labels).To(HaveKeyWithValue(v1alpha1.LabelImage, "debian"))
		Expect(build.OwnerReferences).To(ConsistOf(*metav1.NewControllerRef(image, v1alpha1.Kind("Image"))))
		Expect(build.Spec.ImageRef).To(HaveValue(Equal(v1alpha1.ImageReference{Name: "debian", UID: image.UID})))
		Expect(build.Spec.Number).To(HaveValue(BeEquivalentTo(1)))
		Expect(build.Spec.ImageGeneration).To(HaveValue(BeEquivalentTo(1)))
		Expect(build.Spec.Trigger).To(HaveValue(Equal(v1alpha1.BuildTrigger{
			Reason: v1alpha1.TriggerSpecChange, Message: "the base has changed", RequestedBy: "ada", RequestID: "first",
			Changes: []v1alpha1.InputChange{change},
		})))
		Expect(build.Spec.Inputs).To(Equal(image.Spec.BuildInputs))
		Expect(build.Spec.Timeouts).To(Equal(image.Spec.Timeouts))
		Expect(build.Spec.Retry).To(Equal(image.Spec.Retry))
		Expect(build.Status).To(Equal(newBuildStatus(build)))

		image = must(images.Get(ctx, "debian", metav1.GetOptions{}))
		Expect(image.Status.BuildCounter).To(BeEquivalentTo(1))
		Expect(image.Status.RecentRequests).To(ConsistOf(And(HaveField("RequestID", "first"), HaveField("Number", int64(1)), HaveField("UID", BeEmpty()))))
		Expect(image.Generation).To(BeEquivalentTo(1))
	})

	It("labels each build as the Image is labelled at that time", func(ctx SpecContext) {
		must(images.Patch(ctx, "debian", types.MergePatchType, []byte(`{"metadata":{"labels":{"team":"platform","tier":"base",
			"images.goldsmith.dev/image":"other","images.goldsmith.dev/build":"other-1","images.goldsmith.dev/legal-hold":"true"}}}`), metav1.PatchOptions{}))
		build := must(images.Instantiate(ctx, "debian", request("first"), metav1.CreateOptions{}))
		Expect(build.Labels).To(Equal(map[string]string{"team": "platform", "tier": "base", v1alpha1.LabelImage: "debian"}))

		must(images.Patch(ctx, "debian", types.MergePatchType, []byte(`{"metadata":{"labels":{"team":"web","tier":null}}}`), metav1.PatchOptions{}))
		relabelled := map[string]string{"team": "web", v1alpha1.LabelImage: "debian"}
		Expect(must(builds.Rerun(ctx, build.Name, &v1alpha1.RerunRequest{}, metav1.CreateOptions{})).Labels).To(Equal(relabelled))
		oneOff := must(images.Instantiate(ctx, "debian", &v1alpha1.BuildRequest{Parameters: []v1alpha1.Parameter{{Name: "edition", Value: "b"}}}, metav1.CreateOptions{}))
		Expect(oneOff.Labels).To(Equal(relabelled))

		Expect(must(builds.List(ctx, metav1.ListOptions{LabelSelector: "team=platform"})).Items).To(ConsistOf(HaveField("Name", build.Name)))
	})

	It("answers the same request with the same build, even after the Image has changed", func(ctx SpecContext) {
		first := must(images.Instantiate(ctx, "debian", request("same"), metav1.CreateOptions{}))
		must(images.Patch(ctx, "debian", types.MergePatchType, []byte(`{"spec":{"base":{"reference":"debian:trixie"}}}`), metav1.PatchOptions{}))
		Expect(images.Instantiate(ctx, "debian", request("same"), metav1.CreateOptions{})).To(Equal(first))
	})

	It("makes one build of twenty same requests at once", func(ctx SpecContext) {
		uids := instantiateAtOnce(ctx, images, 20, func(int) string { return "same" })
		Expect(uids).To(HaveLen(1))
		Expect(must(builds.List(ctx, metav1.ListOptions{})).Items).To(HaveLen(1))
	})

	It("makes twenty builds of twenty different requests at once, without a gap in their numbers", func(ctx SpecContext) {
		uids := instantiateAtOnce(ctx, images, 20, func(i int) string { return fmt.Sprintf("request-%d", i) })
		Expect(uids).To(HaveLen(20))
		list := must(builds.List(ctx, metav1.ListOptions{}))
		numbers := map[int64]string{}
		for _, build := range list.Items {
			numbers[*build.Spec.Number] = build.Name
		}
		for n := int64(1); n <= 20; n++ {
			Expect(numbers).To(HaveKeyWithValue(n, fmt.Sprintf("debian-%d", n)))
		}
	})

	It("makes two builds of two requests without an ID", func(ctx SpecContext) {
		uids := instantiateAtOnce(ctx, images, 2, func(int) string { return "" })
		Expect(uids).To(HaveLen(2))
	})

	It("takes the next free number where a person's build has the name", func(ctx SpecContext) {
		for _, name := range []string{"debian-1", "debian-2"} {
			must(builds.Create(ctx, newBuild(name), metav1.CreateOptions{}))
		}
		build := must(images.Instantiate(ctx, "debian", request("first"), metav1.CreateOptions{}))
		Expect(build.Name).To(Equal("debian-3"))
		Expect(build.Spec.Number).To(HaveValue(BeEquivalentTo(3)))
	})

	It("takes the next free number where a build of a deleted Image of that name is left", func(ctx SpecContext) {
		must(images.Instantiate(ctx, "debian", request("first"), metav1.CreateOptions{}))
		Expect(images.Delete(ctx, "debian", metav1.DeleteOptions{})).To(Succeed())
		again := must(images.Create(ctx, newImage("debian"), metav1.CreateOptions{}))
		build := must(images.Instantiate(ctx, "debian", request("first"), metav1.CreateOptions{}))
		Expect(build.Name).To(Equal("debian-2"))
		Expect(build.Spec.ImageRef.UID).To(Equal(again.UID))
	})

	It("answers 410 for a request whose build was deleted before the controller has seen it", func(ctx SpecContext) {
		for id, remove := range map[string]func(name string) error{
			"by name": func(name string) error { return builds.Delete(ctx, name, metav1.DeleteOptions{}) },
			"in a collection": func(name string) error {
				return builds.DeleteCollection(ctx, metav1.DeleteOptions{}, metav1.ListOptions{FieldSelector: "metadata.name=" + name})
			},
		} {
			build := must(images.Instantiate(ctx, "debian", request(id), metav1.CreateOptions{}))
			Expect(builds.Delete(ctx, build.Name, metav1.DeleteOptions{DryRun: []string{metav1.DryRunAll}})).To(Succeed())
			Expect(images.Instantiate(ctx, "debian", request(id), metav1.CreateOptions{})).To(HaveField("UID", build.UID))
			Expect(remove(build.Name)).To(Succeed())
			Expect(errorOf(images.Instantiate(ctx, "debian", request(id), metav1.CreateOptions{}))).To(Satisfy(apierrors.IsGone), "%v", id)
			Expect(images.Get(ctx, "debian", metav1.GetOptions{})).To(HaveField("Status.RecentRequests",
				ContainElement(And(HaveField("RequestID", id), HaveField("UID", build.UID)))))
		}
	})

	It("deletes builds while the storage is full", func(ctx SpecContext) {
		storage := &fullable{StorageBackend: builder.Memory()}
		running := startOn(ctx, storage, apiserver.Register(builder.New("full"), apiserver.Options{Logs: logs}))
		api := versioned.NewForConfigOrDie(running.ClientConfig()).ImagesV1alpha1()
		images, builds := api.Images("full"), api.ImageBuilds("full")
		must(images.Create(ctx, newImage("debian"), metav1.CreateOptions{}))
		for _, id := range []string{"first", "second"} {
			must(images.Instantiate(ctx, "debian", request(id), metav1.CreateOptions{}))
		}
		storage.full.Store(true)
		Expect(builds.Delete(ctx, "debian-1", metav1.DeleteOptions{})).To(Succeed())
		Expect(builds.DeleteCollection(ctx, metav1.DeleteOptions{}, metav1.ListOptions{})).To(Succeed())
		Expect(builds.List(ctx, metav1.ListOptions{})).To(HaveField("Items", BeEmpty()))
	})

	It("answers 410 for a request whose build was deleted", func(ctx SpecContext) {
		build := must(images.Instantiate(ctx, "debian", request("first"), metav1.CreateOptions{}))
		recordUID(ctx, images, "debian", build.UID)
		Expect(must(images.Instantiate(ctx, "debian", request("first"), metav1.CreateOptions{})).UID).To(Equal(build.UID))

		Expect(builds.Delete(ctx, build.Name, metav1.DeleteOptions{})).To(Succeed())
		Expect(errorOf(images.Instantiate(ctx, "debian", request("first"), metav1.CreateOptions{}))).To(
			And(Satisfy(apierrors.IsGone), MatchError(ContainSubstring(`request "first" created imagebuild "debian-1", which was deleted`))))

		must(builds.Create(ctx, newBuild("debian-1"), metav1.CreateOptions{}))
		_, err := images.Instantiate(ctx, "debian", request("first"), metav1.CreateOptions{})
		Expect(apierrors.IsGone(err)).To(BeTrue(), "another build of that name is not the answer: %v", err)
	})

	It("accepts a reserved request ID only for the build that its trigger requests now", func(ctx SpecContext) {
		scheduleSince(ctx, images, "debian", time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC))
		image := must(images.Get(ctx, "debian", metav1.GetOptions{}))
		own := resolution.Digest(image.Spec.BuildInputs, nil, "", "")
		take := func(id string) error {
			_, err := images.Instantiate(ctx, "debian", request(id), metav1.CreateOptions{})
			return err
		}
		notDue := func(ids ...string) {
			GinkgoHelper()
			before := must(images.Get(ctx, "debian", metav1.GetOptions{}))
			for _, id := range ids {
				err := take(id)
				Expect(apierrors.IsConflict(err)).To(BeTrue(), "%s: %v", id, err)
				Expect(err).To(MatchError(ContainSubstring(fmt.Sprintf("requestID %q has a form that only triggers use", id))))
			}
			Expect(must(images.Get(ctx, "debian", metav1.GetOptions{})).ResourceVersion).To(Equal(before.ResourceVersion))
		}
		const start = "schedule:2026-03-01T03:30:00Z"
		notDue(digest('a')+":0", own+":1", own+":0", "schedule:2026-03-01T03:31:00Z", "schedule:9999-03-01T03:30:00Z", "schedule:now")
		packages := v1alpha1.BuildRequest{RequestID: "packages:" + digest('a') + ":0", Reason: v1alpha1.TriggerPackageChange}
		Expect(errorOf(images.Instantiate(ctx, "debian", &packages, metav1.CreateOptions{}))).To(Satisfy(apierrors.IsConflict))
		Expect(take(start)).To(Succeed())
		notDue(own + ":0") // the build of the schedule may have the same inputs
		writeTo(ctx, builds, "debian-1", resolve(v1alpha1.ResolvedInputs{InputsDigest: digest('b')}))
		Expect(images.Patch(ctx, "debian", types.MergePatchType, []byte(`{"spec":{"triggers":{"schedule":null}}}`), metav1.PatchOptions{})).NotTo(BeNil())
		notDue(own+":0", own+":2", digest('b')+":1", "schedule:2026-03-02T03:30:00Z")
		Expect(take(own + ":1")).To(Succeed())
		for _, id := range []string{start, own + ":1"} {
			Expect(take(id)).To(Succeed(), "a repeated request is answered with its build")
		}
		Expect(builds.List(ctx, metav1.ListOptions{})).To(HaveField("Items", HaveLen(2)))
	})

	It("remembers requests for builds, one-off builds and reruns after many others", func(ctx SpecContext) {
		scheduleSince(ctx, images, "debian", time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC))
		oneOff := request("one-off")
		oneOff.Parameters = []v1alpha1.Parameter{{Name: "flavour", Value: "small"}}
		asks := []func() (*v1alpha1.ImageBuild, error){
			func() (*v1alpha1.ImageBuild, error) {
				return images.Instantiate(ctx, "debian", request("build"), metav1.CreateOptions{})
			},
			func() (*v1alpha1.ImageBuild, error) {
				return images.Instantiate(ctx, "debian", oneOff, metav1.CreateOptions{})
			},
			func() (*v1alpha1.ImageBuild, error) {
				return images.Instantiate(ctx, "debian", &v1alpha1.BuildRequest{RequestID: "schedule:2026-03-01T03:30:00Z", Reason: v1alpha1.TriggerSchedule}, metav1.CreateOptions{})
			},
			func() (*v1alpha1.ImageBuild, error) {
				return builds.Rerun(ctx, "debian-1", &v1alpha1.RerunRequest{RequestID: "rerun"}, metav1.CreateOptions{})
			},
		}
		var first []types.UID
		for _, ask := range asks {
			build := must(ask())
			first = append(first, build.UID)
		}
		Expect(instantiateAtOnce(ctx, images, 32, func(i int) string { return fmt.Sprintf("request-%d", i) })).To(HaveLen(32))
		for i, ask := range asks {
			build := must(ask())
			Expect(build.UID).To(Equal(first[i]), build.Name)
		}
		image := must(images.Get(ctx, "debian", metav1.GetOptions{}))
		Expect(image.Status.RecentRequests).To(HaveLen(36))
		Expect(image.Status.RecentRequests).To(HaveEach(HaveField("RequestTime.Time", BeTemporally("~", time.Now(), time.Hour))))
		Expect(image.Status.BuildCounter).To(BeEquivalentTo(36))
	})

	It("refuses an Image that is being deleted", func(ctx SpecContext) {
		must(images.Patch(ctx, "debian", types.MergePatchType, []byte(`{"metadata":{"finalizers":["example.com/hold"]}}`), metav1.PatchOptions{}))
		Expect(images.Delete(ctx, "debian", metav1.DeleteOptions{})).To(Succeed())
		Expect(errorOf(images.Instantiate(ctx, "debian", request("late"), metav1.CreateOptions{}))).To(Satisfy(apierrors.IsConflict))
	})

	It("refuses an Image that is not there", func(ctx SpecContext) {
		Expect(errorOf(images.Instantiate(ctx, "nothing", request("first"), metav1.CreateOptions{}))).To(
			And(Satisfy(apierrors.IsNotFound), MatchError(ContainSubstring(`images.images.goldsmith.dev "nothing" not found`))))
	})

	It("stores nothing in a dry run", func(ctx SpecContext) {
		build := must(images.Instantiate(ctx, "debian", request("dry"), metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}}))
		Expect(build.Name).To(Equal("debian-1"))
		Expect(errorOf(builds.Get(ctx, "debian-1", metav1.GetOptions{}))).To(Satisfy(apierrors.IsNotFound))
		image := must(images.Get(ctx, "debian", metav1.GetOptions{}))
		Expect(image.Status).To(Equal(newImageStatus(image)))
	})

	It("refuses a build that is too large to be stored, though the Image was not", func(ctx SpecContext) {
		large := newImage("large")
		large.Spec.Builder = v1alpha1.BuilderReference{Image: "example.com/builder", Command: []string{strings.Repeat("x", 1500<<10)}}
		must(images.Create(ctx, large, metav1.CreateOptions{}))
		change := v1alpha1.InputChange{Path: strings.Repeat("\U0001f600", 512), From: strings.Repeat("\U0001f600", 128)}
		_, err := images.Instantiate(ctx, "large", &v1alpha1.BuildRequest{Changes: slices.Repeat([]v1alpha1.InputChange{change}, 32)}, metav1.CreateOptions{})
		Expect(apierrors.IsRequestEntityTooLargeError(err)).To(BeTrue(), "%v", err)
	})

	It("names every field of an invalid request", func(ctx SpecContext) {
		Expect(errorOf(images.Instantiate(ctx, "debian", &v1alpha1.BuildRequest{
			ObjectMeta: metav1.ObjectMeta{Name: "ubuntu"}, RequestID: "a\tb", Reason: "Because", Changes: []v1alpha1.InputChange{{}},
		}, metav1.CreateOptions{}))).To(beInvalid("metadata.name", "requestID", "reason", "changes[0].path"))
	})
})

// instantiateAtOnce sends n requests at the same time and returns the UIDs of the builds they are answered with.
func instantiateAtOnce(ctx SpecContext, images typed.ImageInterface, n int, id func(int) string) map[types.UID]bool {
	GinkgoHelper()
	var (
		wait sync.WaitGroup
		lock sync.Mutex
		errs []error
		uids = map[types.UID]bool{}
	)
	for i := range n {
		wait.Go(func() {
			build, err := images.Instantiate(ctx, "debian", request(id(i)), metav1.CreateOptions{})
			lock.Lock()
			defer lock.Unlock()
			if err != nil {
				errs = append(errs, err)
				return
			}
			uids[build.UID] = true
		})
	}
	wait.Wait()
	Expect(errs).To(BeEmpty())
	return uids
}

// recordUID does what the controller does: it fills in the uid of a request's build.
func recordUID(ctx SpecContext, images typed.ImageInterface, name string, uid types.UID) {
	GinkgoHelper()
	image := must(images.Get(ctx, name, metav1.GetOptions{}))
	image.Status.RecentRequests[0].UID = uid
	must(images.UpdateStatus(ctx, image, metav1.UpdateOptions{}))
}

// scheduleSince gives an Image a schedule at 03:30 each day, as it is stored when a controller has seen it first at a time.
func scheduleSince(ctx SpecContext, images typed.ImageInterface, name string, since time.Time) {
	GinkgoHelper()
	image := must(images.Patch(ctx, name, types.MergePatchType, []byte(`{"spec":{"triggers":{"schedule":{"cron":"30 3 * * *"}}}}`), metav1.PatchOptions{}))
	image.Status = trigger.Next(trigger.Observed{Image: image, Now: since, Resolved: &v1alpha1.ResolvedInputs{InputsDigest: digest('a')}}).Status
	must(images.UpdateStatus(ctx, image, metav1.UpdateOptions{}))
}

// beInvalid matches an Invalid error that names these fields.
func beInvalid(fields ...string) gomegatypes.GomegaMatcher {
	return And(Satisfy(apierrors.IsInvalid), WithTransform(fieldsOf, ConsistOf(fields)))
}

// fieldsOf are the paths that an Invalid error names.
func fieldsOf(err error) []string {
	var status apierrors.APIStatus
	if !errors.As(err, &status) || status.Status().Details == nil {
		return nil
	}
	var paths []string
	for _, cause := range status.Status().Details.Causes {
		paths = append(paths, cause.Field)
	}
	return paths
}

// fullable is a storage that can be full.
type fullable struct {
	builder.StorageBackend
	full atomic.Bool
}

func (s *fullable) Full() error {
	if s.full.Load() {
		return errors.New("full")
	}
	return nil
}
