// SPDX-License-Identifier: Apache-2.0

// Package waiting_test lets programs that apply objects and then wait for them do so with Images. Each program returns when the build
// of the present inputs has succeeded, and never before; when this build has failed, the program returns an error at once.
package waiting_test

import (
	"context"
	"testing"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/kubernetes"

	"goldsmith.dev/goldsmith/apis/generated/clientset/versioned"
	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/e2e/clients/server"
	"goldsmith.dev/goldsmith/e2e/require"
)

func TestProgramsWaitForTheBuildOfThePresentInputs(t *testing.T) {
	s := server.Start(t)
	for name, test := range map[string]func(*testing.T, workspace){
		"the applier of cli-utils":               applyWithCLIUtils,
		"the applier of cli-utils, dependencies": applyDependenciesWithCLIUtils,
		"Flux":                                   applyWithFlux,
		"Helm":                                   installWithHelm,
		"Helm, a failed first build":             failToInstallWithHelm,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, open(t, s))
		})
	}
}

// workspace is the namespace of a test, with clients.
type workspace struct {
	server.Server
	namespace string
	kube      kubernetes.Interface
	goldsmith versioned.Interface
}

func open(t *testing.T, s server.Server) workspace {
	t.Helper()
	w := workspace{Server: s, kube: kubernetes.NewForConfigOrDie(s.Config), goldsmith: versioned.NewForConfigOrDie(s.Config)}
	namespace, err := w.kube.CoreV1().Namespaces().Create(t.Context(), &corev1.Namespace{
		ObjectMeta: metav1.ObjectMeta{GenerateName: "waiting-"},
	}, metav1.CreateOptions{})
	require.NoError(t, err)
	w.namespace = namespace.Name
	t.Cleanup(func() {
		if err := w.kube.CoreV1().Namespaces().Delete(context.WithoutCancel(t.Context()), w.namespace, metav1.DeleteOptions{}); err != nil {
			t.Error(err)
		}
	})
	return w
}

// The revisions of an Image, which are inputs of its builds.
const (
	first  = "first"
	second = "second"
	third  = "third"
	// broken is a revision whose build fails.
	broken = "broken"
)

// image returns an Image, each of whose builds lasts so long that a program which does not wait ends earlier.
func (w workspace) image(name, revision string) *unstructured.Unstructured {
	parameters := []any{
		map[string]any{"name": "duration", "value": "2s"},
		map[string]any{"name": "revision", "value": revision},
	}
	if revision == broken {
		parameters = append(parameters, map[string]any{"name": "failAt", "value": "5"}) // its last step
	}
	return &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": v1alpha1.SchemeGroupVersion.String(), "kind": "Image",
		"metadata": map[string]any{"name": name, "namespace": w.namespace},
		"spec": map[string]any{
			"builder":    map[string]any{"name": "mock"},
			"base":       map[string]any{"reference": "debian:bookworm"},
			"parameters": parameters,
			"targets":    []any{map[string]any{"platform": "linux/amd64", "format": "raw"}},
		},
	}}
}

func (w workspace) configMap(name string) *unstructured.Unstructured {
	return &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "v1", "kind": "ConfigMap", "metadata": map[string]any{"name": name, "namespace": w.namespace},
	}}
}

// checkBuild checks that the newest build of an Image is of this revision and in this phase.
func (w workspace) checkBuild(t *testing.T, name, revision string, phase v1alpha1.BuildPhase) {
	t.Helper()
	builds, err := w.goldsmith.ImagesV1alpha1().ImageBuilds(w.namespace).List(t.Context(), metav1.ListOptions{})
	require.NoError(t, err)
	var newest *v1alpha1.ImageBuild
	for i, build := range builds.Items {
		if build.Spec.ImageRef.Name == name && (newest == nil || *build.Spec.Number > *newest.Spec.Number) {
			newest = &builds.Items[i]
		}
	}
	if newest == nil {
		t.Errorf("%s has no build of revision %s", name, revision)
		return
	}
	got := "none"
	for _, parameter := range newest.Spec.Inputs.Parameters {
		if parameter.Name == "revision" {
			got = parameter.Value
		}
	}
	if got != revision || newest.Status.Phase != phase {
		t.Errorf("the newest build of %s is of revision %s and %s; want revision %s, %s", name, got, newest.Status.Phase, revision, phase)
	}
}

// checkUpToDate checks that an Image names its newest build as that of the present inputs.
func (w workspace) checkUpToDate(t *testing.T, name string) {
	t.Helper()
	image, err := w.goldsmith.ImagesV1alpha1().Images(w.namespace).Get(t.Context(), name, metav1.GetOptions{})
	require.NoError(t, err)
	if image.Status.ObservedGeneration != image.Generation || !meta.IsStatusConditionTrue(image.Status.Conditions, v1alpha1.ImageUpToDate) {
		t.Errorf("the Image %s is not up to date: generation %d, %+v", name, image.Generation, image.Status)
	}
}

// checkDeleted checks that the Image exists no more.
func (w workspace) checkDeleted(t *testing.T, name string) {
	t.Helper()
	_, err := w.goldsmith.ImagesV1alpha1().Images(w.namespace).Get(t.Context(), name, metav1.GetOptions{})
	if !apierrors.IsNotFound(err) {
		t.Errorf("the Image %s is not deleted: %v", name, err)
	}
}
