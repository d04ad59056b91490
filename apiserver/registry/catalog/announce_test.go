// SPDX-License-Identifier: Apache-2.0

package catalog

import (
	"context"
	"slices"
	"strings"
	"testing"

	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	metadatafake "k8s.io/client-go/metadata/fake"
	restclient "k8s.io/client-go/rest"
	clienttesting "k8s.io/client-go/testing"

	"goldsmith.dev/goldsmith/apiserver/dynamic"
	"goldsmith.dev/goldsmith/e2e/deadline"
	"goldsmith.dev/goldsmith/e2e/require"
)

// v1alpha1.catalog.goldsmith.dev is not registered here.
func TestChangesOfKindsAreAnnounced(t *testing.T) {
	scheme := metadatafake.NewTestScheme()
	require.NoError(t, metav1.AddMetaToScheme(scheme))
	client := metadatafake.NewSimpleMetadataClient(scheme, registered("v1.catalog.goldsmith.dev"), registered("v1beta1.catalog.goldsmith.dev"))
	patches, failed := make(chan string, 100), false
	client.PrependReactor("patch", "apiservices", func(action clienttesting.Action) (bool, runtime.Object, error) {
		patch, ok := action.(clienttesting.PatchAction)
		if !ok {
			t.Errorf("%v is no patch", action)
			return false, nil, nil
		}
		patches <- patch.GetName() + " " + string(patch.GetPatch())
		if !failed {
			failed = true
			return true, nil, apierrors.NewInternalError(context.DeadlineExceeded)
		}
		return false, nil, nil
	})
	announcer, err := newAnnouncer(&restclient.Config{})
	require.NoError(t, err)
	announcer.client = client
	announcer.announce("former")
	announcer.announce("newest")
	announcer.announce("newest")
	ctx, stop := context.WithTimeout(t.Context(), deadline.InProcess.Deadline())
	defer stop()
	next := func() string {
		t.Helper()
		select {
		case patch := <-patches:
			return patch
		case <-ctx.Done():
			t.Fatal("there is no patch")
			return ""
		}
	}
	ended := make(chan struct{})
	go func() {
		announcer.run(ctx)
		close(ended)
	}()
	want := []string{
		"v1.catalog.goldsmith.dev", // fails, and is repeated
		"v1.catalog.goldsmith.dev", "v1beta1.catalog.goldsmith.dev", "v1alpha1.catalog.goldsmith.dev",
	}
	var found []string
	for range want {
		name, patch, _ := strings.Cut(next(), " ")
		found = append(found, name)
		if expected := `{"metadata":{"annotations":{"catalog.goldsmith.dev/served-kinds":"newest.` + string(announcer.replica) + `"}}}`; patch != expected {
			t.Errorf("the patch is %s, want %s", patch, expected)
		}
	}
	if !slices.Equal(found, want) {
		t.Errorf("the patches are of %v, want %v", found, want)
	}
	announcer.announce("next")
	if patch := next(); !strings.Contains(patch, "next.") {
		t.Errorf("an APIService that is not registered is tried again: %s", patch)
	}
	stop()
	<-ended
}

func registered(name string) *metav1.PartialObjectMetadata {
	object := &metav1.PartialObjectMetadata{ObjectMeta: metav1.ObjectMeta{Name: name}}
	object.SetGroupVersionKind(apiServices.GroupVersion().WithKind("APIService"))
	return object
}

func TestTheRevisionChangesWithAnyKind(t *testing.T) {
	one, other := dynamicKind("hosts", "1"), dynamicKind("servers", "1")
	revision := revisionOf([]dynamic.Kind{one, other})
	if revisionOf([]dynamic.Kind{other, one}) != revision {
		t.Error("the order of the kinds is part of the revision")
	}
	for name, kinds := range map[string][]dynamic.Kind{
		"none": nil, "a deleted kind": {one}, "a changed kind": {one, dynamicKind("servers", "2")}, "a renamed kind": {one, dynamicKind("machines", "1")},
	} {
		if revisionOf(kinds) == revision {
			t.Errorf("%s has the same revision", name)
		}
	}
}

func dynamicKind(name, revision string) dynamic.Kind {
	return dynamic.Kind{Definition: &apiextensionsv1.CustomResourceDefinition{ObjectMeta: metav1.ObjectMeta{Name: name}}, Revision: revision}
}
