// SPDX-License-Identifier: Apache-2.0

package store_test

import (
	"context"
	"errors"
	"fmt"
	"testing"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	apirequest "k8s.io/apiserver/pkg/endpoints/request"
	"k8s.io/apiserver/pkg/registry/generic"
	"k8s.io/apiserver/pkg/registry/rest"
	"k8s.io/apiserver/pkg/storage/storagebackend"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/apiserver/builder"
	"goldsmith.dev/goldsmith/apiserver/codecs"
	"goldsmith.dev/goldsmith/apiserver/registry/install"
	"goldsmith.dev/goldsmith/apiserver/registry/store"
	"goldsmith.dev/goldsmith/apiserver/requesterrors"
	"goldsmith.dev/goldsmith/apiserver/resources"
	"goldsmith.dev/goldsmith/e2e/require"
)

// inMemory are the storage options of a server whose storage is its memory, without a watch cache.
type inMemory struct{ codecs.StorageFactory }

func (m *inMemory) GetRESTOptions(resource schema.GroupResource, example runtime.Object) (generic.RESTOptions, error) {
	config, err := m.NewConfig(resource, example)
	return generic.RESTOptions{StorageConfig: config, Decorator: generic.UndecoratedStorage, ResourcePrefix: "/images"}, err
}

// images returns a store in which the Image web is, and a context of its namespace.
func images(t *testing.T) (context.Context, *resources.Store) {
	t.Helper()
	scheme := runtime.NewScheme()
	require.NoError(t, install.Install(scheme))
	options := &inMemory{codecs.StorageFactory{
		Config: *storagebackend.NewDefaultConfig("/registry", nil), MediaType: runtime.ContentTypeJSON, Scheme: scheme, Codecs: serializer.NewCodecFactory(scheme),
	}}
	stop, err := builder.Memory().Start(t.Context(), &options.Config)
	require.NoError(t, err)
	images, err := resources.NewStore(&resources.Scope{Scheme: scheme, RESTOptions: options, Space: &requesterrors.Space{}}, resources.Resource{
		New:      func() runtime.Object { return &v1alpha1.Image{} },
		NewList:  func() runtime.Object { return &v1alpha1.ImageList{} },
		Resource: v1alpha1.Resource("images"), Singular: "image",
		Strategy: resources.NewDefaultStrategy(scheme, v1alpha1.SchemeGroupVersion),
	})
	require.NoError(t, err)
	t.Cleanup(func() {
		images.Destroy()
		if err := stop(); err != nil {
			t.Error(err)
		}
	})
	ctx := apirequest.WithNamespace(t.Context(), "default")
	web := &v1alpha1.Image{ObjectMeta: metav1.ObjectMeta{Name: "web"}}
	v1alpha1.SetObjectDefaults_Image(web) // as the decoder of a request does
	if _, err := images.Create(ctx, web, rest.ValidateAllObjectFunc, &metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	return ctx, images
}

func label(image *v1alpha1.Image, key string) {
	metav1.SetMetaDataLabel(&image.ObjectMeta, key, "true")
}

func TestAnUpdateIsRepeatedAfterAConflict(t *testing.T) {
	ctx, images := images(t)
	typed := store.Of[*v1alpha1.Image](images.Store)
	calls := 0
	updated, err := typed.Update(ctx, "web", nil, func(ctx context.Context, image *v1alpha1.Image) error {
		if calls++; calls < 3 {
			other := fmt.Sprint("other-", calls)
			if _, err := typed.Update(ctx, "web", nil, func(_ context.Context, image *v1alpha1.Image) error { label(image, other); return nil }); err != nil {
				return err
			}
		}
		label(image, "mine")
		image.Spec.Suspend = new(true)
		return nil
	})
	require.NoError(t, err)
	if calls != 3 || len(updated.Labels) != 3 {
		t.Errorf("after two conflicts the change was called %d times, and the labels are %v", calls, updated.Labels)
	}
	if updated.Generation != 2 {
		t.Errorf("generation is %d: the strategy got the changed object in place of the stored one", updated.Generation)
	}
}

func TestAnUpdateEnds(t *testing.T) {
	refused := errors.New("refused")
	for name, test := range map[string]struct {
		object string
		dryRun []string
		change func(image *v1alpha1.Image, conflict func(), cancel func()) error
		calls  int
		failed func(error) bool
	}{
		"with an error of the change, even after a conflict": {
			object: "web", calls: 1, failed: func(err error) bool { return errors.Is(err, refused) },
			change: func(image *v1alpha1.Image, conflict, _ func()) error {
				label(image, "mine")
				conflict()
				return refused
			},
		},
		"with the context": {
			object: "web", calls: 1, failed: func(err error) bool { return errors.Is(err, context.Canceled) },
			change: func(image *v1alpha1.Image, conflict, cancel func()) error {
				label(image, "mine")
				conflict()
				cancel()
				return nil
			},
		},
		"without an object": {object: "db", failed: apierrors.IsNotFound},
		"without a write if nothing changes": {
			object: "web", calls: 1, change: func(*v1alpha1.Image, func(), func()) error { return nil },
		},
		"without a write in a dry run": {
			object: "web", calls: 1, dryRun: []string{metav1.DryRunAll},
			change: func(image *v1alpha1.Image, _, _ func()) error { label(image, "mine"); return nil },
		},
	} {
		t.Run(name, func(t *testing.T) {
			ctx, images := images(t)
			typed := store.Of[*v1alpha1.Image](images.Store)
			before := get(ctx, t, typed)
			conflict := func() {
				other, err := typed.Update(ctx, "web", nil, func(_ context.Context, image *v1alpha1.Image) error { label(image, "other"); return nil })
				require.NoError(t, err)
				before = other
			}
			calls := 0
			limited, cancel := context.WithCancel(ctx)
			defer cancel()
			_, err := typed.Update(limited, test.object, test.dryRun, func(_ context.Context, image *v1alpha1.Image) error {
				calls++
				return test.change(image, conflict, cancel)
			})
			if test.failed == nil && err != nil || test.failed != nil && !test.failed(err) {
				t.Errorf("the error is %v", err)
			}
			if calls != test.calls {
				t.Errorf("the change was called %d times, want %d", calls, test.calls)
			}
			if after := get(ctx, t, typed); after.ResourceVersion != before.ResourceVersion {
				t.Errorf("the update was written: %v", after.Labels)
			}
		})
	}
}

func TestWhatIsReadIsACopyOfItsType(t *testing.T) {
	ctx, images := images(t)
	cached := getter{&v1alpha1.Image{ObjectMeta: metav1.ObjectMeta{Labels: map[string]string{}}}}
	image, err := store.Get[*v1alpha1.Image](ctx, cached, "web")
	require.NoError(t, err)
	label(image, "mine")
	if len(cached.image.Labels) > 0 {
		t.Error("Get hands out the object of the cache")
	}
	for what, err := range map[string]error{
		"get":    second(store.Get[*v1alpha1.ImageBuild](ctx, images, "web")),
		"list":   second(store.List[*v1alpha1.ImageBuildList](ctx, images, nil)),
		"update": second(store.Of[*v1alpha1.ImageBuild](images.Store).Update(ctx, "web", nil, nil)),
	} {
		if err == nil {
			t.Errorf("%s of another type has no error", what)
		}
	}
}

// TestNoObjectNamesItsKind reads an object in every way. Without its own kind, an object that a handler compares or stores is the same
// whether it was read alone, in a list or after an update.
func TestNoObjectNamesItsKind(t *testing.T) {
	ctx, images := images(t)
	typed := store.Of[*v1alpha1.Image](images.Store)
	updated, err := typed.Update(ctx, "web", nil, func(_ context.Context, image *v1alpha1.Image) error { label(image, "mine"); return nil })
	require.NoError(t, err)
	list, err := store.List[*v1alpha1.ImageList](ctx, images, nil)
	if err != nil || len(list.Items) != 1 {
		t.Fatalf("%d items: %v", len(list.Items), err)
	}
	for read, of := range map[string]metav1.TypeMeta{
		"get": get(ctx, t, typed).TypeMeta, "update": updated.TypeMeta, "list": list.TypeMeta, "item of a list": list.Items[0].TypeMeta,
	} {
		if (of != metav1.TypeMeta{}) {
			t.Errorf("%s: %+v", read, of)
		}
	}
}

type getter struct{ image *v1alpha1.Image }

func (g getter) Get(context.Context, string, *metav1.GetOptions) (runtime.Object, error) {
	return g.image, nil
}

func second[T any](_ T, err error) error { return err }

func get(ctx context.Context, t *testing.T, images store.Store[*v1alpha1.Image]) *v1alpha1.Image {
	t.Helper()
	image, err := images.Get(ctx, "web")
	require.NoError(t, err)
	return image
}
