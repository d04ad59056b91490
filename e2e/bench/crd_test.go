// SPDX-License-Identifier: Apache-2.0

//go:build e2e

package bench

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/dynamic"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/e2e/cluster"
)

const (
	// written is how many objects of each kind are created, read and patched, one after the other, alternating between the kinds.
	written = 200
	// listed is how many objects there are when they are listed as JSON, most when Images are listed as protobuf, lists how
	// often each is done, and writers how many create them meanwhile.
	listed, most, lists, writers = 2000, 10_000, 20, 8
	crdGroup                     = "bench.goldsmith.dev"
)

var (
	images    = v1alpha1.SchemeGroupVersion.WithResource("images")
	customs   = schema.GroupVersionResource{Group: crdGroup, Version: "v1alpha1", Resource: "images"}
	crds      = schema.GroupVersionResource{Group: "apiextensions.k8s.io", Version: "v1", Resource: "customresourcedefinitions"}
	kindNames = map[schema.GroupVersionResource]string{images: "image", customs: "crd"}
)

// BenchmarkImageAgainstCRD compares requests for Images with the same requests for a CustomResourceDefinition of the same
// schema: create, get and merge patch one after the other, JSON lists of 2,000, and lists of 10,000, where Images come as
// protobuf, which a CRD does not have. Our controller is scaled down meanwhile: nobody answers to what happens to the CRD's
// objects either.
func BenchmarkImageAgainstCRD(b *testing.B) {
	c := connect(b)
	c.defineCRD(b)
	c.stopController(b)
	clients := map[schema.GroupVersionResource]dynamic.ResourceInterface{
		images:  c.dynamic.Resource(images).Namespace(c.namespace),
		customs: c.dynamic.Resource(customs).Namespace(c.namespace),
	}
	for b.Loop() {
		took := map[string][]time.Duration{}
		// alternate reverses the order each time, so that a disturbance slows down both kinds.
		alternate := func(verb string, times int, do func(dynamic.ResourceInterface, schema.GroupVersionResource, int) error) {
			for i := range times {
				order := []schema.GroupVersionResource{images, customs}
				if i%2 == 1 {
					order[0], order[1] = order[1], order[0]
				}
				for _, resource := range order {
					start := time.Now()
					if err := do(clients[resource], resource, i); err != nil {
						b.Fatalf("%s %s: %v", verb, resource, err)
					}
					took[verb+" "+kindNames[resource]] = append(took[verb+" "+kindNames[resource]], time.Since(start))
				}
			}
		}
		create := func(client dynamic.ResourceInterface, resource schema.GroupVersionResource, i int) error {
			_, err := client.Create(b.Context(), newImage(resource, i), metav1.CreateOptions{})
			return err
		}
		alternate("create", written, create)
		alternate("get", written, func(client dynamic.ResourceInterface, _ schema.GroupVersionResource, i int) error {
			_, err := client.Get(b.Context(), imageName(i), metav1.GetOptions{})
			return err
		})
		alternate("patch", written, func(client dynamic.ResourceInterface, _ schema.GroupVersionResource, i int) error {
			patch := fmt.Sprintf(`{"metadata":{"annotations":{"patched":"%d"}}}`, i)
			_, err := client.Patch(b.Context(), imageName(i), types.MergePatchType, []byte(patch), metav1.PatchOptions{})
			return err
		})
		list := func(accept map[schema.GroupVersionResource]string, expected int) func(dynamic.ResourceInterface, schema.GroupVersionResource, int) error {
			return func(_ dynamic.ResourceInterface, resource schema.GroupVersionResource, _ int) error {
				body, err := c.kube.Discovery().RESTClient().Get().
					AbsPath("apis", resource.Group, resource.Version, "namespaces", c.namespace, resource.Resource).
					SetHeader("Accept", accept[resource]).DoRaw(b.Context())
				if err == nil && len(body) < expected*100 {
					err = fmt.Errorf("the list has %d bytes only", len(body))
				}
				return err
			}
		}
		fill(b, clients, written, listed, create)
		alternate("list", lists, list(map[schema.GroupVersionResource]string{images: runtime.ContentTypeJSON, customs: runtime.ContentTypeJSON}, listed))
		fill(b, clients, listed, most, create)
		alternate("protobuf-list", lists, list(map[schema.GroupVersionResource]string{images: runtime.ContentTypeProtobuf, customs: runtime.ContentTypeJSON}, most))
		for _, verb := range []string{"create", "get", "patch", "list", "protobuf-list"} {
			image, custom := quantile(took[verb+" image"], 0.5), quantile(took[verb+" crd"], 0.5)
			b.ReportMetric(image, verb+"-p50-ms/image")
			b.ReportMetric(custom, verb+"-p50-ms/crd")
			b.ReportMetric(image/custom, verb+"-ratio")
		}
		for resource, client := range clients {
			if err := client.DeleteCollection(b.Context(), metav1.DeleteOptions{}, metav1.ListOptions{}); err != nil {
				b.Fatalf("delete every %s: %v", resource, err)
			}
		}
	}
}

// fill creates the objects from one number up to another, of each kind.
func fill(b *testing.B, clients map[schema.GroupVersionResource]dynamic.ResourceInterface, from, to int,
	create func(dynamic.ResourceInterface, schema.GroupVersionResource, int) error,
) {
	b.Helper()
	group := &errgroup.Group{}
	group.SetLimit(writers)
	for i := from; i < to; i++ {
		for resource, client := range clients {
			group.Go(func() error { return create(client, resource, i) })
		}
	}
	if err := group.Wait(); err != nil {
		b.Fatalf("fill: %v", err)
	}
}

// stopController stops our controller until the benchmark has ended.
func (c *measured) stopController(b *testing.B) {
	b.Helper()
	ctx, deployments := context.WithoutCancel(b.Context()), c.kube.AppsV1().Deployments(cluster.Namespace)
	before, err := deployments.GetScale(ctx, cluster.Controller, metav1.GetOptions{})
	if err != nil {
		b.Fatalf("stop the controller: %v", err)
	}
	scale := func(replicas int32) {
		patch := fmt.Appendf(nil, `{"spec":{"replicas":%d}}`, replicas)
		if _, err := deployments.Patch(ctx, cluster.Controller, types.MergePatchType, patch, metav1.PatchOptions{}, "scale"); err != nil {
			b.Fatalf("scale the controller: %v", err)
		}
	}
	scale(0)
	b.Cleanup(func() { scale(before.Spec.Replicas) })
	c.poll(b, "the controller's pods to be gone", func() (bool, error) {
		pods, err := c.kube.CoreV1().Pods(cluster.Namespace).List(ctx, metav1.ListOptions{LabelSelector: "app.kubernetes.io/name=" + cluster.Controller})
		return err == nil && len(pods.Items) == 0, err
	})
}

func imageName(i int) string { return fmt.Sprintf("bench-%d", i) }

// newImage is never built: what is measured is the API.
func newImage(resource schema.GroupVersionResource, i int) *unstructured.Unstructured {
	return &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": resource.GroupVersion().String(),
		"kind":       "Image",
		"metadata":   map[string]any{"name": imageName(i), "labels": map[string]any{"team": "platform"}},
		"spec": map[string]any{
			"suspend":    true,
			"builder":    map[string]any{"name": "mock"},
			"base":       map[string]any{"reference": "debian:bookworm"},
			"parameters": []any{map[string]any{"name": "duration", "value": "3s"}, map[string]any{"name": "steps", "value": "6"}},
			"targets":    []any{map[string]any{"platform": "linux/amd64", "format": "raw"}, map[string]any{"platform": "linux/arm64", "format": "qcow2"}},
		},
	}}
}

// defineCRD serves the type Image under another group, from its published schema.
func (c *measured) defineCRD(b *testing.B) {
	b.Helper()
	definition := &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "apiextensions.k8s.io/v1",
		"kind":       "CustomResourceDefinition",
		"metadata":   map[string]any{"name": customs.Resource + "." + customs.Group},
		"spec": map[string]any{
			"group": customs.Group,
			"scope": "Namespaced",
			"names": map[string]any{"plural": customs.Resource, "singular": "image", "kind": "Image", "listKind": "ImageList"},
			"versions": []any{map[string]any{
				"name": customs.Version, "served": true, "storage": true,
				"subresources": map[string]any{"status": map[string]any{}},
				"schema":       map[string]any{"openAPIV3Schema": c.imageSchema(b)},
			}},
		},
	}}
	ctx := b.Context()
	if _, err := c.dynamic.Resource(crds).Create(ctx, definition, metav1.CreateOptions{}); err != nil {
		b.Fatalf("define the CRD: %v", err)
	}
	b.Cleanup(func() {
		if err := c.dynamic.Resource(crds).Delete(context.Background(), definition.GetName(), metav1.DeleteOptions{}); err != nil {
			b.Errorf("delete the CRD: %v", err)
		}
	})
	c.poll(b, "the CRD to be served", func() (bool, error) {
		_, err := c.dynamic.Resource(customs).Namespace(c.namespace).List(ctx, metav1.ListOptions{})
		if apierrors.IsNotFound(err) || meta.IsNoMatchError(err) {
			return false, nil
		}
		return err == nil, err
	})
}

// imageSchema is the schema of Image as the server publishes it, with its references resolved, as a CRD wants it.
func (c *measured) imageSchema(b *testing.B) map[string]any {
	b.Helper()
	group, err := c.kube.Discovery().OpenAPIV3().Paths()
	if err != nil {
		b.Fatalf("read the schemas: %v", err)
	}
	body, err := group["apis/"+v1alpha1.SchemeGroupVersion.String()].Schema("application/json")
	if err != nil {
		b.Fatalf("read the schema of Image: %v", err)
	}
	var document struct {
		Components struct {
			Schemas map[string]map[string]any `json:"schemas"`
		} `json:"components"`
	}
	if err := json.Unmarshal(body, &document); err != nil {
		b.Fatalf("read the schema of Image: %v", err)
	}
	for name, found := range document.Components.Schemas {
		if strings.HasSuffix(name, ".v1alpha1.Image") {
			structural := resolve(found, document.Components.Schemas).(map[string]any)
			properties := structural["properties"].(map[string]any)
			properties["metadata"] = map[string]any{"type": "object"}
			return structural
		}
	}
	b.Fatal("the server publishes no schema of Image")
	return nil
}

// resolve replaces references by the referenced schemas, and leaves out fields that structural schemas do not have.
func resolve(value any, schemas map[string]map[string]any) any {
	switch value := value.(type) {
	case []any:
		resolved := make([]any, len(value))
		for i := range value {
			resolved[i] = resolve(value[i], schemas)
		}
		return resolved
	case map[string]any:
		if one, ok := value["allOf"].([]any); ok && len(one) == 1 {
			return resolve(one[0], schemas)
		}
		if reference, ok := value["$ref"].(string); ok {
			return resolve(schemas[strings.TrimPrefix(reference, "#/components/schemas/")], schemas)
		}
		if value["oneOf"] != nil { // quantities and ports
			return map[string]any{"x-kubernetes-int-or-string": true}
		}
		resolved := map[string]any{}
		for key, field := range value {
			switch key {
			case "default", "x-kubernetes-group-version-kind", "x-kubernetes-patch-merge-key", "x-kubernetes-patch-strategy", "x-kubernetes-selectable-fields":
			default:
				resolved[key] = resolve(field, schemas)
			}
		}
		return resolved
	}
	return value
}
