// SPDX-License-Identifier: Apache-2.0

package corekinds_test

import (
	"context"
	"fmt"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/watch"
	corev1ac "k8s.io/client-go/applyconfigurations/core/v1"
	corev1client "k8s.io/client-go/kubernetes/typed/core/v1"
)

var _ = Describe("config maps", func() {
	var configMaps corev1client.ConfigMapInterface

	BeforeEach(func() { configMaps = client.CoreV1().ConfigMaps(namespace) })

	create := func(ctx context.Context, name string, data map[string]string) *corev1.ConfigMap {
		GinkgoHelper()
		created, err := configMaps.Create(ctx, &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: name}, Data: data}, metav1.CreateOptions{})
		Expect(err).NotTo(HaveOccurred())
		return created
	}

	It("computes a ConfigMap that nobody stored and nobody can change", func(ctx SpecContext) {
		computed := client.CoreV1().ConfigMaps("nowhere")
		got, err := computed.Get(ctx, "computed", metav1.GetOptions{})
		Expect(err).NotTo(HaveOccurred())
		Expect(got.Namespace + "/" + got.Name).To(Equal("nowhere/computed"))
		Expect(got.Data).To(Equal(map[string]string{"made": "now"}))
		_, err = computed.Update(ctx, got, metav1.UpdateOptions{})
		Expect(err).To(MatchError(apierrors.IsNotFound, "IsNotFound"))
		Expect(computed.Delete(ctx, "computed", metav1.DeleteOptions{})).To(MatchError(apierrors.IsNotFound, "IsNotFound"))
		list, err := computed.List(ctx, metav1.ListOptions{})
		Expect(err).NotTo(HaveOccurred())
		Expect(list.Items).To(BeEmpty())
		_, err = configMaps.Get(ctx, "computed", metav1.GetOptions{})
		Expect(err).To(MatchError(apierrors.IsNotFound, "IsNotFound"))
	})

	It("creates, reads, updates and deletes", func(ctx SpecContext) {
		created := create(ctx, "a", map[string]string{"k": "v"})
		created.Data["k"] = "w"
		updated, err := configMaps.Update(ctx, created, metav1.UpdateOptions{})
		Expect(err).NotTo(HaveOccurred())
		Expect(updated.ResourceVersion).NotTo(Equal(created.ResourceVersion))

		_, err = configMaps.Update(ctx, created, metav1.UpdateOptions{})
		Expect(apierrors.IsConflict(err)).To(BeTrue(), "%v", err)

		Expect(configMaps.Delete(ctx, "a", metav1.DeleteOptions{})).To(Succeed())
		_, err = configMaps.Get(ctx, "a", metav1.GetOptions{})
		Expect(apierrors.IsNotFound(err)).To(BeTrue(), "%v", err)
	})

	DescribeTable("takes every kind of patch", func(ctx SpecContext, kind types.PatchType, patch string) {
		create(ctx, "a", map[string]string{"k": "v"})
		patched, err := configMaps.Patch(ctx, "a", kind, []byte(patch), metav1.PatchOptions{})
		Expect(err).NotTo(HaveOccurred())
		Expect(patched.Data).To(Equal(map[string]string{"k": "w", "l": "x"}))
	},
		Entry("json", types.JSONPatchType, `[{"op":"replace","path":"/data/k","value":"w"},{"op":"add","path":"/data/l","value":"x"}]`),
		Entry("merge", types.MergePatchType, `{"data":{"k":"w","l":"x"}}`),
		Entry("strategic merge", types.StrategicMergePatchType, `{"data":{"k":"w","l":"x"}}`),
	)

	It("applies on the server, tracks who owns what, and reports conflicts", func(ctx SpecContext) {
		first := corev1ac.ConfigMap("a", namespace).WithData(map[string]string{"k": "v", "gone": "soon"})
		_, err := configMaps.Apply(ctx, first, metav1.ApplyOptions{FieldManager: "one"})
		Expect(err).NotTo(HaveOccurred())

		second := corev1ac.ConfigMap("a", namespace).WithData(map[string]string{"k": "w"})
		_, err = configMaps.Apply(ctx, second, metav1.ApplyOptions{FieldManager: "two"})
		Expect(apierrors.IsConflict(err)).To(BeTrue(), "%v", err)

		applied, err := configMaps.Apply(ctx, corev1ac.ConfigMap("a", namespace).WithData(map[string]string{"k": "v"}), metav1.ApplyOptions{FieldManager: "one"})
		Expect(err).NotTo(HaveOccurred())
		Expect(applied.Data).To(Equal(map[string]string{"k": "v"}))
	})

	It("merges lists by their keys", func(ctx SpecContext) {
		pods := client.CoreV1().Pods(namespace)
		_, err := pods.Create(ctx, pod("p"), metav1.CreateOptions{})
		Expect(err).NotTo(HaveOccurred())
		patch := `{"status":{"conditions":[{"type":"Ready","status":"True"}]}}`
		_, err = pods.Patch(ctx, "p", types.StrategicMergePatchType, []byte(patch), metav1.PatchOptions{}, "status")
		Expect(err).NotTo(HaveOccurred())
		status := corev1ac.Pod("p", namespace).WithStatus(corev1ac.PodStatus().WithConditions(
			corev1ac.PodCondition().WithType(corev1.DisruptionTarget).WithStatus(corev1.ConditionTrue)))
		patched, err := pods.ApplyStatus(ctx, status, metav1.ApplyOptions{FieldManager: "test", Force: true})
		Expect(err).NotTo(HaveOccurred())
		Expect(patched.Status.Conditions).To(HaveLen(2))
	})

	It("changes nothing in a dry run", func(ctx SpecContext) {
		_, err := configMaps.Create(ctx, &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: "dry"}}, metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}})
		Expect(err).NotTo(HaveOccurred())
		_, err = configMaps.Get(ctx, "dry", metav1.GetOptions{})
		Expect(apierrors.IsNotFound(err)).To(BeTrue(), "%v", err)
	})

	It("watches from a resource version on", func(ctx SpecContext) {
		first := create(ctx, "a", nil)
		watcher, err := configMaps.Watch(ctx, metav1.ListOptions{ResourceVersion: first.ResourceVersion})
		Expect(err).NotTo(HaveOccurred())
		defer watcher.Stop()
		create(ctx, "b", nil)
		Expect(configMaps.Delete(ctx, "a", metav1.DeleteOptions{})).To(Succeed())
		Eventually(ctx, watcher.ResultChan()).Should(Receive(HaveField("Type", watch.Added)))
		Eventually(ctx, watcher.ResultChan()).Should(Receive(HaveField("Type", watch.Deleted)))
	})

	It("ends the initial events of a watch list with a bookmark, even if there are none", func(ctx SpecContext) {
		watcher, err := configMaps.Watch(ctx, metav1.ListOptions{
			SendInitialEvents:    new(true),
			AllowWatchBookmarks:  true,
			ResourceVersionMatch: metav1.ResourceVersionMatchNotOlderThan,
		})
		Expect(err).NotTo(HaveOccurred())
		defer watcher.Stop()
		var event watch.Event
		Eventually(ctx, watcher.ResultChan()).Should(Receive(&event))
		Expect(event.Type).To(Equal(watch.Bookmark))
		Expect(event.Object).To(HaveField("ObjectMeta.Annotations", HaveKeyWithValue(metav1.InitialEventsAnnotationKey, "true")))
	})

	It("lists in pages", func(ctx SpecContext) {
		for i := range 5 {
			create(ctx, fmt.Sprintf("c%d", i), nil)
		}
		var names []string
		options := metav1.ListOptions{Limit: 2}
		for {
			page, err := configMaps.List(ctx, options)
			Expect(err).NotTo(HaveOccurred())
			Expect(len(page.Items)).To(BeNumerically("<=", 2))
			for _, item := range page.Items {
				names = append(names, item.Name)
			}
			if options.Continue = page.Continue; options.Continue == "" {
				break
			}
		}
		Expect(names).To(Equal([]string{"c0", "c1", "c2", "c3", "c4"}))
	})

	It("names every mistake of an object at once", func(ctx SpecContext) {
		_, err := configMaps.Create(ctx, &corev1.ConfigMap{
			ObjectMeta: metav1.ObjectMeta{Name: "Not A Name"},
			Data:       map[string]string{"not/a/key": ""},
		}, metav1.CreateOptions{})
		Expect(apierrors.IsInvalid(err)).To(BeTrue(), "%v", err)
		Expect(err).To(MatchError(And(ContainSubstring("metadata.name"), ContainSubstring("data[not/a/key]"))))
	})

	It("keeps an immutable one as it is", func(ctx SpecContext) {
		created := create(ctx, "a", map[string]string{"k": "v"})
		created.Immutable = new(true)
		created, err := configMaps.Update(ctx, created, metav1.UpdateOptions{})
		Expect(err).NotTo(HaveOccurred())
		created.Data["k"] = "w"
		_, err = configMaps.Update(ctx, created, metav1.UpdateOptions{})
		Expect(apierrors.IsInvalid(err)).To(BeTrue(), "%v", err)
	})

	DescribeTable("refuses a ConfigMap that is too large, and names the limit", func(ctx SpecContext, bytes int) {
		// In an annotation-free field that validation does not count, so that the request itself is too large.
		large := &corev1.Event{
			ObjectMeta:     metav1.ObjectMeta{Name: "large"},
			InvolvedObject: corev1.ObjectReference{Namespace: namespace},
			Message:        strings.Repeat("x", bytes),
		}
		_, err := client.CoreV1().Events(namespace).Create(ctx, large, metav1.CreateOptions{})
		Expect(apierrors.IsRequestEntityTooLargeError(err)).To(BeTrue(), "%v", err)
	},
		Entry("for etcd", 1800<<10),
		Entry("for etcd's client", 2500<<10),
		Entry("for the API", 3<<20),
	)

	It("refuses a config map of more than 1 MiB as invalid", func(ctx SpecContext) {
		_, err := configMaps.Create(ctx, &corev1.ConfigMap{
			ObjectMeta: metav1.ObjectMeta{Name: "large"},
			Data:       map[string]string{"k": strings.Repeat("x", 1<<20+1)},
		}, metav1.CreateOptions{})
		Expect(apierrors.IsInvalid(err)).To(BeTrue(), "%v", err)
	})
})
