// SPDX-License-Identifier: Apache-2.0

package collector_test

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	gomegatypes "github.com/onsi/gomega/types"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	corev1client "k8s.io/client-go/kubernetes/typed/core/v1"
	"k8s.io/client-go/util/retry"
)

const hold = "example.org/hold"

var _ = Describe("Owner references", func() {
	var (
		objects corev1client.ConfigMapInterface
		traffic *transport
		stop    func()
	)

	BeforeEach(func(ctx context.Context) {
		objects = client.CoreV1().ConfigMaps(newNamespace(ctx))
		traffic, stop = startCollector()
	})

	create := func(ctx context.Context, name string, changes ...func(*corev1.ConfigMap)) *corev1.ConfigMap {
		GinkgoHelper()
		return createIn(ctx, objects, name, changes...)
	}
	remove := func(ctx context.Context, owner *corev1.ConfigMap, propagation metav1.DeletionPropagation) {
		GinkgoHelper()
		Expect(objects.Delete(ctx, owner.Name, metav1.DeleteOptions{PropagationPolicy: &propagation})).To(Succeed())
	}
	owners := func(name string) func(Gomega, context.Context) []string {
		return func(g Gomega, ctx context.Context) []string {
			object, err := objects.Get(ctx, name, metav1.GetOptions{})
			g.Expect(err).NotTo(HaveOccurred())
			names := []string{}
			for _, reference := range object.OwnerReferences {
				names = append(names, reference.Name)
			}
			return names
		}
	}
	get := func(name string) func(context.Context) (*corev1.ConfigMap, error) {
		return func(ctx context.Context) (*corev1.ConfigMap, error) {
			return objects.Get(ctx, name, metav1.GetOptions{})
		}
	}

	look := func(name string) func(context.Context) error {
		return func(ctx context.Context) error {
			_, err := get(name)(ctx)
			return err
		}
	}

	It("collects what an owner leaves behind, to the last generation", func(ctx context.Context) {
		owner := create(ctx, "owner")
		child := create(ctx, "child", ownedBy(owner))
		create(ctx, "grandchild", ownedBy(child))
		create(ctx, "stranger")
		remove(ctx, owner, metav1.DeletePropagationBackground)
		Eventually(ctx, look("child")).Should(BeGone())
		Eventually(ctx, look("grandchild")).Should(BeGone())
		Expect(look("stranger")(ctx)).To(Succeed())
	})

	It("collects a child that came after its owner went", func(ctx context.Context) {
		owner := create(ctx, "owner")
		remove(ctx, owner, metav1.DeletePropagationBackground)
		create(ctx, "late", ownedBy(owner))
		Eventually(ctx, look("late")).Should(BeGone())
	})

	It("collects what was left behind while it did not run", func(ctx context.Context) {
		stop()
		owner := create(ctx, "owner")
		create(ctx, "child", ownedBy(owner))
		remove(ctx, owner, metav1.DeletePropagationBackground)
		startCollector()
		Eventually(ctx, look("child")).Should(BeGone())
	})

	It("takes a new object with the owner's name for a stranger", func(ctx context.Context) {
		old := create(ctx, "owner")
		create(ctx, "child", ownedBy(old))
		remove(ctx, old, metav1.DeletePropagationBackground)
		again := create(ctx, "owner")
		create(ctx, "kept", ownedBy(again))
		create(ctx, "late", ownedBy(old))
		Eventually(ctx, look("child")).Should(BeGone())
		Eventually(ctx, look("late")).Should(BeGone())
		Expect(owners("kept")(NewWithT(GinkgoT()), ctx)).To(ConsistOf("owner"))
	})

	It("removes the reference to a deleted owner if another owner exists", func(ctx context.Context) {
		gone, left := create(ctx, "gone"), create(ctx, "left")
		create(ctx, "child", ownedBy(gone), ownedBy(left))
		remove(ctx, gone, metav1.DeletePropagationBackground)
		Eventually(ctx, owners("child")).Should(ConsistOf("left"))
		remove(ctx, left, metav1.DeletePropagationBackground)
		Eventually(ctx, look("child")).Should(BeGone())
	})

	It("leaves an object alone whose owner's kind is not served", func(ctx context.Context) {
		create(ctx, "foreign", func(object *corev1.ConfigMap) {
			object.OwnerReferences = []metav1.OwnerReference{{APIVersion: "example.org/v1", Kind: "Thing", Name: "thing", UID: "1"}}
		})
		afterJudging(ctx, create)
		Expect(owners("foreign")(NewWithT(GinkgoT()), ctx)).To(ConsistOf("thing"))
	})

	DescribeTable("never takes a failure for absence", func(ctx context.Context, status int) {
		const failures = 4
		var failed atomic.Int32
		owner := create(ctx, "owner")
		remove(ctx, owner, metav1.DeletePropagationBackground)
		traffic.intercept(func(request *http.Request) int {
			if request.Method != http.MethodGet || !strings.HasSuffix(request.URL.Path, "/owner") {
				return 0
			}
			failed.Add(1)
			return status
		})
		child := create(ctx, "child", ownedBy(owner))
		Eventually(failed.Load).Should(BeNumerically(">=", failures))
		Expect(get("child")(ctx)).To(HaveField("UID", child.UID))
		traffic.intercept(nil)
		Eventually(ctx, look("child")).Should(BeGone())
	},
		Entry("503", http.StatusServiceUnavailable),
		Entry("500", http.StatusInternalServerError),
		Entry("504", http.StatusGatewayTimeout),
		Entry("a 404 that the API did not send", http.StatusNotFound),
	)

	It("deletes dependents before an owner that is deleted in the foreground", func(ctx context.Context) {
		owner := create(ctx, "owner")
		middle := create(ctx, "middle", ownedBy(owner), blocking)
		create(ctx, "leaf", ownedBy(middle), blocking, held)
		remove(ctx, owner, metav1.DeletePropagationForeground)
		Eventually(ctx, get("leaf")).Should(HaveField("DeletionTimestamp", Not(BeNil())))
		Expect(get("middle")(ctx)).To(HaveField("Finalizers", ConsistOf(metav1.FinalizerDeleteDependents)))
		Expect(get("owner")(ctx)).To(HaveField("Finalizers", ConsistOf(metav1.FinalizerDeleteDependents)))
		letGo(ctx, objects, "leaf")
		for _, name := range []string{"leaf", "middle", "owner"} {
			Eventually(ctx, look(name)).Should(BeGone())
		}
	})

	It("does not wait for dependents that do not block", func(ctx context.Context) {
		owner := create(ctx, "owner")
		create(ctx, "child", ownedBy(owner), held)
		remove(ctx, owner, metav1.DeletePropagationForeground)
		Eventually(ctx, look("owner")).Should(BeGone())
		Eventually(ctx, get("child")).Should(HaveField("DeletionTimestamp", Not(BeNil())))
		letGo(ctx, objects, "child")
		Eventually(ctx, look("child")).Should(BeGone())
	})

	It("finishes foreground deletion when the blocking dependent leaves its owner", func(ctx context.Context) {
		owner := create(ctx, "owner")
		create(ctx, "child", ownedBy(owner), blocking, held)
		remove(ctx, owner, metav1.DeletePropagationForeground)
		Eventually(ctx, get("child")).Should(HaveField("DeletionTimestamp", Not(BeNil())))
		update(ctx, objects, "child", func(object *corev1.ConfigMap) { object.OwnerReferences = nil })
		Eventually(ctx, look("owner")).Should(BeGone())
		letGo(ctx, objects, "child")
	})

	It("breaks a cycle of objects that block each other", func(ctx context.Context) {
		a := create(ctx, "a")
		b := create(ctx, "b", ownedBy(a), blocking)
		update(ctx, objects, "a", func(object *corev1.ConfigMap) {
			ownedBy(b)(object)
			blocking(object)
		})
		remove(ctx, a, metav1.DeletePropagationForeground)
		Eventually(ctx, look("a")).Should(BeGone())
		Eventually(ctx, look("b")).Should(BeGone())
	})

	It("lets dependents go when the owner's deletion orphans them", func(ctx context.Context) {
		owner, other := create(ctx, "owner"), create(ctx, "other")
		create(ctx, "child", ownedBy(owner))
		create(ctx, "shared", ownedBy(owner), ownedBy(other))
		remove(ctx, owner, metav1.DeletePropagationOrphan)
		Eventually(ctx, look("owner")).Should(BeGone())
		Expect(owners("child")(NewWithT(GinkgoT()), ctx)).To(BeEmpty())
		Expect(owners("shared")(NewWithT(GinkgoT()), ctx)).To(ConsistOf("other"))
	})

	It("costs one write for each object, and no lists", func(ctx context.Context) {
		const children = 200
		owner := create(ctx, "owner")
		for i := range children {
			create(ctx, fmt.Sprintf("child-%d", i), ownedBy(owner))
		}
		afterJudging(ctx, create)
		traffic.takeCounts()
		remove(ctx, owner, metav1.DeletePropagationBackground)
		Eventually(ctx, func(ctx context.Context) ([]corev1.ConfigMap, error) {
			list, err := objects.List(ctx, metav1.ListOptions{})
			return list.Items, err
		}).Should(BeEmpty())
		counts := traffic.takeCounts()
		Expect(counts).To(HaveKeyWithValue("DELETE", children))
		Expect(counts).NotTo(Or(HaveKey("LIST"), HaveKey("PATCH"), HaveKey("PUT")))
		Expect(counts["GET"]).To(BeNumerically("<=", 8), "each worker gets the owner at most once")
	})
})

var _ = Describe("Namespaces", func() {
	var name string
	var objects corev1client.ConfigMapInterface

	BeforeEach(func(ctx context.Context) {
		name = newNamespace(ctx)
		objects = client.CoreV1().ConfigMaps(name)
		startCollector()
	})

	namespace := func(ctx context.Context) (*corev1.Namespace, error) {
		return client.CoreV1().Namespaces().Get(ctx, name, metav1.GetOptions{})
	}

	look := func(ctx context.Context) error {
		_, err := namespace(ctx)
		return err
	}

	It("end with everything in them", func(ctx context.Context) {
		other := newNamespace(ctx)
		createIn(ctx, client.CoreV1().ConfigMaps(other), "kept")
		owner := createIn(ctx, objects, "owner")
		createIn(ctx, objects, "child", ownedBy(owner))
		_, err := client.CoreV1().Events(name).Create(ctx, &corev1.Event{
			ObjectMeta:     metav1.ObjectMeta{Name: "event"},
			InvolvedObject: corev1.ObjectReference{Kind: "ConfigMap", Namespace: name, Name: "owner"},
		}, metav1.CreateOptions{})
		Expect(err).NotTo(HaveOccurred())

		Expect(client.CoreV1().Namespaces().Delete(ctx, name, metav1.DeleteOptions{})).To(Succeed())
		Eventually(ctx, look).Should(BeGone())
		Expect(objects.List(ctx, metav1.ListOptions{})).To(HaveField("Items", BeEmpty()))
		Expect(client.CoreV1().Events(name).List(ctx, metav1.ListOptions{})).To(HaveField("Items", BeEmpty()))
		Expect(client.CoreV1().ConfigMaps(other).Get(ctx, "kept", metav1.GetOptions{})).Error().NotTo(HaveOccurred())
	})

	It("end when they are empty", func(ctx context.Context) {
		Expect(client.CoreV1().Namespaces().Delete(ctx, name, metav1.DeleteOptions{})).To(Succeed())
		Eventually(ctx, look).Should(BeGone())
	})

	It("wait for objects that a finalizer holds, and say so", func(ctx context.Context) {
		createIn(ctx, objects, "held", held)
		Expect(client.CoreV1().Namespaces().Delete(ctx, name, metav1.DeleteOptions{})).To(Succeed())
		Eventually(ctx, namespace).Should(HaveField("Status.Conditions", ConsistOf(
			And(HaveField("Type", corev1.NamespaceContentRemaining), HaveField("Status", corev1.ConditionTrue),
				HaveField("Message", ContainSubstring("configmaps has 1 resource instances"))),
			And(HaveField("Type", corev1.NamespaceFinalizersRemaining), HaveField("Status", corev1.ConditionTrue),
				HaveField("Message", ContainSubstring(hold+" in 1 resource instances"))),
		)))
		letGo(ctx, objects, "held")
		Eventually(ctx, look).Should(BeGone())
	})

	It("wait for the pods that end gracefully", func(ctx context.Context) {
		pods := client.CoreV1().Pods(name)
		_, err := pods.Create(ctx, &corev1.Pod{
			ObjectMeta: metav1.ObjectMeta{Name: "running"},
			Spec:       corev1.PodSpec{NodeName: "node", Containers: []corev1.Container{{Name: "builder", Image: "builder"}}},
		}, metav1.CreateOptions{})
		Expect(err).NotTo(HaveOccurred())
		Expect(client.CoreV1().Namespaces().Delete(ctx, name, metav1.DeleteOptions{})).To(Succeed())
		Eventually(ctx, namespace).Should(HaveField("Status.Conditions", ConsistOf(
			HaveField("Message", "Some resources are remaining: pods has 1 resource instances"))))
		Expect(pods.Get(ctx, "running", metav1.GetOptions{})).To(HaveField("DeletionGracePeriodSeconds", HaveValue(BeEquivalentTo(30))))
		Expect(pods.Delete(ctx, "running", metav1.DeleteOptions{GracePeriodSeconds: new(int64(0))})).To(Succeed()) // as a kubelet does
		Eventually(ctx, look).Should(BeGone())
	})
})

// BeGone matches the answer that an object is not there.
func BeGone() gomegatypes.GomegaMatcher {
	return Satisfy(apierrors.IsNotFound)
}

type creator = func(context.Context, string, ...func(*corev1.ConfigMap)) *corev1.ConfigMap

// afterJudging returns when the collector has judged what was created before: it works through its queue in order.
func afterJudging(ctx context.Context, create creator) {
	GinkgoHelper()
	gone := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: "never-there", UID: "never-there"}}
	last := create(ctx, "last", ownedBy(gone))
	Eventually(ctx, func(ctx context.Context) error {
		_, err := client.CoreV1().ConfigMaps(last.Namespace).Get(ctx, last.Name, metav1.GetOptions{})
		return err
	}).Should(BeGone())
}

func createIn(ctx context.Context, objects corev1client.ConfigMapInterface, name string, changes ...func(*corev1.ConfigMap)) *corev1.ConfigMap {
	GinkgoHelper()
	object := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: name}}
	for _, change := range changes {
		change(object)
	}
	created, err := objects.Create(ctx, object, metav1.CreateOptions{})
	Expect(err).NotTo(HaveOccurred())
	return created
}

func update(ctx context.Context, objects corev1client.ConfigMapInterface, name string, change func(*corev1.ConfigMap)) {
	GinkgoHelper()
	Expect(retry.RetryOnConflict(retry.DefaultRetry, func() error {
		object, err := objects.Get(ctx, name, metav1.GetOptions{})
		if err != nil {
			return err
		}
		change(object)
		_, err = objects.Update(ctx, object, metav1.UpdateOptions{})
		return err
	})).To(Succeed())
}

func letGo(ctx context.Context, objects corev1client.ConfigMapInterface, name string) {
	GinkgoHelper()
	update(ctx, objects, name, func(object *corev1.ConfigMap) { object.Finalizers = nil })
}

func ownedBy(owner *corev1.ConfigMap) func(*corev1.ConfigMap) {
	return func(object *corev1.ConfigMap) {
		object.OwnerReferences = append(object.OwnerReferences, metav1.OwnerReference{
			APIVersion: "v1", Kind: "ConfigMap", Name: owner.Name, UID: owner.UID,
		})
	}
}

func blocking(object *corev1.ConfigMap) {
	for i := range object.OwnerReferences {
		object.OwnerReferences[i].BlockOwnerDeletion = new(true)
	}
}

func held(object *corev1.ConfigMap) {
	object.Finalizers = append(object.Finalizers, hold)
}
