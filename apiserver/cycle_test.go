// SPDX-License-Identifier: Apache-2.0

package apiserver_test

import (
	"context"
	"fmt"
	"strings"
	"sync"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"goldsmith.dev/goldsmith/apis/generated/clientset/versioned"
	typed "goldsmith.dev/goldsmith/apis/generated/clientset/versioned/typed/images/v1alpha1"
	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/apiserver"
	"goldsmith.dev/goldsmith/apiserver/builder"
	"goldsmith.dev/goldsmith/apiserver/storage/etcd"
)

var _ = Describe("Images that are based on each other", func() {
	var images typed.ImageInterface
	BeforeEach(func() { images = imagesIn(newNamespace()) })

	create := func(ctx SpecContext, image *v1alpha1.Image) {
		GinkgoHelper()
		must(images.Create(ctx, image, metav1.CreateOptions{}))
	}

	It("are applied in any order", func(ctx SpecContext) {
		create(ctx, basedOn("c", "b"))
		create(ctx, basedOn("b", "a"))
		create(ctx, newImage("a"))
	})

	It("are refused as a cycle when its last link is changed, with the whole cycle", func(ctx SpecContext) {
		create(ctx, newImage("a"))
		create(ctx, basedOn("b", "a"))
		create(ctx, basedOn("c", "b"))
		_, err := rebase(ctx, images, "a", "c")
		expectCircle(err, "a → c → b → a")
		_, err = images.Patch(ctx, "a", types.MergePatchType, []byte(`{"metadata":{"labels":{"a":"b"}}}`), metav1.PatchOptions{})
		Expect(err).NotTo(HaveOccurred(), "the Image is as it was")
	})

	It("are refused as a cycle when its last link is created, also by apply", func(ctx SpecContext) {
		create(ctx, basedOn("b", "a"))
		_, err := images.Create(ctx, basedOn("a", "b"), metav1.CreateOptions{})
		expectCircle(err, "a → b → a")
		_, err = images.Patch(ctx, "a", types.ApplyPatchType, manifest(basedOn("a", "b")), metav1.PatchOptions{FieldManager: "test"})
		expectCircle(err, "a → b → a")
		_, err = images.Create(ctx, basedOn("a", "b"), metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}})
		expectCircle(err, "a → b → a")
	})

	It("are refused as a cycle of a single Image", func(ctx SpecContext) {
		_, err := images.Create(ctx, basedOn("a", "a"), metav1.CreateOptions{})
		expectCircle(err, "a → a")
	})

	It("are no cycle in two namespaces", func(ctx SpecContext) {
		create(ctx, basedOn("a", "b"))
		must(imagesIn(newNamespace()).Create(ctx, basedOn("b", "a"), metav1.CreateOptions{}))
	})
})

var _ = Describe("Images that are based on each other by writes at the same time", Ordered, func() {
	const rounds, size = 8, 6
	var clients []versioned.Interface

	BeforeAll(func(ctx SpecContext) {
		database := must(etcd.Start(ctx, ""))
		DeferCleanup(func() { Expect(database.Stop()).To(Succeed()) })
		for range 2 {
			running := startOn(ctx, builder.ExternalEtcd(database.Transport()), apiserver.Register(builder.New("replica"), apiserver.Options{Logs: logs}))
			client := must(versioned.NewForConfig(running.ClientConfig()))
			clients = append(clients, client)
		}
	})

	name := func(i int) string { return fmt.Sprintf("image-%d", i%size) }

	// atOnce writes every Image of a cycle at the same time, on two servers, and returns the refusals.
	atOnce := func(namespace string, write func(typed.ImageInterface, int) error) []error {
		var (
			wait    sync.WaitGroup
			lock    sync.Mutex
			refused []error
		)
		for i := range size {
			wait.Go(func() {
				if err := write(clients[i%2].ImagesV1alpha1().Images(namespace), i); err != nil {
					lock.Lock()
					defer lock.Unlock()
					refused = append(refused, err)
				}
			})
		}
		wait.Wait()
		return refused
	}
	expectOneRefusal := func(refused []error) {
		GinkgoHelper()
		Expect(refused).To(HaveLen(1), "exactly one write closes the cycle")
		Expect(apierrors.IsInvalid(refused[0])).To(BeTrue(), "%v", refused[0])
		Expect(strings.Count(refused[0].Error(), "→")).To(Equal(size), "the whole cycle: %v", refused[0])
	}

	It("never are a cycle when they are changed", func(ctx SpecContext) {
		for range rounds {
			namespace := newNamespace()
			Expect(atOnce(namespace, func(images typed.ImageInterface, i int) error {
				_, err := images.Create(ctx, newImage(name(i)), metav1.CreateOptions{})
				return err
			})).To(BeEmpty())
			expectOneRefusal(atOnce(namespace, func(images typed.ImageInterface, i int) error {
				_, err := rebase(ctx, images, name(i), name(i+1))
				return err
			}))
		}
	})

	It("never are a cycle when they are created", func(ctx SpecContext) {
		for range rounds {
			expectOneRefusal(atOnce(newNamespace(), func(images typed.ImageInterface, i int) error {
				_, err := images.Create(ctx, basedOn(name(i), name(i+1)), metav1.CreateOptions{})
				return err
			}))
		}
	})
})

func basedOn(name, base string) *v1alpha1.Image {
	image := newImage(name)
	image.Spec.Base = v1alpha1.Base{ImageRef: &v1alpha1.BaseImageReference{Name: base}}
	return image
}

// rebase changes the base of an Image.
func rebase(ctx context.Context, images typed.ImageInterface, name, base string) (*v1alpha1.Image, error) {
	patch := fmt.Appendf(nil, `{"spec":{"base":{"reference":null,"imageRef":{"name":%q}}}}`, base)
	return images.Patch(ctx, name, types.MergePatchType, patch, metav1.PatchOptions{})
}

func expectCircle(err error, circle string) {
	GinkgoHelper()
	Expect(apierrors.IsInvalid(err)).To(BeTrue(), "%v", err)
	Expect(fieldsOf(err)).To(ConsistOf("spec.base.imageRef.name"))
	Expect(err).To(MatchError(ContainSubstring(": " + circle + ";")))
}
