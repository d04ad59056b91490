// SPDX-License-Identifier: Apache-2.0

package image_test

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apiserver/pkg/authentication/user"
	"k8s.io/apiserver/pkg/storage/storagebackend"
	restclient "k8s.io/client-go/rest"

	"goldsmith.dev/goldsmith/apis/generated/clientset/versioned"
	"goldsmith.dev/goldsmith/apis/generated/openapi"
	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/apiserver"
	"goldsmith.dev/goldsmith/apiserver/builder"
	"goldsmith.dev/goldsmith/apiserver/registry/image"
	"goldsmith.dev/goldsmith/apiserver/registry/install"
	"goldsmith.dev/goldsmith/apiserver/resources"
	"goldsmith.dev/goldsmith/e2e/require"
)

const namespace = "default"

// shared is a memory that several servers use.
type shared struct {
	builder.StorageBackend
	once   sync.Once
	config storagebackend.Config
}

// Start starts the memory once. It lasts as long as the tests.
func (s *shared) Start(ctx context.Context, config *storagebackend.Config) (func() error, error) {
	var err error
	s.once.Do(func() {
		s.config = *config
		_, err = s.StorageBackend.Start(ctx, &s.config)
	})
	config.Transport, config.CompactionInterval = s.config.Transport, s.config.CompactionInterval
	return func() error { return nil }, err
}

func start(t *testing.T, storage builder.StorageBackend, server *builder.Server) versioned.Interface {
	t.Helper()
	const token = "a-token-of-the-tests"
	options, err := server.WithStorage(storage).
		WithBearerToken(token, &user.DefaultInfo{Name: "ada", Groups: []string{user.SystemPrivilegedGroup}}).
		ToServerOptions()
	require.NoError(t, err)
	ctx, stop := context.WithCancel(context.WithoutCancel(t.Context()))
	running, err := options.Start(ctx)
	require.NoError(t, err)
	t.Cleanup(func() {
		stop()
		if err := running.Wait(); err != nil {
			t.Error(err)
		}
	})
	require.NoError(t, running.WaitReady(ctx))
	config := restclient.CopyConfig(running.ClientConfig())
	config.BearerToken, config.QPS = token, -1
	client, err := versioned.NewForConfig(config)
	require.NoError(t, err)
	return client
}

// servers are the server, and one of the same storage that validates nothing: an earlier version with fewer rules.
func servers(t *testing.T) (server, earlier versioned.Interface) {
	t.Helper()
	memory := &shared{StorageBackend: builder.Memory()}
	earlier = start(t, memory, builder.New("earlier").WithScheme(install.Install).
		WithOpenAPI("Earlier", "v1alpha1", openapi.GetOpenAPIDefinitions).
		WithResource(v1alpha1.SchemeGroupVersion, "images", func(scope *resources.Scope) (resources.Storages, error) {
			store, err := resources.NewStore(scope, resources.Resource{
				New:      func() runtime.Object { return &v1alpha1.Image{} },
				NewList:  func() runtime.Object { return &v1alpha1.ImageList{} },
				Resource: v1alpha1.Resource("images"), Singular: "image",
				Strategy: resources.NewDefaultStrategy(scope.Scheme, v1alpha1.SchemeGroupVersion),
			})
			if err != nil {
				return nil, err
			}
			status := resources.NewDefaultStatusStrategy(scope.Scheme, v1alpha1.SchemeGroupVersion)
			return resources.Storages{"": store, "status": store.Status(status)}, nil
		}))
	server = start(t, memory, apiserver.Register(builder.New("server"), apiserver.Options{}))
	return server, earlier
}

func public(t *testing.T, image *v1alpha1.Image, name string) *v1alpha1.Image {
	t.Helper()
	object := image.DeepCopy()
	object.Name, object.Namespace, object.Finalizers = name, namespace, []string{"example.com/hold"}
	return object
}

// TestWhatAnUpdateDoesNotChangeIsNotJudged stores the invalid objects of the other tests, as an earlier version of the server
// could, and then changes other fields.
func TestWhatAnUpdateDoesNotChangeIsNotJudged(t *testing.T) {
	server, earlier := servers(t)
	t.Run("spec of an Image", func(t *testing.T) { changeInvalidImages(t, server, earlier) })
	t.Run("text of a duration", func(t *testing.T) { rewriteInvalidDuration(t, server, earlier) })
	t.Run("status of an Image", func(t *testing.T) { changeInvalidImageStatuses(t, server, earlier) })
}

func changeInvalidImages(t *testing.T, server, earlier versioned.Interface) {
	objects, unjudged := server.ImagesV1alpha1().Images(namespace), earlier.ImagesV1alpha1().Images(namespace)
	ctx, dryRun := t.Context(), metav1.UpdateOptions{DryRun: []string{metav1.DryRunAll}}
	byPath := map[string][]*v1alpha1.Image{}
	examples := image.InvalidImages()
	for i, what := range slices.Sorted(maps.Keys(examples)) {
		t.Run(what, func(t *testing.T) {
			name := fmt.Sprintf("image-%d", i)
			image := public(t, examples[what].Object, name)
			if image.Spec.Base.ImageRef != nil && image.Spec.Base.ImageRef.Name == examples[what].Object.Name {
				image.Spec.Base.ImageRef.Name = name
			}
			switch _, err := objects.Create(ctx, image, metav1.CreateOptions{}); {
			case err == nil:
				return // the defaults of the API make it valid
			case !apierrors.IsInvalid(err):
				t.Fatalf("create: %v", err)
			}
			if _, err := unjudged.Create(ctx, image, metav1.CreateOptions{}); err != nil {
				t.Fatal(err)
			}
			patch := func(what, patch string) {
				if _, err := objects.Patch(ctx, name, types.MergePatchType, []byte(patch), metav1.PatchOptions{}); err != nil {
					t.Errorf("%s: %v", what, err)
				}
			}
			patch("label", `{"metadata":{"labels":{"a":"b"}}}`)
			patch("suspend", `{"spec":{"suspend":true}}`)
			patch("change another field", `{"spec":{"triggers":{"onSpecChange":false}}}`)
			stored, err := objects.Get(ctx, name, metav1.GetOptions{})
			require.NoError(t, err)
			stored.Status.ObservedGeneration = 1
			if stored, err = objects.UpdateStatus(ctx, stored, metav1.UpdateOptions{}); err != nil {
				t.Fatalf("status: %v", err)
			}
			path := examples[what].Paths[0]
			for _, other := range byPath[path] {
				next := stored.DeepCopy()
				next.Spec = other.Spec
				if _, err := objects.Update(ctx, next, dryRun); !apierrors.IsInvalid(err) || !strings.Contains(err.Error(), path) {
					t.Errorf("change %s to another invalid value: %v", path, err)
				}
			}
			byPath[path] = append(byPath[path], image)
			if err := objects.Delete(ctx, name, metav1.DeleteOptions{}); err != nil {
				t.Errorf("delete: %v", err)
			}
			patch("remove the finalizer", `{"metadata":{"finalizers":null}}`)
			if _, err := objects.Get(ctx, name, metav1.GetOptions{}); !apierrors.IsNotFound(err) {
				t.Errorf("it is still there: %v", err)
			}
		})
	}
	compared := 0
	for _, alike := range byPath {
		compared += len(alike) - 1
	}
	if len(byPath) < 60 || compared < 30 {
		t.Errorf("%d paths and %d pairs of examples: most are missing", len(byPath), compared)
	}
}

// rewriteInvalidDuration changes the text of an invalid duration, and then its length.
func rewriteInvalidDuration(t *testing.T, server, earlier versioned.Interface) {
	objects, ctx := server.ImagesV1alpha1().Images(namespace), t.Context()
	image := public(t, image.InvalidImages()["too many retries"].Object, "rewritten")
	image.Spec.Timeouts.Run = &v1alpha1.Duration{Duration: 200 * time.Hour}
	if _, err := earlier.ImagesV1alpha1().Images(namespace).Create(ctx, image, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	for text, allowed := range map[string]bool{"12000m": true, "201h": false} {
		patch := fmt.Sprintf(`{"spec":{"timeouts":{"run":%q}}}`, text)
		if _, err := objects.Patch(ctx, image.Name, types.MergePatchType, []byte(patch), metav1.PatchOptions{}); (err == nil) != allowed {
			t.Errorf("write %s: %v", text, err)
		}
	}
}

func changeInvalidImageStatuses(t *testing.T, server, earlier versioned.Interface) {
	objects, unjudged := server.ImagesV1alpha1().Images(namespace), earlier.ImagesV1alpha1().Images(namespace)
	ctx := t.Context()
	examples := image.InvalidImageStatuses()
	for i, what := range slices.Sorted(maps.Keys(examples)) {
		t.Run(what, func(t *testing.T) {
			name := fmt.Sprintf("status-%d", i)
			image, err := unjudged.Create(ctx, public(t, examples[what].Object, name), metav1.CreateOptions{})
			require.NoError(t, err)
			image.Status = public(t, examples[what].Object, name).Status
			if _, err = unjudged.UpdateStatus(ctx, image, metav1.UpdateOptions{}); err != nil {
				t.Fatal(err)
			}
			if _, err = objects.Patch(ctx, name, types.MergePatchType, []byte(`{"status":{"countedBuild":7}}`), metav1.PatchOptions{}, "status"); err != nil {
				t.Errorf("change another field of the status: %v", err)
			}
			end(t, func(patch string) error {
				_, err := objects.Patch(ctx, name, types.MergePatchType, []byte(patch), metav1.PatchOptions{})
				return err
			}, func() error { return objects.Delete(ctx, name, metav1.DeleteOptions{}) })
		})
	}
}

// end labels an object, deletes it, and removes its finalizer.
func end(t *testing.T, patch func(string) error, remove func() error) {
	t.Helper()
	if err := patch(`{"metadata":{"labels":{"a":"b"}}}`); err != nil {
		t.Errorf("label: %v", err)
	}
	if err := remove(); err != nil {
		t.Errorf("delete: %v", err)
	}
	if err := patch(`{"metadata":{"finalizers":null}}`); err != nil {
		t.Errorf("remove the finalizer: %v", err)
	}
	if err := remove(); !apierrors.IsNotFound(err) {
		t.Errorf("it is still there: %v", err)
	}
}
