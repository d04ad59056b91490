// SPDX-License-Identifier: Apache-2.0

package plan

import (
	"context"
	"encoding/json"
	"fmt"
	"io"

	authorizationv1 "k8s.io/api/authorization/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/strategicpatch"
	"k8s.io/cli-runtime/pkg/resource"
	authorizationclient "k8s.io/client-go/kubernetes/typed/authorization/v1"
	"k8s.io/client-go/openapi/cached"
	"k8s.io/client-go/openapi3"
	"k8s.io/client-go/rest"
	"k8s.io/kubectl/pkg/cmd/apply"
	"k8s.io/kubectl/pkg/util"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/cmd/goldsmith/internal/client"
)

// serverSideManager is the manager of `kubectl apply --server-side`.
const serverSideManager = "kubectl"

// applier finds the Images that `kubectl apply` would store, by dry runs of the requests that it makes.
type applier struct {
	connection *client.Connection
	reviews    authorizationclient.SelfSubjectAccessReviewInterface
	images     resource.RESTClient // reads objects without a type, as kubectl does
	schemas    openapi3.Root       // tells how lists are merged
	manager    string              // of server-side apply
	force      bool                // whether server-side apply takes fields from other managers
	stderr     io.Writer
}

func newApplier(connection *client.Connection, asked *options, stderr io.Writer) (*applier, error) {
	config := rest.CopyConfig(connection.Config)
	config.APIPath = "/apis"
	config.ContentConfig = resource.UnstructuredPlusDefaultContentConfig()
	config.GroupVersion = &v1alpha1.SchemeGroupVersion
	images, err := rest.RESTClientFor(config)
	if err != nil {
		return nil, fmt.Errorf("create a client: %w", err)
	}
	reviews, err := authorizationclient.NewForConfig(connection.Config)
	if err != nil {
		return nil, fmt.Errorf("create a client: %w", err)
	}
	return &applier{
		connection: connection, reviews: reviews.SelfSubjectAccessReviews(), images: images,
		schemas: openapi3.NewRoot(cached.NewClient(connection.Discovery().OpenAPIV3())),
		manager: asked.manager, force: asked.force, stderr: stderr,
	}, nil
}

// plan requests the plan of an Image as if the document were applied. namespace is the value of --namespace. It must not
// contradict the namespace of the document.
func (a *applier) plan(ctx context.Context, d document, namespace string) (*v1alpha1.ImagePlan, error) {
	if given := d.object.GetNamespace(); given != "" && namespace != "" && namespace != given {
		return nil, fmt.Errorf("%s: image %s: metadata.namespace is %s, but --namespace is %s: correct one of the two",
			d.source, d.image.Name, given, namespace)
	}
	if d.object.GetNamespace() == "" {
		d.object.SetNamespace(a.connection.Namespace)
	}
	image, err := a.dryRunApply(ctx, d)
	if err != nil {
		return nil, fmt.Errorf("%s: plan image %s: %w", d.source, d.image.Name, err)
	}
	wanted := &v1alpha1.ImagePlan{Spec: image.Spec, ObjectMeta: metav1.ObjectMeta{
		Name: d.image.Name, Namespace: d.object.GetNamespace(),
		Labels: image.Labels, Annotations: image.Annotations, Finalizers: image.Finalizers,
	}}
	plan, err := a.connection.ImagesV1alpha1().ImagePlans(wanted.Namespace).Create(ctx, wanted, metav1.CreateOptions{})
	if err != nil {
		return nil, fmt.Errorf("%s: plan image %s: %w", d.source, d.image.Name, err)
	}
	return plan, nil
}

// dryRunApply returns the Image that would be stored if the document were applied.
func (a *applier) dryRunApply(ctx context.Context, d document) (*v1alpha1.Image, error) {
	namespace, name := d.object.GetNamespace(), d.object.GetName()
	live, err := a.helper(apply.FieldManagerClientSideApply).Get(namespace, name)
	var merged runtime.Object
	switch {
	case apierrors.IsForbidden(err):
		return d.image, nil // the server refuses to plan it, and explains why
	case apierrors.IsNotFound(err):
		merged, err = a.created(ctx, d)
	case err != nil:
		return nil, fmt.Errorf("read the stored image: %w", err)
	case a.appliesServerSide(live):
		merged, err = a.serverSide(ctx, d)
	default:
		merged, err = a.clientSide(ctx, d, live)
	}
	if err != nil {
		return nil, err
	}
	asJSON, err := json.Marshal(merged)
	if err != nil {
		return nil, err
	}
	image := &v1alpha1.Image{}
	return image, json.Unmarshal(asJSON, image)
}

// helper makes dry runs of the requests of kubectl.
func (a *applier) helper(manager string) *resource.Helper {
	return resource.NewHelper(a.images, mapping()).DryRun(true).WithFieldManager(manager).WithFieldValidation(metav1.FieldValidationStrict)
}

func mapping() *meta.RESTMapping {
	return &meta.RESTMapping{
		Resource:         v1alpha1.SchemeGroupVersion.WithResource("images"),
		GroupVersionKind: v1alpha1.Kind("Image"),
		Scope:            meta.RESTScopeNamespace,
	}
}

// created returns an Image that does not exist yet, as both kinds of apply would create it.
func (a *applier) created(ctx context.Context, d document) (runtime.Object, error) {
	object := d.object.DeepCopy()
	if err := util.CreateApplyAnnotation(object, unstructured.UnstructuredJSONScheme); err != nil {
		return nil, err
	}
	created, err := a.helper(apply.FieldManagerClientSideApply).Create(object.GetNamespace(), true, object)
	if a.mayNot(ctx, "create", d, err) {
		return object, a.warnDenied(d, "create")
	}
	return created, err
}

// clientSide returns an existing Image as merged by client-side apply.
func (a *applier) clientSide(ctx context.Context, d document, live runtime.Object) (runtime.Object, error) {
	modified, err := util.GetModifiedConfiguration(d.object.DeepCopy(), true, unstructured.UnstructuredJSONScheme)
	if err != nil {
		return nil, err
	}
	const onlyOnce = 1 // so that it needs no clock for its backoff
	patcher := &apply.Patcher{
		Mapping: mapping(), Helper: a.helper(apply.FieldManagerClientSideApply), OpenAPIV3Root: a.schemas, Overwrite: true, Retries: onlyOnce,
	}
	_, merged, err := patcher.Patch(live, modified, "", d.object.GetNamespace(), d.object.GetName(), a.stderr)
	if a.mayNot(ctx, "patch", d, err) {
		if merged, err = merge(live, modified); err == nil {
			err = a.warnDenied(d, "patch")
		}
	}
	return merged, err
}

// merge merges as client-side apply does, without the server. PatchLocal of the Patcher merges only kinds of Kubernetes.
func merge(live runtime.Object, modified []byte) (runtime.Object, error) {
	current, err := runtime.Encode(unstructured.UnstructuredJSONScheme, live)
	if err != nil {
		return nil, err
	}
	original, err := util.GetOriginalConfiguration(live)
	if err != nil {
		return nil, err
	}
	lists, err := strategicpatch.NewPatchMetaFromStruct(&v1alpha1.Image{})
	if err != nil {
		return nil, err
	}
	patch, err := strategicpatch.CreateThreeWayMergePatch(original, modified, current, lists, true)
	if err != nil {
		return nil, err
	}
	merged, err := strategicpatch.StrategicMergePatchUsingLookupPatchMeta(current, patch, lists)
	if err != nil {
		return nil, err
	}
	return runtime.Decode(unstructured.UnstructuredJSONScheme, merged)
}

// appliesServerSide reports whether the manager has applied an Image with server-side apply.
func (a *applier) appliesServerSide(live runtime.Object) bool {
	object, err := meta.Accessor(live)
	if err != nil {
		return false
	}
	for _, entry := range object.GetManagedFields() {
		if entry.Manager == a.manager && entry.Operation == metav1.ManagedFieldsOperationApply && entry.Subresource == "" {
			return true
		}
	}
	return false
}

// serverSide returns an existing Image as merged by server-side apply.
func (a *applier) serverSide(ctx context.Context, d document) (runtime.Object, error) {
	asJSON, err := runtime.Encode(unstructured.UnstructuredJSONScheme, d.object)
	if err != nil {
		return nil, err
	}
	namespace, name := d.object.GetNamespace(), d.object.GetName()
	merged, err := a.helper(a.manager).Patch(namespace, name, types.ApplyPatchType, asJSON, &metav1.PatchOptions{Force: &a.force})
	switch {
	case apierrors.IsConflict(err):
		return nil, fmt.Errorf("%w: remove the fields from the file, or set --force-conflicts as `kubectl apply --server-side` does", err)
	case a.mayNot(ctx, "patch", d, err):
		return nil, fmt.Errorf("only the server can merge it, because %s applies it with server-side apply: ask for permission to patch images: %w", a.manager, err)
	}
	return merged, err
}

// mayNot reports whether a request failed because the user lacks permission for it, and not because admission refused the object.
func (a *applier) mayNot(ctx context.Context, verb string, d document, err error) bool {
	if !apierrors.IsForbidden(err) {
		return false
	}
	review := &authorizationv1.SelfSubjectAccessReview{Spec: authorizationv1.SelfSubjectAccessReviewSpec{
		ResourceAttributes: &authorizationv1.ResourceAttributes{
			Namespace: d.object.GetNamespace(), Verb: verb, Name: d.object.GetName(),
			Group: v1alpha1.GroupName, Version: v1alpha1.SchemeGroupVersion.Version, Resource: "images",
		},
	}}
	if verb == "create" {
		review.Spec.ResourceAttributes.Name = "" // as in the request, whose URL has no name
	}
	answer, err := a.reviews.Create(ctx, review, metav1.CreateOptions{})
	return err == nil && !answer.Status.Allowed
}

// warnDenied explains why the answer can differ from that of an apply.
func (a *applier) warnDenied(d document, verb string) error {
	_, err := fmt.Fprintf(a.stderr, "%s: image %s: you may not %s it, so it is planned without the cluster's webhooks and policies for images\n",
		d.source, d.object.GetName(), verb)
	return err
}
