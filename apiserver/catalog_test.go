// SPDX-License-Identifier: Apache-2.0

package apiserver_test

import (
	"context"
	"encoding/json"
	"os"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/yaml"

	"goldsmith.dev/goldsmith/apis/generated/clientset/versioned"
	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	registry "goldsmith.dev/goldsmith/apiserver/registry/catalog"
	"goldsmith.dev/goldsmith/jobs/catalog"
	"goldsmith.dev/goldsmith/jobs/catalog/ownership"
)

var debianServers = schema.GroupVersionResource{Group: "catalog.goldsmith.dev", Version: "v1", Resource: "debianservers"}

// readKind reads the kind of testdata that all specs of the catalog use.
func readKind(ctx context.Context, path string) *catalog.Kind {
	GinkgoHelper()
	declared := &v1alpha1.ImageKind{}
	Expect(yaml.UnmarshalStrict(must(os.ReadFile(path)), declared)).To(Succeed())
	kind, errs := catalog.Compile(ctx, declared)
	Expect(errs).To(BeEmpty())
	Expect(registry.Check(ctx, kind)).To(BeEmpty())
	return kind
}

// newServer returns a DebianServer that the schema accepts.
func newServer(name string) *unstructured.Unstructured {
	return &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "catalog.goldsmith.dev/v1", "kind": "DebianServer",
		"metadata": map[string]any{"name": name},
		"spec":     map[string]any{"size": "small", "packages": []any{"nginx"}},
	}}
}

func serversIn(namespace string) dynamic.ResourceInterface {
	GinkgoHelper()
	return must(dynamic.NewForConfig(config)).Resource(debianServers).Namespace(namespace)
}

// specOf returns the spec of an object as its users write it.
func specOf(object *unstructured.Unstructured) map[string]any {
	spec, _, _ := unstructured.NestedMap(object.Object, "spec")
	return spec
}

// parametersOf returns the parameters of an Image by name.
func parametersOf(image *v1alpha1.Image) map[string]string {
	values := map[string]string{}
	for _, parameter := range image.Spec.Parameters {
		values[parameter.Name] = parameter.Value
	}
	return values
}

// warnings are the warnings that a client got.
type warnings []string

// HandleWarningHeader notes a warning.
func (w *warnings) HandleWarningHeader(_ int, _, text string) { *w = append(*w, text) }

var _ = Describe("a kind of the catalog", func() {
	var namespace string
	var servers dynamic.ResourceInterface
	BeforeEach(func() {
		namespace = newNamespace()
		servers = serversIn(namespace)
	})

	It("stores its objects as Images", func(ctx SpecContext) {
		created := must(servers.Create(ctx, newServer("web"), metav1.CreateOptions{}))
		Expect(specOf(created)).To(Equal(map[string]any{"release": "bookworm", "size": "small", "packages": []any{"nginx"}, "retention": "2160h"}), "with defaults")
		image := must(imagesIn(namespace).Get(ctx, "web", metav1.GetOptions{}))
		Expect(image.Spec.Builder.Name).To(Equal("mock"))
		Expect(image.Spec.Base.Reference).To(Equal("debian:bookworm"))
		Expect(parametersOf(image)).To(Equal(map[string]string{"disk": "20Gi", "packages": `["nginx"]`, "host": "srv-web"}))
		Expect(image.Labels).To(HaveKeyWithValue(v1alpha1.ImageKindLabel, "debianservers"))
		Expect(created.GetUID()).NotTo(Equal(image.UID), "the garbage collector would take two objects with one UID for one")
		Expect(created.GetResourceVersion()).To(Equal(image.ResourceVersion))
		Expect(created.GetLabels()).To(BeEmpty())

		Expect(must(servers.Get(ctx, "web", metav1.GetOptions{}))).To(Equal(created))
		list := must(servers.List(ctx, metav1.ListOptions{}))
		Expect(list.GetKind()).To(Equal("DebianServerList"))
		Expect(list.Items).To(ConsistOf(*created))
		Expect(servers.Delete(ctx, "web", metav1.DeleteOptions{Preconditions: metav1.NewUIDPreconditions(string(created.GetUID()))})).To(Succeed())
		Expect(apierrors.IsNotFound(errorOf(imagesIn(namespace).Get(ctx, "web", metav1.GetOptions{})))).To(BeTrue())
	})

	It("does not show other Images, and does not take their names", func(ctx SpecContext) {
		must(imagesIn(namespace).Create(ctx, newImage("other"), metav1.CreateOptions{}))
		Expect(apierrors.IsNotFound(errorOf(servers.Get(ctx, "other", metav1.GetOptions{})))).To(BeTrue())
		Expect(must(servers.List(ctx, metav1.ListOptions{})).Items).To(BeEmpty())
		Expect(apierrors.IsNotFound(servers.Delete(ctx, "other", metav1.DeleteOptions{}))).To(BeTrue())
		Expect(servers.DeleteCollection(ctx, metav1.DeleteOptions{}, metav1.ListOptions{})).To(Succeed())
		update := newServer("other")
		update.SetResourceVersion("1")
		Expect(apierrors.IsNotFound(errorOf(servers.Update(ctx, update, metav1.UpdateOptions{})))).To(BeTrue())
		for _, err := range []error{
			errorOf(servers.Create(ctx, newServer("other"), metav1.CreateOptions{})),
			errorOf(servers.Apply(ctx, "other", newServer("other"), metav1.ApplyOptions{FieldManager: "test"})),
		} {
			Expect(apierrors.IsAlreadyExists(err)).To(BeTrue(), "%v", err)
			Expect(err).To(MatchError(ContainSubstring("an Image in this namespace that is no DebianServer has the name")))
		}
		must(imagesIn(namespace).Get(ctx, "other", metav1.GetOptions{}))
	})

	It("shows changes of both sides to both sides", func(ctx SpecContext) {
		created := must(servers.Create(ctx, newServer("web"), metav1.CreateOptions{}))
		created.Object["spec"].(map[string]any)["size"] = "large"
		must(servers.Update(ctx, created, metav1.UpdateOptions{}))
		image := must(imagesIn(namespace).Get(ctx, "web", metav1.GetOptions{}))
		Expect(parametersOf(image)).To(HaveKeyWithValue("disk", "100Gi"))

		image.Spec.Base.Reference = "debian:trixie"
		image.Labels["team"] = "red"
		must(imagesIn(namespace).Update(ctx, image, metav1.UpdateOptions{}))
		read := must(servers.Get(ctx, "web", metav1.GetOptions{}))
		Expect(specOf(read)).To(HaveKeyWithValue("release", "trixie"))
		Expect(must(servers.List(ctx, metav1.ListOptions{LabelSelector: "team=red"})).Items).To(HaveLen(1))
		Expect(must(servers.List(ctx, metav1.ListOptions{LabelSelector: "team=blue"})).Items).To(BeEmpty())

		merged := must(servers.Patch(ctx, "web", types.MergePatchType, []byte(`{"spec": {"packages": ["vim", "nginx"]}}`), metav1.PatchOptions{}))
		Expect(specOf(merged)).To(HaveKeyWithValue("packages", []any{"vim", "nginx"}))
		patched := must(servers.Patch(ctx, "web", types.JSONPatchType, []byte(`[{"op": "remove", "path": "/spec/packages"}]`), metav1.PatchOptions{}))
		Expect(specOf(patched)).NotTo(HaveKey("packages"))
		image = must(imagesIn(namespace).Get(ctx, "web", metav1.GetOptions{}))
		Expect(parametersOf(image)).To(Equal(map[string]string{"disk": "100Gi", "host": "srv-web"}))
	})

	It("changes nothing of the Image where nothing of the object changes", func(ctx SpecContext) {
		must(servers.Create(ctx, newServer("web"), metav1.CreateOptions{}))
		image := must(imagesIn(namespace).Get(ctx, "web", metav1.GetOptions{}))
		image.Spec.Parameters = append(image.Spec.Parameters, v1alpha1.Parameter{Name: "unbound", Value: "kept"})
		image = must(imagesIn(namespace).Update(ctx, image, metav1.UpdateOptions{}))
		labelled := must(servers.Patch(ctx, "web", types.MergePatchType, []byte(`{"metadata": {"labels": {"team": "red"}}}`), metav1.PatchOptions{}))
		Expect(labelled.GetLabels()).To(Equal(map[string]string{"team": "red"}))
		after := must(imagesIn(namespace).Get(ctx, "web", metav1.GetOptions{}))
		Expect(after.Spec).To(Equal(image.Spec))
		Expect(after.Generation).To(Equal(image.Generation))
	})

	It("resolves server-side apply across both sides", func(ctx SpecContext) {
		ours := newServer("web")
		must(servers.Apply(ctx, "web", ours, metav1.ApplyOptions{FieldManager: "ours"}))
		again := must(servers.Apply(ctx, "web", ours, metav1.ApplyOptions{FieldManager: "ours"}))
		image := must(imagesIn(namespace).Get(ctx, "web", metav1.GetOptions{}))
		Expect(again.GetResourceVersion()).To(Equal(image.ResourceVersion))

		theirs := must(json.Marshal(map[string]any{"apiVersion": "images.goldsmith.dev/v1alpha1", "kind": "Image", "metadata": map[string]any{"name": "web"},
			"spec": map[string]any{"parameters": []any{map[string]any{"name": "disk", "value": "100Gi"}}}}))
		_, err := imagesIn(namespace).Patch(ctx, "web", types.ApplyPatchType, theirs, metav1.PatchOptions{FieldManager: "theirs"})
		Expect(apierrors.IsConflict(err)).To(BeTrue(), "%v", err)
		Expect(err).To(MatchError(ContainSubstring(`conflict with "ours"`)))
		_, err = imagesIn(namespace).Patch(ctx, "web", types.ApplyPatchType, theirs, metav1.PatchOptions{FieldManager: "theirs", Force: new(true)})
		Expect(err).NotTo(HaveOccurred())

		ours.Object["spec"].(map[string]any)["packages"] = []any{"vim"}
		_, err = servers.Apply(ctx, "web", ours, metav1.ApplyOptions{FieldManager: "ours"})
		Expect(apierrors.IsConflict(err)).To(BeTrue(), "%v", err)
		Expect(err).To(MatchError(ContainSubstring(".spec.size")))
		delete(ours.Object["spec"].(map[string]any), "size")
		applied := must(servers.Apply(ctx, "web", ours, metav1.ApplyOptions{FieldManager: "ours"}))
		Expect(specOf(applied)).To(Equal(map[string]any{"release": "bookworm", "size": "large", "packages": []any{"vim"}, "retention": "2160h"}))

		constants := []byte(`{"apiVersion": "images.goldsmith.dev/v1alpha1", "kind": "Image", "metadata": {"name": "web"}, "spec": {"builder": {"name": "other"}}}`)
		_, err = imagesIn(namespace).Patch(ctx, "web", types.ApplyPatchType, constants, metav1.PatchOptions{FieldManager: "theirs"})
		Expect(err).To(MatchError(ContainSubstring(`conflict with "goldsmith-catalog"`)))
	})

	It("refuses what the schema and the Image refuse, in its own terms", func(ctx SpecContext) {
		refused := func(change func(spec map[string]any)) error {
			server := newServer("bad")
			change(server.Object["spec"].(map[string]any))
			return errorOf(servers.Create(ctx, server, metav1.CreateOptions{FieldValidation: metav1.FieldValidationStrict}))
		}
		err := refused(func(spec map[string]any) { spec["size"] = "huge" })
		Expect(apierrors.IsInvalid(err)).To(BeTrue(), "%v", err)
		Expect(err).To(MatchError(ContainSubstring(`DebianServer.catalog.goldsmith.dev "bad" is invalid: spec.size: Unsupported value: "huge"`)))
		err = refused(func(spec map[string]any) { delete(spec, "size") })
		Expect(err).To(MatchError(ContainSubstring("spec.size: Required value")))
		err = refused(func(spec map[string]any) { spec["sise"] = "small" })
		Expect(apierrors.IsBadRequest(err)).To(BeTrue(), "%v", err)
		Expect(err).To(MatchError(ContainSubstring(`unknown field "spec.sise"`)))
		long := newServer("a-name-of-more-than-forty-five-characters-is-too-long")
		Expect(errorOf(servers.Create(ctx, long, metav1.CreateOptions{}))).To(MatchError(ContainSubstring("metadata.name")))
		labelled := newServer("bad")
		labelled.SetLabels(map[string]string{v1alpha1.ImageKindLabel: "others"})
		err = errorOf(servers.Create(ctx, labelled, metav1.CreateOptions{}))
		Expect(apierrors.IsInvalid(err)).To(BeTrue(), "%v", err)

		owned := newServer("owned")
		owned.Object["spec"].(map[string]any)["owner"] = "ada"
		owned = must(servers.Create(ctx, owned, metav1.CreateOptions{}))
		owned.Object["spec"].(map[string]any)["owner"] = "bob"
		err = errorOf(servers.Update(ctx, owned, metav1.UpdateOptions{}))
		Expect(err).To(MatchError(ContainSubstring("spec.owner: Invalid value: \"bob\": is immutable")))
	})

	It("passes on warnings about its own fields, and not about those that the kind sets", func(ctx SpecContext) {
		var warned warnings
		recording := rest.CopyConfig(config)
		recording.WarningHandler = &warned
		servers := must(dynamic.NewForConfig(recording)).Resource(debianServers).Namespace(namespace)
		must(servers.Create(ctx, newServer("web"), metav1.CreateOptions{}))
		retained := newServer("retained")
		Expect(unstructured.SetNestedField(retained.Object, "48h", "spec", "retention")).To(Succeed())
		must(servers.Create(ctx, retained, metav1.CreateOptions{}))
		Expect(warned).To(ConsistOf("spec.retention: has no effect: no database of records is configured"))
	})

	It("answers preconditions, dry runs, generated names and finalizers as other resources", func(ctx SpecContext) {
		server := newServer("")
		server.SetGenerateName("web-")
		created := must(servers.Create(ctx, server, metav1.CreateOptions{}))
		Expect(created.GetName()).To(HavePrefix("web-"))
		must(servers.Create(ctx, newServer("dry"), metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}}))
		Expect(apierrors.IsNotFound(errorOf(servers.Get(ctx, "dry", metav1.GetOptions{})))).To(BeTrue())

		image := must(imagesIn(namespace).Get(ctx, created.GetName(), metav1.GetOptions{}))
		err := servers.Delete(ctx, created.GetName(), metav1.DeleteOptions{Preconditions: metav1.NewUIDPreconditions(string(image.UID))})
		Expect(apierrors.IsConflict(err)).To(BeTrue(), "%v", err)
		stale := created.DeepCopy()
		changed := must(servers.Patch(ctx, created.GetName(), types.MergePatchType, []byte(`{"metadata": {"finalizers": ["example.com/hold"]}}`), metav1.PatchOptions{}))
		stale.Object["spec"].(map[string]any)["size"] = "large"
		err = errorOf(servers.Update(ctx, stale, metav1.UpdateOptions{}))
		Expect(apierrors.IsConflict(err)).To(BeTrue(), "%v", err)
		foreign := changed.DeepCopy()
		foreign.SetUID(image.UID)
		Expect(apierrors.IsConflict(errorOf(servers.Update(ctx, foreign, metav1.UpdateOptions{})))).To(BeTrue())

		Expect(servers.Delete(ctx, created.GetName(), metav1.DeleteOptions{})).To(Succeed())
		Expect(must(servers.Get(ctx, created.GetName(), metav1.GetOptions{})).GetDeletionTimestamp()).NotTo(BeNil())
		must(servers.Patch(ctx, created.GetName(), types.MergePatchType, []byte(`{"metadata": {"finalizers": null}}`), metav1.PatchOptions{}))
		Expect(apierrors.IsNotFound(errorOf(imagesIn(namespace).Get(ctx, created.GetName(), metav1.GetOptions{})))).To(BeTrue())
	})

	It("watches its objects, with Images that become and cease to be objects", func(ctx SpecContext) {
		list := must(servers.List(ctx, metav1.ListOptions{}))
		watched := must(servers.Watch(ctx, metav1.ListOptions{ResourceVersion: list.GetResourceVersion()}))
		defer watched.Stop()
		next := func() watch.Event {
			GinkgoHelper()
			var event watch.Event
			Eventually(ctx, watched.ResultChan()).Should(Receive(&event))
			return event
		}
		must(imagesIn(namespace).Create(ctx, newImage("other"), metav1.CreateOptions{}))
		created := must(servers.Create(ctx, newServer("web"), metav1.CreateOptions{}))
		Expect(next()).To(Equal(watch.Event{Type: watch.Added, Object: created}))
		release := []byte(`{"metadata": {"labels": {"catalog.goldsmith.dev/kind": null}}}`)
		must(imagesIn(namespace).Patch(ctx, "web", types.MergePatchType, release, metav1.PatchOptions{}))
		Expect(next().Type).To(Equal(watch.Deleted))
		Expect(apierrors.IsNotFound(errorOf(servers.Get(ctx, "web", metav1.GetOptions{})))).To(BeTrue())
		released := must(imagesIn(namespace).Get(ctx, "web", metav1.GetOptions{}))
		Expect(released.Labels).To(BeEmpty())
		Expect(released.ManagedFields).NotTo(ContainElement(HaveField("Manager", ownership.Manager)))
		adopt := []byte(`{"metadata": {"labels": {"catalog.goldsmith.dev/kind": "debianservers"}}}`)
		must(imagesIn(namespace).Patch(ctx, "web", types.MergePatchType, adopt, metav1.PatchOptions{}))
		Expect(next().Type).To(Equal(watch.Added))
	})

	It("reports an object that leaves a selection as it was there, and reads it as it is", func(ctx SpecContext) {
		red, blue := newServer("web"), []byte(`{"metadata": {"labels": {"team": "blue"}}}`)
		red.SetLabels(map[string]string{"team": "red"})
		watched := must(servers.Watch(ctx, metav1.ListOptions{LabelSelector: "team=red", ResourceVersion: must(servers.List(ctx, metav1.ListOptions{})).GetResourceVersion()}))
		defer watched.Stop()
		must(servers.Create(ctx, red, metav1.CreateOptions{}))
		Eventually(ctx, watched.ResultChan()).Should(Receive(HaveField("Type", watch.Added)))
		must(imagesIn(namespace).Patch(ctx, "web", types.MergePatchType, blue, metav1.PatchOptions{}))
		var event watch.Event
		Eventually(ctx, watched.ResultChan()).Should(Receive(&event))
		Expect(event.Type).To(Equal(watch.Deleted))
		Expect(event.Object.(*unstructured.Unstructured).GetLabels()).To(Equal(map[string]string{"team": "red"}))
		Expect(must(servers.Get(ctx, "web", metav1.GetOptions{})).GetLabels()).To(Equal(map[string]string{"team": "blue"}))
	})

	It("keeps what GitOps tools find their objects by apart from the Image", func(ctx SpecContext) {
		server := newServer("web")
		server.SetAnnotations(map[string]string{"kubectl.kubernetes.io/last-applied-configuration": "{}", "plain": "passes"})
		server.SetLabels(map[string]string{"app.kubernetes.io/instance": "shop"})
		created := must(servers.Create(ctx, server, metav1.CreateOptions{}))
		Expect(created.GetAnnotations()).To(Equal(server.GetAnnotations()))
		Expect(must(servers.List(ctx, metav1.ListOptions{LabelSelector: "app.kubernetes.io/instance=shop"})).Items).To(HaveLen(1))
		image := must(imagesIn(namespace).Get(ctx, "web", metav1.GetOptions{}))
		Expect(image.Annotations).To(HaveKeyWithValue("plain", "passes"))
		Expect(image.Annotations).NotTo(HaveKey("kubectl.kubernetes.io/last-applied-configuration"))
		Expect(image.Labels).NotTo(HaveKey("app.kubernetes.io/instance"))
	})

	It("serves its status to readers only", func(ctx SpecContext) {
		created := must(servers.Create(ctx, newServer("web"), metav1.CreateOptions{}))
		Expect(must(servers.Get(ctx, "web", metav1.GetOptions{}, "status"))).To(Equal(created))
		Expect(created.Object).To(HaveKeyWithValue("status", HaveKey("conditions")))
		err := errorOf(servers.UpdateStatus(ctx, created, metav1.UpdateOptions{}))
		Expect(apierrors.IsMethodNotSupported(err)).To(BeTrue(), "%v", err)
		_, err = servers.Patch(ctx, "web", types.StrategicMergePatchType, []byte(`{}`), metav1.PatchOptions{})
		Expect(apierrors.ReasonForError(err)).To(Equal(metav1.StatusReasonUnsupportedMediaType), "%v", err)
	})
})

// declare creates an ImageKind like that of DebianServer with another plural and another kind, and waits until the kind is served. The
// plural has no more than an s in addition to the singular.
func declare(ctx context.Context, plural, kind string) *v1alpha1.ImageKind {
	GinkgoHelper()
	declared := &v1alpha1.ImageKind{}
	document := strings.NewReplacer("debianservers", plural, "debianserver", strings.TrimSuffix(plural, "s"), "DebianServer", kind, "[deb]", "[]").Replace(
		string(must(os.ReadFile("testdata/catalog/debianservers.yaml"))))
	Expect(yaml.UnmarshalStrict([]byte(document), declared)).To(Succeed())
	created := must(client.ImagesV1alpha1().ImageKinds().Create(ctx, declared, metav1.CreateOptions{}))
	Eventually(ctx, func() bool { return established(ctx, plural) }).Should(BeTrue())
	return created
}

// established reports whether the server serves a kind as its ImageKind declares it now.
func established(ctx context.Context, name string) bool {
	GinkgoHelper()
	read := must(client.ImagesV1alpha1().ImageKinds().Get(ctx, name, metav1.GetOptions{}))
	return meta.IsStatusConditionTrue(read.Status.Conditions, v1alpha1.ImageKindEstablished) && read.Status.ObservedGeneration == read.Generation
}

// remove deletes an ImageKind, whatever its Images are: no controller runs.
func remove(ctx context.Context, name string) {
	GinkgoHelper()
	kinds := client.ImagesV1alpha1().ImageKinds()
	Expect(kinds.Delete(ctx, name, metav1.DeleteOptions{})).To(Succeed())
	must(kinds.Patch(ctx, name, types.MergePatchType, []byte(`{"metadata": {"finalizers": null}}`), metav1.PatchOptions{}))
	Expect(apierrors.IsNotFound(errorOf(kinds.Get(ctx, name, metav1.GetOptions{})))).To(BeTrue())
}

var _ = Describe("an ImageKind", func() {
	It("is accepted with warnings about its template", func(ctx SpecContext) {
		var warned warnings
		recording := rest.CopyConfig(config)
		recording.WarningHandler = &warned
		kinds := must(versioned.NewForConfig(recording)).ImagesV1alpha1().ImageKinds()
		declared := declare(ctx, "warned", "Warned")
		DeferCleanup(func(ctx SpecContext) { remove(ctx, "warned") })
		must(kinds.Patch(ctx, declared.Name, types.MergePatchType, []byte(`{"metadata": {"labels": {"a": "b"}}}`), metav1.PatchOptions{}))
		Expect(warned).To(ConsistOf("spec.template.history.recordRetention: has no effect: no database of records is configured"))
	})

	It("is served without new objects while it is being deleted", func(ctx SpecContext) {
		stored := client.ImagesV1alpha1().ImageKinds()
		declared := declare(ctx, "leaving", "Leaving")
		Expect(declared.Finalizers).To(ConsistOf(v1alpha1.ImageKindFinalizer))
		Expect(declared.Spec.OnDelete).To(Equal(v1alpha1.ImageKindWait))
		kept := must(stored.Patch(ctx, "leaving", types.MergePatchType, []byte(`{"metadata": {"finalizers": null}}`), metav1.PatchOptions{}))
		Expect(kept.Finalizers).To(ConsistOf(v1alpha1.ImageKindFinalizer), "nobody takes it away by a replacement")

		namespace := newNamespace()
		leaving := must(dynamic.NewForConfig(config)).Resource(debianServers.GroupVersion().WithResource("leaving")).Namespace(namespace)
		object := newServer("web")
		object.SetKind("Leaving")
		must(leaving.Create(ctx, object, metav1.CreateOptions{}))
		watched := must(leaving.Watch(ctx, metav1.ListOptions{}))
		defer watched.Stop()
		Eventually(ctx, watched.ResultChan()).Should(Receive(HaveField("Type", watch.Added)))

		Expect(stored.Delete(ctx, "leaving", metav1.DeleteOptions{})).To(Succeed())
		DeferCleanup(func(ctx SpecContext) { remove(ctx, "leaving") })
		Eventually(ctx, func() bool { return established(ctx, "leaving") }).Should(BeTrue())
		object.SetName("new")
		applied := object.DeepCopy()
		for _, err := range []error{
			errorOf(leaving.Create(ctx, object, metav1.CreateOptions{})),
			errorOf(leaving.Apply(ctx, "new", applied, metav1.ApplyOptions{FieldManager: "test"})),
		} {
			Expect(apierrors.IsForbidden(err)).To(BeTrue(), "%v", err)
			Expect(err).To(MatchError(ContainSubstring(`leaving.catalog.goldsmith.dev "new" is forbidden: ImageKind leaving is being deleted`)))
		}
		adopted := newImage("adopted")
		adopted.Labels = map[string]string{v1alpha1.ImageKindLabel: "leaving"}
		Expect(errorOf(imagesIn(namespace).Create(ctx, adopted, metav1.CreateOptions{}))).To(MatchError(ContainSubstring("ImageKind leaving is being deleted: leave the label out")))
		must(stored.Patch(ctx, "leaving", types.MergePatchType, []byte(`{"spec": {"onDelete": "Release"}}`), metav1.PatchOptions{}))
		Eventually(ctx, func() bool { return established(ctx, "leaving") }).Should(BeTrue())
		must(leaving.Patch(ctx, "web", types.MergePatchType, []byte(`{"spec": {"size": "large"}}`), metav1.PatchOptions{}))
		Eventually(ctx, watched.ResultChan()).Should(Receive(HaveField("Type", watch.Modified)), "the watch goes on")
		Expect(leaving.Delete(ctx, "web", metav1.DeleteOptions{})).To(Succeed())
	})

	It("has an onDelete of its list", func(ctx SpecContext) {
		declare(ctx, "choosy", "Choosy")
		DeferCleanup(func(ctx SpecContext) { remove(ctx, "choosy") })
		_, err := client.ImagesV1alpha1().ImageKinds().Patch(ctx, "choosy", types.MergePatchType, []byte(`{"spec": {"onDelete": "Orphan"}}`), metav1.PatchOptions{})
		Expect(err).To(MatchError(ContainSubstring(`spec.onDelete: Unsupported value: "Orphan": supported values: "Release", "Wait"`)))
	})

	It("is served as it is declared, and changed by any patch", func(ctx SpecContext) {
		kinds := client.ImagesV1alpha1().ImageKinds()
		declare(ctx, "patched", "Patch")
		DeferCleanup(func(ctx SpecContext) { remove(ctx, "patched") })
		for kind, template := range map[types.PatchType]string{
			types.StrategicMergePatchType: `{"builder": {"name": "mock"}, "targets": [{"platform": "linux/amd64", "format": "raw"}]}`,
			types.MergePatchType:          `{"runPolicy": "Parallel"}`,
		} {
			must(kinds.Patch(ctx, "patched", kind, []byte(`{"spec": {"template": `+template+`}}`), metav1.PatchOptions{}))
			Eventually(ctx, func() bool { return established(ctx, "patched") }).Should(BeTrue())
		}
		_, err := kinds.Patch(ctx, "patched", types.MergePatchType, []byte(`{"spec": {"template": {"builder": null}}}`), metav1.PatchOptions{})
		Expect(apierrors.IsInvalid(err)).To(BeTrue(), "%v", err)
		Expect(err).To(MatchError(ContainSubstring("spec.template.builder: Required value")))
	})
})

var _ = Describe("the kinds of the catalog", Ordered, func() {
	It("change while the server serves", func(ctx SpecContext) {
		namespace := newNamespace()
		servers := serversIn(namespace)
		must(servers.Create(ctx, newServer("web"), metav1.CreateOptions{}))
		watched := must(servers.Watch(ctx, metav1.ListOptions{}))
		defer watched.Stop()
		Eventually(ctx, watched.ResultChan()).Should(Receive(HaveField("Type", watch.Added)))
		configured.Replace([]*catalog.Kind{readKind(ctx, "testdata/catalog/debianservers-changed.yaml")})
		DeferCleanup(func(ctx SpecContext) {
			configured.Replace([]*catalog.Kind{readKind(ctx, "testdata/catalog/debianservers.yaml")})
			Eventually(ctx, func() error {
				return errorOf(servers.Create(ctx, newServer("again"), metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}}))
			}).Should(Succeed())
		})
		var event watch.Event
		Eventually(ctx, watched.ResultChan()).Should(Receive(&event))
		Expect(event.Type).To(Equal(watch.Error))
		Expect(apierrors.FromObject(event.Object)).To(Satisfy(apierrors.IsResourceExpired))
		medium := newServer("new")
		medium.Object["spec"].(map[string]any)["size"] = "medium"
		must(servers.Create(ctx, medium, metav1.CreateOptions{}))
		Expect(specOf(must(servers.Get(ctx, "web", metav1.GetOptions{})))).To(HaveKeyWithValue("size", "small"))
	})
})
