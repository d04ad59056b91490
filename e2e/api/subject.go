// SPDX-License-Identifier: Apache-2.0

package api

import (
	"context"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"github.com/onsi/gomega/types"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	kubetypes "k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/util/retry"

	"goldsmith.dev/goldsmith/apis/generated/discovery"
	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
)

// subject is a resource whose objects the general specs read and write, in the namespace of the present spec. Nothing is built of its
// objects. They have the fields spec.suspend, and spec.retry.limit with the default 2, and the status of Images.
type subject struct {
	*fixture
	resource schema.GroupVersionResource
	kind     string
	// content is the JSON of an object, besides its metadata, and fields are the fields in it, in the form of FieldsV1.
	content, fields string
	// edited is the path of a field in content, which has the value there. The field can have the other value, and not the one refused.
	edited, value, other, refused string
	// selector selects, by fields, objects with the value.
	selector string
	// columns are those of a table.
	columns []string
	// kinds are those that clients read or write in the group, of the resources in discovered.
	kinds []string
	// discovered are the resources and subresources of these kinds.
	discovered func() ([]metav1.APIResource, error)
	// strategic is whether the resource has strategic merge patches.
	strategic bool
	// counted is whether a page has the number of the objects that remain. It has not where the server selects the objects.
	counted bool
}

const imageContent = `"spec":{"suspend":true,"builder":{"name":"mock"},"base":{"reference":"debian:bookworm"},"targets":[{"platform":"linux/amd64","format":"raw"}]}`

// images are the Images.
func images(w *fixture) *subject {
	return &subject{
		fixture: w, resource: v1alpha1.SchemeGroupVersion.WithResource("images"), kind: "Image", content: imageContent,
		fields: `{"f:spec":{"f:suspend":{},"f:builder":{"f:name":{}},"f:base":{"f:reference":{}},
			"f:targets":{"k:{\"format\":\"raw\",\"platform\":\"linux/amd64\"}":{".":{},"f:format":{},"f:platform":{}}}}}`,
		edited: "spec.builder.name", value: "mock", other: "other", refused: "../mock", selector: "spec.builder.name=mock,spec.suspend=true",
		columns:    []string{"Name", "Ready", "UpToDate", "Reason", "Latest", "Digest", "Active", "Next", "Age", "Builder", "Base", "Channels", "LastFailure", "Since", "Suspended", "Vulnerabilities"},
		kinds:      []string{"Image", "ImageList", "ImageBuild", "ImageBuildList", "ImageKind", "ImageKindList", "SigningKey", "SigningKeyList", "Archive", "ArchiveList", "RevokedArtifact", "RevokedArtifactList", "BuildRequest", "CancelRequest"},
		discovered: discovery.Resources, strategic: true, counted: true,
	}
}

// configMaps are a built-in resource. Only requests and replies are compared with it.
func configMaps(w *fixture) *subject {
	return &subject{fixture: w, resource: schema.GroupVersionResource{Version: "v1", Resource: "configmaps"}, kind: "ConfigMap", content: `"data":{"a":"b"}`}
}

// path is the path of the resource in the present namespace, with what follows: "/web", "?limit=1".
func (s *subject) path(rest string) string {
	prefix := "/apis/" + s.resource.Group
	if s.resource.Group == "" {
		prefix = "/api"
	}
	return prefix + "/" + s.resource.Version + "/namespaces/" + s.Namespace + "/" + s.resource.Resource + rest
}

// manifest is the JSON of an object with this metadata.
func (s *subject) manifest(metadata string) string {
	return `{"apiVersion":"` + s.resource.GroupVersion().String() + `","kind":"` + s.kind + `","metadata":` + metadata + `,` + s.content + `}`
}

// object is an object that is not created.
func (s *subject) object(name string, adjust ...func(*unstructured.Unstructured)) *unstructured.Unstructured {
	GinkgoHelper()
	made := &unstructured.Unstructured{}
	Expect(made.UnmarshalJSON([]byte(s.manifest(`{}`)))).To(Succeed())
	made.SetName(name)
	for _, change := range adjust {
		change(made)
	}
	return made
}

// client is the client for the objects of the namespace.
func (s *subject) client() dynamic.ResourceInterface { return s.clientIn(s.Namespace) }

// clientIn is the same for another namespace.
func (s *subject) clientIn(namespace string) dynamic.ResourceInterface {
	GinkgoHelper()
	client, err := dynamic.NewForConfig(s.Config)
	Expect(err).NotTo(HaveOccurred())
	return client.Resource(s.resource).Namespace(namespace)
}

// create creates an object.
func (s *subject) create(ctx context.Context, name string, adjust ...func(*unstructured.Unstructured)) *unstructured.Unstructured {
	GinkgoHelper()
	created, err := s.client().Create(ctx, s.object(name, adjust...), metav1.CreateOptions{})
	Expect(err).NotTo(HaveOccurred())
	return created
}

// read reads the object web.
func (s *subject) read(ctx context.Context) *unstructured.Unstructured {
	GinkgoHelper()
	found, err := s.client().Get(ctx, "web", metav1.GetOptions{})
	Expect(err).NotTo(HaveOccurred())
	return found
}

// waitUntilObserved waits until the controller has observed the spec of the object web, and returns it: from then on only the spec writes to it.
func (s *subject) waitUntilObserved(ctx context.Context) *unstructured.Unstructured {
	GinkgoHelper()
	var read *unstructured.Unstructured
	s.Eventually(ctx, func(ctx context.Context) bool {
		read = s.read(ctx)
		return field(read, "status.observedGeneration") == read.GetGeneration()
	}).Should(BeTrue())
	return read
}

// change changes the stored object of this name. It is repeated after a conflict: controllers write to the object, too.
func (s *subject) change(ctx context.Context, name string, change func(*unstructured.Unstructured)) *unstructured.Unstructured {
	GinkgoHelper()
	var changed *unstructured.Unstructured
	Expect(retry.RetryOnConflict(retry.DefaultBackoff, func() error {
		object, err := s.client().Get(ctx, name, metav1.GetOptions{})
		if err != nil {
			return err
		}
		change(object)
		changed, err = s.client().Update(ctx, object, metav1.UpdateOptions{})
		return err
	})).To(Succeed())
	return changed
}

// patch patches an object.
func (s *subject) patch(ctx context.Context, name string, kind kubetypes.PatchType, body string) *unstructured.Unstructured {
	GinkgoHelper()
	patched, err := s.client().Patch(ctx, name, kind, []byte(body), metav1.PatchOptions{})
	Expect(err).NotTo(HaveOccurred())
	return patched
}

// list lists the objects.
func (s *subject) list(ctx context.Context, options metav1.ListOptions) *unstructured.UnstructuredList {
	GinkgoHelper()
	list, err := s.client().List(ctx, options)
	Expect(err).NotTo(HaveOccurred())
	return list
}

// remove deletes an object.
func (s *subject) remove(ctx context.Context, name string) {
	GinkgoHelper()
	Expect(s.client().Delete(ctx, name, metav1.DeleteOptions{})).To(Succeed())
}

// release removes the finalizer of the specs from an object.
func (s *subject) release(ctx context.Context, name string) {
	GinkgoHelper()
	s.patch(ctx, name, kubetypes.JSONPatchType, `[{"op":"test","path":"/metadata/finalizers","value":["`+finalizer+`"]},{"op":"remove","path":"/metadata/finalizers"}]`)
}

// waitForDeletion waits until there is no object web.
func (s *subject) waitForDeletion(ctx context.Context) {
	GinkgoHelper()
	s.Eventually(ctx, func(ctx context.Context) error {
		_, err := s.client().Get(ctx, "web", metav1.GetOptions{})
		return err
	}).Should(Satisfy(apierrors.IsNotFound))
}

// field is the value at a path such as spec.suspend, or nil.
func field(object *unstructured.Unstructured, path string) any {
	GinkgoHelper()
	value, _, err := unstructured.NestedFieldNoCopy(object.Object, strings.Split(path, ".")...)
	Expect(err).NotTo(HaveOccurred())
	return value
}

// set gives an object a value at a path such as spec.suspend.
func set(path string, value any) func(*unstructured.Unstructured) {
	return func(object *unstructured.Unstructured) {
		Expect(unstructured.SetNestedField(object.Object, value, strings.Split(path, ".")...)).To(Succeed())
	}
}

// labelled gives an object a label.
func labelled(key, value string) func(*unstructured.Unstructured) {
	return func(object *unstructured.Unstructured) {
		Expect(unstructured.SetNestedField(object.Object, value, "metadata", "labels", key)).To(Succeed())
	}
}

// generated has the server choose the name.
func generated(object *unstructured.Unstructured) { object.SetGenerateName("generated-") }

// addFinalizer is a change of an object that keeps it after it was deleted.
func addFinalizer(object *unstructured.Unstructured) { object.SetFinalizers([]string{finalizer}) }

// beNew matches an object that the server has just created: clients that wait for its status must not take it for finished.
func beNew() types.GomegaMatcher {
	condition := func(kind string, status metav1.ConditionStatus) types.GomegaMatcher {
		return And(HaveField("Type", kind), HaveField("Status", status), HaveField("Reason", v1alpha1.ReasonWaitingForController), HaveField("ObservedGeneration", BeZero()))
	}
	return WithTransform(func(object *unstructured.Unstructured) (v1alpha1.ImageStatus, error) {
		var status struct {
			Status v1alpha1.ImageStatus `json:"status"`
		}
		err := runtime.DefaultUnstructuredConverter.FromUnstructured(object.Object, &status)
		return status.Status, err
	}, And(
		HaveField("Conditions", ConsistOf(condition(v1alpha1.ImageReady, metav1.ConditionUnknown), condition(v1alpha1.ImageReconciling, metav1.ConditionTrue))),
		WithTransform(func(status v1alpha1.ImageStatus) v1alpha1.ImageStatus {
			status.Conditions = nil
			return status
		}, BeZero())))
}
