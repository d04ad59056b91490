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
		created := must(configMaps.Create(ctx, &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: name}, Data: data}, metav1.CreateOptions{}))
		return created
	}

	It("creates, reads, updates and deletes", func(ctx SpecContext) {
		created := create(ctx, "a", map[string]string{"k": "v"})
		created.Data["k"] = "w"
		Expect(must(configMaps.Update(ctx, created, metav1.UpdateOptions{})).ResourceVersion).NotTo(Equal(created.ResourceVersion))

		Expect(errorOf(configMaps.Update(ctx, created, metav1.UpdateOptions{}))).To(Satisfy(apierrors.IsConflict))

		Expect(configMaps.Delete(ctx, "a", metav1.DeleteOptions{})).To(Succeed())
		Expect(errorOf(configMaps.Get(ctx, "a", metav1.GetOptions{}))).To(Satisfy(apierrors.IsNotFound))
	})

	DescribeTable("takes every kind of patch", func(ctx SpecContext, kind types.PatchType, patch string) {
		create(ctx, "a", map[string]string{"k": "v"})
		Expect(must(configMaps.Patch(ctx, "a", kind, []byte(patch), metav1.PatchOptions{})).Data).To(Equal(map[string]string{"k": "w", "l": "x"}))
	},
		Entry("json", types.JSONPatchType, `[{"op":"replace","path":"/data/k","value":"w"},{"op":"add","path":"/data/l","value":"x"}]`),
		Entry("merge", types.MergePatchType, `{"data":{"k":"w","l":"x"}}`),
		Entry("strategic merge", types.StrategicMergePatchType, `{"data":{"k":"w","l":"x"}}`),
	)

	It("applies on the server, tracks who owns what, and reports conflicts", func(ctx SpecContext) {
		first := corev1ac.ConfigMap("a", namespace).WithData(map[string]string{"k": "v", "gone": "soon"})
		must(configMaps.Apply(ctx, first, metav1.ApplyOptions{FieldManager: "one"}))

		second := corev1ac.ConfigMap("a", namespace).WithData(map[string]string{"k": "w"})
		Expect(errorOf(configMaps.Apply(ctx, second, metav1.ApplyOptions{FieldManager: "two"}))).To(Satisfy(apierrors.IsConflict))

		applied := must(configMaps.Apply(ctx, corev1ac.ConfigMap("a", namespace).WithData(map[string]string{"k": "v"}), metav1.ApplyOptions{FieldManager: "one"}))
		Expect(applied.Data).To(Equal(map[string]string{"k": "v"}))
	})

	It("merges lists by their keys", func(ctx SpecContext) {
		pods := client.CoreV1().Pods(namespace)
		must(pods.Create(ctx, pod("p"), metav1.CreateOptions{}))
		patch := `{"status":{"conditions":[{"type":"Ready","status":"True"}]}}`
		must(pods.Patch(ctx, "p", types.StrategicMergePatchType, []byte(patch), metav1.PatchOptions{}, "status"))
		status := corev1ac.Pod("p", namespace).WithStatus(corev1ac.PodStatus().WithConditions(
			corev1ac.PodCondition().WithType(corev1.DisruptionTarget).WithStatus(corev1.ConditionTrue)))
		Expect(must(pods.ApplyStatus(ctx, status, metav1.ApplyOptions{FieldManager: "test", Force: true})).Status.Conditions).To(HaveLen(2))
	})

	It("changes nothing in a dry run", func(ctx SpecContext) {
		must(configMaps.Create(ctx, &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: "dry"}}, metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}}))
		Expect(errorOf(configMaps.Get(ctx, "dry", metav1.GetOptions{}))).To(Satisfy(apierrors.IsNotFound))
	})

	It("watches from a resource version on", func(ctx SpecContext) {
		first := create(ctx, "a", nil)
		watcher := must(configMaps.Watch(ctx, metav1.ListOptions{ResourceVersion: first.ResourceVersion}))
		defer watcher.Stop()
		create(ctx, "b", nil)
		Expect(configMaps.Delete(ctx, "a", metav1.DeleteOptions{})).To(Succeed())
		Eventually(ctx, watcher.ResultChan()).Should(Receive(HaveField("Type", watch.Added)))
		Eventually(ctx, watcher.ResultChan()).Should(Receive(HaveField("Type", watch.Deleted)))
	})

	It("ends the initial events of a watch list with a bookmark, even if there are none", func(ctx SpecContext) {
		watcher := must(configMaps.Watch(ctx, metav1.ListOptions{
			SendInitialEvents:    new(true),
			AllowWatchBookmarks:  true,
			ResourceVersionMatch: metav1.ResourceVersionMatchNotOlderThan,
		}))
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
			page := must(configMaps.List(ctx, options))
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
		Expect(errorOf(configMaps.Create(ctx, &corev1.ConfigMap{
			ObjectMeta: metav1.ObjectMeta{Name: "Not A Name"},
			Data:       map[string]string{"not/a/key": ""},
		}, metav1.CreateOptions{}))).To(
			And(Satisfy(apierrors.IsInvalid), MatchError(And(ContainSubstring("metadata.name"), ContainSubstring("data[not/a/key]")))))
	})

	It("keeps an immutable one as it is", func(ctx SpecContext) {
		created := create(ctx, "a", map[string]string{"k": "v"})
		created.Immutable = new(true)
		created = must(configMaps.Update(ctx, created, metav1.UpdateOptions{}))
		created.Data["k"] = "w"
		Expect(errorOf(configMaps.Update(ctx, created, metav1.UpdateOptions{}))).To(Satisfy(apierrors.IsInvalid))
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
		Expect(errorOf(configMaps.Create(ctx, &corev1.ConfigMap{
			ObjectMeta: metav1.ObjectMeta{Name: "large"},
			Data:       map[string]string{"k": strings.Repeat("x", 1<<20+1)},
		}, metav1.CreateOptions{}))).To(Satisfy(apierrors.IsInvalid))
	})
})
