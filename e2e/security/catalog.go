// SPDX-License-Identifier: Apache-2.0

package security

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/util/retry"

	"goldsmith.dev/goldsmith/apis/generated/discovery"
	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/e2e/cluster"
	"goldsmith.dev/goldsmith/e2e/workspace"
)

var appliances = schema.GroupVersionResource{Group: "catalog.goldsmith.dev", Version: "v1", Resource: "appliances"}

// newAppliance returns an object of the kind of workspace.Appliances, of which nothing is built.
func newAppliance(name string) *unstructured.Unstructured {
	return &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "catalog.goldsmith.dev/v1", "kind": "Appliance",
		"metadata": map[string]any{"name": name}, "spec": map[string]any{"release": "bookworm", "suspend": true},
	}}
}

// describeTenants: users of the catalog need no permissions for Images, and get none by it.
func describeTenants(w *cluster.Workspace) {
	// newTenant is a user with the roles of the catalog in the namespace.
	newTenant := func(ctx context.Context) (user, dynamic.ResourceInterface) {
		GinkgoHelper()
		w.EstablishKind(ctx, workspace.Appliances)
		tenant := newUser(ctx, w, "tenant")
		for _, role := range []string{"goldsmith-catalog-view", "goldsmith-catalog-edit"} {
			bind(ctx, w, rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: role},
				rbacv1.Subject{Kind: rbacv1.UserKind, APIGroup: rbacv1.GroupName, Name: tenant.name})
		}
		client := dynamic.NewForConfigOrDie(w.Environment.As(tenant.name)).Resource(appliances).Namespace(w.Namespace)
		w.Eventually(ctx, func(ctx context.Context) error { // a binding counts a moment after it is made
			_, read := client.List(ctx, metav1.ListOptions{})
			if read != nil {
				return read
			}
			_, written := client.Create(ctx, newAppliance("any"), metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}})
			return written
		}).Should(Succeed())
		return tenant, client
	}

	It("A tenant with the roles of the catalog can do everything there, and nothing with Images", Label("catalog", "gate"), func(ctx SpecContext) {
		tenant, client := newTenant(ctx)
		var shown []any // all that the tenant sees
		sees := func(object any, err error) {
			GinkgoHelper()
			Expect(err).NotTo(HaveOccurred())
			shown = append(shown, object)
		}
		sees(client.Create(ctx, newAppliance("web"), metav1.CreateOptions{}))
		sees(client.Apply(ctx, "applied", newAppliance("applied"), metav1.ApplyOptions{FieldManager: "tenant"}))
		sees(client.Patch(ctx, "web", types.MergePatchType, []byte(`{"spec":{"suspend":false}}`), metav1.PatchOptions{}))
		sees(client.Patch(ctx, "applied", types.JSONPatchType, []byte(`[{"op":"replace","path":"/spec/release","value":"trixie"}]`), metav1.PatchOptions{}))
		w.Succeeded(ctx, "web-1")
		w.Eventually(ctx, func() (*unstructured.Unstructured, error) { return client.Get(ctx, "web", metav1.GetOptions{}) }).
			Should(HaveField("Object", HaveKeyWithValue("status", HaveKey("latestSuccessful"))))
		Expect(retry.RetryOnConflict(retry.DefaultBackoff, func() error { // controllers write to the Image, too
			read, err := client.Get(ctx, "web", metav1.GetOptions{})
			sees(read, err)
			read.SetLabels(map[string]string{"team": "red"})
			updated, err := client.Update(ctx, read, metav1.UpdateOptions{})
			shown = append(shown, updated)
			return err
		})).To(Succeed())
		sees(client.Get(ctx, "web", metav1.GetOptions{}, "status"))
		sees(client.List(ctx, metav1.ListOptions{}))
		watched, err := client.Watch(ctx, metav1.ListOptions{FieldSelector: "metadata.name=web"})
		Expect(err).NotTo(HaveOccurred())
		sees((<-watched.ResultChan()).Object, nil)
		watched.Stop()
		path := "/apis/catalog.goldsmith.dev/v1/namespaces/" + w.Namespace + "/appliances"
		rest := tenant.kube.CoreV1().RESTClient()
		table, err := rest.Get().AbsPath(path).SetHeader("Accept", "application/json;as=Table;v=v1;g=meta.k8s.io").Param("includeObject", "Object").DoRaw(ctx)
		sees(string(table), err)
		started, err := rest.Post().AbsPath(path + "/web/build").Body([]byte(`{"apiVersion":"images.goldsmith.dev/v1alpha1","kind":"BuildRequest","message":"please"}`)).DoRaw(ctx)
		sees(string(started), err)
		w.Succeeded(ctx, "web-2")
		log, err := rest.Get().AbsPath(path + "/web/log").Stream(ctx)
		Expect(err).NotTo(HaveOccurred())
		Expect(io.ReadAll(log)).To(ContainSubstring("step 1/1"))
		Expect(log.Close()).To(Succeed())

		By("trying every verb of every resource of Images")
		served, err := discovery.Resources()
		Expect(err).NotTo(HaveOccurred())
		for _, resource := range served {
			name, subresource, _ := strings.Cut(resource.Name, "/")
			path := "/apis/" + v1alpha1.SchemeGroupVersion.String()
			if resource.Namespaced {
				path += "/namespaces/" + w.Namespace
			}
			path += "/" + name
			for _, verb := range resource.Verbs {
				request := rest.Verb(methods[verb]).AbsPath(path)
				if subresource != "" || verb == "get" || verb == "update" || verb == "patch" || verb == "delete" {
					request = rest.Verb(methods[verb]).AbsPath(path, "web", subresource)
				}
				if verb == "watch" {
					request.Param("watch", "true")
				}
				err := request.SetHeader("Content-Type", map[bool]string{true: "application/merge-patch+json", false: "application/json"}[verb == "patch"]).Body([]byte(`{}`)).Do(ctx).Error()
				Expect(apierrors.IsForbidden(err)).To(BeTrue(), "%s %s: %v", verb, resource.Name, err)
			}
		}

		By("looking for what the kind sets")
		image, err := w.Images().Get(ctx, "web", metav1.GetOptions{})
		Expect(err).NotTo(HaveOccurred())
		text, err := json.Marshal(shown)
		Expect(err).NotTo(HaveOccurred())
		for _, secret := range []string{string(image.UID), "mock", "duration", "f:builder", "f:targets", "goldsmith-catalog"} {
			Expect(string(text)).NotTo(ContainSubstring(secret))
		}

		_, err = w.Images().Create(ctx, cluster.NewImage("taken"), metav1.CreateOptions{})
		Expect(err).NotTo(HaveOccurred())
		_, err = client.Create(ctx, newAppliance("taken"), metav1.CreateOptions{})
		Expect(apierrors.IsAlreadyExists(err)).To(BeTrue(), "%v", err)
		_, err = client.Get(ctx, "taken", metav1.GetOptions{})
		Expect(apierrors.IsNotFound(err)).To(BeTrue(), "%v", err)
		Expect(client.Delete(ctx, "web", metav1.DeleteOptions{})).To(Succeed())
		Expect(client.DeleteCollection(ctx, metav1.DeleteOptions{}, metav1.ListOptions{})).To(Succeed())
		Expect(w.Images().List(ctx, metav1.ListOptions{})).To(HaveField("Items", ConsistOf(HaveField("Name", "taken"))))
	})

	It("A tenant with a role that only reads the catalog changes nothing", Label("catalog"), func(ctx SpecContext) {
		_, client := newTenant(ctx)
		_, err := client.Create(ctx, newAppliance("web"), metav1.CreateOptions{})
		Expect(err).NotTo(HaveOccurred())
		reader := newUser(ctx, w, "reader")
		bind(ctx, w, rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: "goldsmith-catalog-view"},
			rbacv1.Subject{Kind: rbacv1.UserKind, APIGroup: rbacv1.GroupName, Name: reader.name})
		client = dynamic.NewForConfigOrDie(w.Environment.As(reader.name)).Resource(appliances).Namespace(w.Namespace)
		w.Eventually(ctx, func(ctx context.Context) error {
			_, err := client.Get(ctx, "web", metav1.GetOptions{})
			return err
		}).Should(Succeed())
		_, err = client.Create(ctx, newAppliance("other"), metav1.CreateOptions{})
		expectForbidden(err, reader.name)
		_, err = client.Patch(ctx, "web", types.MergePatchType, []byte(`{}`), metav1.PatchOptions{})
		expectForbidden(err, reader.name)
		_, err = client.Apply(ctx, "other", newAppliance("other"), metav1.ApplyOptions{FieldManager: "reader"})
		expectForbidden(err, reader.name)
		expectForbidden(client.Delete(ctx, "web", metav1.DeleteOptions{}), reader.name)
		err = reader.kube.CoreV1().RESTClient().Post().AbsPath("/apis/catalog.goldsmith.dev/v1/namespaces", w.Namespace, "appliances/web/build").Body([]byte(`{}`)).Do(ctx).Error()
		expectForbidden(err, reader.name)
	})
}

// methods are the HTTP methods of verbs.
var methods = map[string]string{
	"get": http.MethodGet, "list": http.MethodGet, "watch": http.MethodGet, "create": http.MethodPost, "update": http.MethodPut, "patch": http.MethodPatch,
	"delete": http.MethodDelete, "deletecollection": http.MethodDelete,
}
