// SPDX-License-Identifier: Apache-2.0

package apiserver_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apiserver/pkg/admission"
	apirequest "k8s.io/apiserver/pkg/endpoints/request"
	"k8s.io/apiserver/pkg/registry/rest"
	"k8s.io/utils/clock"
	"k8s.io/utils/ptr"

	"goldsmith.dev/goldsmith/apis/generated/clientset/versioned"
	typed "goldsmith.dev/goldsmith/apis/generated/clientset/versioned/typed/images/v1alpha1"
	"goldsmith.dev/goldsmith/apis/generated/openapi"
	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/apiserver/builder"
	"goldsmith.dev/goldsmith/apiserver/registry/image"
	"goldsmith.dev/goldsmith/apiserver/registry/imagebuild"
	"goldsmith.dev/goldsmith/apiserver/registry/imageplan"
	"goldsmith.dev/goldsmith/apiserver/registry/install"
	"goldsmith.dev/goldsmith/apiserver/registry/revokedartifact"
	"goldsmith.dev/goldsmith/apiserver/resources"
	resolution "goldsmith.dev/goldsmith/jobs/inputs"
	"goldsmith.dev/goldsmith/jobs/trigger"
)

var _ = Describe("A build that is instantiated", Ordered, func() {
	hook := &admissionHook{}
	var admitted versioned.Interface
	var images *image.REST

	BeforeEach(func() { hook.set(nil, nil) })

	BeforeAll(func(ctx SpecContext) {
		running := start(ctx, builder.New("admission").
			WithScheme(install.Install).
			WithOpenAPI("Goldsmith", "v1alpha1", openapi.GetOpenAPIDefinitions).
			WithResources(v1alpha1.SchemeGroupVersion, []string{"images", "imagebuilds", "imageplans"}, func(scope *resources.Scope) (map[string]resources.Storages, error) {
				scope.Admission = hook
				revoked, err := revokedartifact.NewStore(scope, clock.RealClock{})
				if err != nil {
					return nil, err
				}
				builds, err := imagebuild.NewStore(scope, imagebuild.Options{Logs: logs, Revoked: revoked})
				if err != nil {
					return nil, err
				}
				images, err = image.New(scope, builds, image.Options{})
				if err != nil {
					return nil, err
				}
				plans, err := imageplan.NewStorage(scope, images, builds, imageplan.Options{Builders: func() (resolution.Builders, error) {
					return resolution.Builders{Registered: map[string]resolution.Builder{"mock": {Image: "mock-builder:v1"}}}, nil
				}})
				if err != nil {
					return nil, err
				}
				ofImages := images.Storages(plans.Subresource())
				ofImages["channels"] = admittedChannels{ofImages["channels"].(channelsStorage), hook}
				return map[string]resources.Storages{"images": ofImages, "imagebuilds": builds.Storages(images.OfBuilds(), nil), "imageplans": {"": plans}}, nil
			}))
		admitted = must(versioned.NewForConfig(running.ClientConfig()))
	})

	It("is changed and judged by admission like any other, as the build that it is", func(ctx SpecContext) {
		namespace := newNamespace()
		must(admitted.ImagesV1alpha1().Images(namespace).Create(ctx, newImage("debian"), metav1.CreateOptions{}))

		var validated []string
		hook.set(func(object runtime.Object) {
			if build, ok := object.(*v1alpha1.ImageBuild); ok {
				build.Labels["team"] = "red"
			}
		}, func(attributes admission.Attributes) error {
			validated = append(validated, fmt.Sprintf("%s/%s by %s, dry run: %t",
				attributes.GetResource().Resource, attributes.GetName(), attributes.GetUserInfo().GetName(), attributes.IsDryRun()))
			return nil
		})
		build := must(admitted.ImagesV1alpha1().Images(namespace).Instantiate(ctx, "debian", request("first"), metav1.CreateOptions{}))
		Expect(build.Labels).To(HaveKeyWithValue("team", "red"))
		Expect(validated).To(Equal([]string{"imagebuilds/debian-1 by system:apiserver, dry run: true", "imagebuilds/debian-1 by system:apiserver, dry run: false"}))
	})

	It("takes no number if admission refuses it", func(ctx SpecContext) {
		images := admitted.ImagesV1alpha1().Images(newNamespace())
		must(images.Create(ctx, newImage("debian"), metav1.CreateOptions{}))

		hook.set(nil, func(attributes admission.Attributes) error {
			return admission.NewForbidden(attributes, errors.New("not today"))
		})
		Expect(errorOf(images.Instantiate(ctx, "debian", request("first"), metav1.CreateOptions{}))).To(MatchError(ContainSubstring("not today")))
		stored := must(images.Get(ctx, "debian", metav1.GetOptions{}))
		Expect(stored.Status.RecentRequests).To(BeEmpty())
		Expect(stored.Status.BuildCounter).To(BeZero())
	})

	It("has the number that was recorded for it, where its creation failed the first time", func(ctx SpecContext) {
		images := admitted.ImagesV1alpha1().Images(newNamespace())
		must(images.Create(ctx, newImage("debian"), metav1.CreateOptions{}))

		hook.set(nil, refuseUnlessDryRun)
		Expect(errorOf(images.Instantiate(ctx, "debian", request("first"), metav1.CreateOptions{}))).To(Satisfy(apierrors.IsForbidden))
		stored := must(images.Get(ctx, "debian", metav1.GetOptions{}))
		Expect(stored.Status.RecentRequests).To(ConsistOf(And(HaveField("RequestID", "first"), HaveField("Number", int64(1)))))

		hook.set(nil, nil)
		Expect(must(images.Instantiate(ctx, "debian", request("second"), metav1.CreateOptions{})).Name).To(Equal("debian-2"))
		Expect(must(images.Instantiate(ctx, "debian", request("first"), metav1.CreateOptions{})).Name).To(Equal("debian-1"))
	})

	It("has another number if a user's build has taken the name that was recorded for it", func(ctx SpecContext) {
		namespace := newNamespace()
		images, builds := admitted.ImagesV1alpha1().Images(namespace), admitted.ImagesV1alpha1().ImageBuilds(namespace)
		must(images.Create(ctx, newImage("debian"), metav1.CreateOptions{}))
		hook.set(nil, refuseUnlessDryRun)
		Expect(errorOf(images.Instantiate(ctx, "debian", request("first"), metav1.CreateOptions{}))).To(Satisfy(apierrors.IsForbidden))
		hook.set(nil, nil)
		must(builds.Create(ctx, newBuild("debian-1"), metav1.CreateOptions{}))
		Expect(must(images.Instantiate(ctx, "debian", request("first"), metav1.CreateOptions{})).Name).To(Equal("debian-2"))
		Expect(images.Get(ctx, "debian", metav1.GetOptions{})).To(HaveField("Status.RecentRequests",
			ConsistOf(And(HaveField("RequestID", "first"), HaveField("Number", int64(2))))))
	})

	DescribeTable("is deleted again if its request got another build while it was created", func(ctx SpecContext,
		meanwhile func(context.Context, typed.ImageInterface, typed.ImageBuildInterface), answer string, left int) {
		namespace := newNamespace()
		images, builds := admitted.ImagesV1alpha1().Images(namespace), admitted.ImagesV1alpha1().ImageBuilds(namespace)
		must(images.Create(ctx, newImage("debian"), metav1.CreateOptions{}))
		hook.set(nil, func(attributes admission.Attributes) error {
			if attributes.IsDryRun() {
				return nil
			}
			defer GinkgoRecover()
			hook.set(nil, nil)
			meanwhile(ctx, images, builds)
			return nil
		})
		build, err := images.Instantiate(ctx, "debian", request("same"), metav1.CreateOptions{})
		if answer == "" {
			Expect(apierrors.IsGone(err)).To(BeTrue(), "%v", err)
		} else {
			Expect(err).NotTo(HaveOccurred())
			Expect(build.Name).To(Equal(answer))
		}
		Expect(builds.List(ctx, metav1.ListOptions{})).To(HaveField("Items", HaveLen(left)))
	},
		Entry("which was deleted", func(ctx context.Context, images typed.ImageInterface, builds typed.ImageBuildInterface) {
			build := must(images.Instantiate(ctx, "debian", request("same"), metav1.CreateOptions{}))
			Expect(builds.Delete(ctx, build.Name, metav1.DeleteOptions{})).To(Succeed())
		}, "", 0),
		Entry("of another name, which it has because a user's build had this one", func(ctx context.Context, images typed.ImageInterface, builds typed.ImageBuildInterface) {
			must(builds.Create(ctx, newBuild("debian-1"), metav1.CreateOptions{}))
			must(images.Instantiate(ctx, "debian", request("same"), metav1.CreateOptions{}))
			Expect(builds.Delete(ctx, "debian-1", metav1.DeleteOptions{})).To(Succeed())
		}, "debian-2", 1),
	)

	DescribeTable("asks admission as the subresource does, where an object makes the request", func(ctx SpecContext, subresource, kind, message string,
		ask func(ctx context.Context, namespace string, dryRun []string) (*v1alpha1.ImageBuild, error)) {
		namespace := newNamespace()
		images, builds := admitted.ImagesV1alpha1().Images(namespace), admitted.ImagesV1alpha1().ImageBuilds(namespace)
		must(images.Create(ctx, newImage("debian"), metav1.CreateOptions{}))
		must(images.Instantiate(ctx, "debian", request("first"), metav1.CreateOptions{}))
		before := must(builds.List(ctx, metav1.ListOptions{})).Items

		var asked []string
		policy := func(attributes admission.Attributes) error {
			if attributes.GetSubresource() == "" {
				return nil
			}
			asked = append(asked, fmt.Sprintf("%s %s/%s of %s in %s, dry run: %t", attributes.GetKind().Kind,
				attributes.GetResource().Resource, attributes.GetSubresource(), attributes.GetName(), attributes.GetNamespace(), attributes.IsDryRun()))
			return admission.NewForbidden(attributes, errors.New("not on a Friday"))
		}
		hook.set(nil, policy)
		for _, dryRun := range [][]string{nil, {metav1.DryRunAll}} {
			Expect(errorOf(ask(ctx, namespace, dryRun))).To(And(Satisfy(apierrors.IsForbidden), MatchError(ContainSubstring("not on a Friday"))))
		}
		Expect(asked).To(Equal([]string{
			kind + " " + subresource + " in " + namespace + ", dry run: false", kind + " " + subresource + " in " + namespace + ", dry run: true",
		}))
		Expect(must(builds.List(ctx, metav1.ListOptions{})).Items).To(Equal(before))

		for text, problem := range map[string]string{"by a policy": "", "two\nlines": message} {
			hook.set(func(object runtime.Object) {
				switch request := object.(type) {
				case *v1alpha1.BuildRequest:
					request.Message = text
				case *v1alpha1.RerunRequest:
					request.Message = text
				case *v1alpha1.CancelRequest:
					request.Reason = text
				}
			}, nil)
			build, err := ask(ctx, namespace, []string{metav1.DryRunAll})
			if problem != "" {
				Expect(err).To(And(Satisfy(apierrors.IsInvalid), WithTransform(fieldsOf, ConsistOf(problem))))
				continue
			}
			Expect(err).NotTo(HaveOccurred())
			Expect(build.Spec.Trigger.Message + ptr.Deref(build.Spec.CancelRequested, v1alpha1.CancelRequested{}).Reason).To(Equal(text))
		}
	},
		Entry("a build for a build", "images/instantiate of debian", "BuildRequest", "spec.trigger.message",
			func(ctx context.Context, namespace string, dryRun []string) (*v1alpha1.ImageBuild, error) {
				build := &v1alpha1.ImageBuild{Spec: v1alpha1.ImageBuildSpec{ImageRef: &v1alpha1.ImageReference{Name: "debian"}}}
				build.GenerateName = "debian-"
				return admitted.ImagesV1alpha1().ImageBuilds(namespace).Create(ctx, build, metav1.CreateOptions{DryRun: dryRun})
			}),
		Entry("a build for a rerun", "imagebuilds/rerun of debian-1", "RerunRequest", "spec.trigger.message",
			func(ctx context.Context, namespace string, dryRun []string) (*v1alpha1.ImageBuild, error) {
				build := &v1alpha1.ImageBuild{Spec: v1alpha1.ImageBuildSpec{
					ImageRef: &v1alpha1.ImageReference{Name: "debian"}, Trigger: &v1alpha1.BuildTrigger{RerunOf: "debian-1"},
				}}
				build.GenerateName = "debian-"
				return admitted.ImagesV1alpha1().ImageBuilds(namespace).Create(ctx, build, metav1.CreateOptions{DryRun: dryRun})
			}),
		Entry("an object of a kind for a build", "images/instantiate of debian", "BuildRequest", "message",
			func(ctx context.Context, namespace string, dryRun []string) (*v1alpha1.ImageBuild, error) {
				ctx = apirequest.WithNamespace(ctx, namespace)
				return images.Build(ctx, "debian", "", &v1alpha1.BuildRequest{Reason: v1alpha1.TriggerManual}, &metav1.CreateOptions{DryRun: dryRun})
			}),
		Entry("an update for a cancellation", "imagebuilds/cancel of debian-1", "CancelRequest", "spec.cancelRequested.reason",
			func(ctx context.Context, namespace string, dryRun []string) (*v1alpha1.ImageBuild, error) {
				return admitted.ImagesV1alpha1().ImageBuilds(namespace).Patch(ctx, "debian-1", types.MergePatchType, []byte(`{"spec":{"cancelRequested":{"reason":"by hand"}}}`), metav1.PatchOptions{DryRun: dryRun})
			}),
	)

	It("is not planned if admission would refuse it", func(ctx SpecContext) {
		client := admitted.ImagesV1alpha1()
		namespace := newNamespace()
		images, builds := client.Images(namespace), client.ImageBuilds(namespace)
		planned := func(problem error, resource, subresource string) map[string]v1alpha1.ImagePlanStatus {
			hook.set(nil, func(attributes admission.Attributes) error {
				Expect(attributes.IsDryRun()).To(BeTrue())
				if attributes.GetResource().Resource == resource && attributes.GetSubresource() == subresource {
					return problem
				}
				return nil
			})
			return map[string]v1alpha1.ImagePlanStatus{
				"stored": must(images.GetPlan(ctx, "debian", metav1.GetOptions{})).Status,
				"new": must(client.ImagePlans(namespace).Create(ctx, &v1alpha1.ImagePlan{
					ObjectMeta: metav1.ObjectMeta{Name: "fresh"}, Spec: newImage("fresh").Spec,
				}, metav1.CreateOptions{})).Status,
			}
		}
		must(images.Create(ctx, newImage("debian"), metav1.CreateOptions{}))
		forbidden := apierrors.NewForbidden(v1alpha1.Resource("imagebuilds"), "x", errors.New("exceeded quota: builds"))
		for name, plan := range planned(nil, "", "") {
			Expect(plan).To(And(HaveField("Build", true), HaveField("Reason", "Created"), HaveField("Message", Not(ContainSubstring("refuse")))), name)
		}
		for _, of := range [][2]string{{"imagebuilds", ""}, {"images", "instantiate"}} {
			for name, plan := range planned(forbidden, of[0], of[1]) {
				Expect(plan).To(And(HaveField("Build", false), HaveField("Reason", v1alpha1.ReasonBuildRefused), HaveField("BuildName", HaveSuffix("-1")),
					HaveField("Message", And(ContainSubstring(", but the server would refuse the build: "), ContainSubstring("exceeded quota: builds")))), name)
			}
		}
		for name, plan := range planned(apierrors.NewInternalError(errors.New("no webhook")), "imagebuilds", "") {
			Expect(plan).To(And(HaveField("Build", true), HaveField("Reason", "Created"),
				HaveField("Message", And(ContainSubstring("whether the server would refuse the build is not known: "), ContainSubstring("no webhook")))), name)
		}
		Expect(must(builds.List(ctx, metav1.ListOptions{})).Items).To(BeEmpty())
		Expect(must(images.Get(ctx, "debian", metav1.GetOptions{})).Status.RecentRequests).To(BeEmpty())
	})

	It("is not pruned between the check and the write of a promotion", func(ctx SpecContext) {
		namespace := newNamespace()
		images, builds := admitted.ImagesV1alpha1().Images(namespace), admitted.ImagesV1alpha1().ImageBuilds(namespace)
		image := newImage("debian")
		image.Spec.History = &v1alpha1.HistoryLimits{Succeeded: new(int32(1))}
		must(images.Create(ctx, image, metav1.CreateOptions{}))
		for _, name := range []string{"debian-1", "debian-2"} {
			must(images.Instantiate(ctx, "debian", request(name), metav1.CreateOptions{}))
			writeTo(ctx, builds, name, startAttempt(1))
			writeTo(ctx, builds, name, succeed(1))
		}
		// prunable are the builds that the controller may delete, by what it reads.
		prunable := func() []*v1alpha1.ImageBuild {
			image := must(images.Get(ctx, "debian", metav1.GetOptions{}))
			Expect(image.Status.Channels).To(BeEmpty())
			list := must(builds.List(ctx, metav1.ListOptions{}))
			old := trigger.Next(trigger.Observed{Image: image, Builds: list.Items, Now: time.Now()}).Prune
			return slices.DeleteFunc(old, func(build *v1alpha1.ImageBuild) bool { return trigger.Promoting(image, build) })
		}
		before := prunable()
		Expect(before).To(ConsistOf(HaveField("Name", "debian-1")))

		hooked := false
		hook.set(nil, func(admission.Attributes) error {
			defer GinkgoRecover()
			hook.set(nil, nil)
			hooked = true
			Expect(prunable()).To(BeEmpty(), "of the builds as they are now")
			err := builds.Delete(ctx, "debian-1", metav1.DeleteOptions{
				Preconditions: &metav1.Preconditions{UID: &before[0].UID, ResourceVersion: &before[0].ResourceVersion},
			})
			Expect(apierrors.IsConflict(err)).To(BeTrue(), "of the builds as they were: %v", err)
			return nil
		})
		promoted := must(images.UpdateChannels(ctx, "debian", &v1alpha1.ImageChannels{
			ObjectMeta: metav1.ObjectMeta{Name: "debian"}, Channels: []v1alpha1.ImageChannel{{Name: "stable", Build: "debian-1"}},
		}, metav1.UpdateOptions{}))
		Expect(hooked).To(BeTrue())
		Expect(promoted.Channels).To(ConsistOf(HaveField("Build", "debian-1")))
		Expect(builds.Get(ctx, "debian-1", metav1.GetOptions{})).To(HaveField("UID", before[0].UID))
	})
})

// admissionHook is an admission plugin that runs a function of the spec.
type admissionHook struct {
	lock     sync.Mutex
	mutate   func(runtime.Object)
	validate func(admission.Attributes) error
}

var (
	_ admission.MutationInterface   = &admissionHook{}
	_ admission.ValidationInterface = &admissionHook{}
)

func (h *admissionHook) set(mutate func(runtime.Object), validate func(admission.Attributes) error) {
	h.lock.Lock()
	defer h.lock.Unlock()
	h.mutate, h.validate = mutate, validate
}

// get returns the functions, which may use the API and so the hook.
func (h *admissionHook) get() (mutate func(runtime.Object), validate func(admission.Attributes) error) {
	h.lock.Lock()
	defer h.lock.Unlock()
	return h.mutate, h.validate
}

func (h *admissionHook) Handles(operation admission.Operation) bool {
	return operation == admission.Create
}

func (h *admissionHook) Admit(_ context.Context, attributes admission.Attributes, _ admission.ObjectInterfaces) error {
	if mutate, _ := h.get(); mutate != nil {
		mutate(attributes.GetObject())
	}
	return nil
}

func (h *admissionHook) Validate(_ context.Context, attributes admission.Attributes, _ admission.ObjectInterfaces) error {
	_, validate := h.get()
	if validate == nil {
		return nil
	}
	return validate(attributes)
}

type channelsStorage interface {
	rest.Storage
	rest.Patcher
	rest.StorageMetadata
}

// admittedChannels is the subresource channels with the hook between the check and the write of an update, as admission is.
type admittedChannels struct {
	channelsStorage
	hook *admissionHook
}

func (c admittedChannels) Update(ctx context.Context, name string, object rest.UpdatedObjectInfo, create rest.ValidateObjectFunc,
	_ rest.ValidateObjectUpdateFunc, forceAllowCreate bool, options *metav1.UpdateOptions) (runtime.Object, bool, error) {
	admit := func(ctx context.Context, _, _ runtime.Object) error { return c.hook.Validate(ctx, nil, nil) }
	return c.channelsStorage.Update(ctx, name, object, create, admit, forceAllowCreate, options)
}

// refuseUnlessDryRun lets a dry run of a request pass and refuses the request itself.
func refuseUnlessDryRun(attributes admission.Attributes) error {
	if attributes.IsDryRun() {
		return nil
	}
	return admission.NewForbidden(attributes, errors.New("not today"))
}
