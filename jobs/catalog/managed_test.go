// SPDX-License-Identifier: Apache-2.0

package catalog

import (
	"slices"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/structured-merge-diff/v6/fieldpath"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/e2e/require"
	"goldsmith.dev/goldsmith/jobs/catalog/ownership"
)

const (
	imageVersion = "images.goldsmith.dev/v1alpha1"
	viewVersion  = "catalog.goldsmith.dev/v1"
)

// entry returns an entry of managed fields: an owner such as "Apply kubectl" of a version, with the paths in JSON.
func entry(operation metav1.ManagedFieldsOperationType, manager, version, fields string, seconds int64) metav1.ManagedFieldsEntry {
	at := metav1.NewTime(time.Unix(seconds, 0).UTC())
	return metav1.ManagedFieldsEntry{
		Manager: manager, Operation: operation, APIVersion: version, FieldsType: "FieldsV1", FieldsV1: metav1.NewFieldsV1(fields), Time: &at,
	}
}

// expectOwners compares managed fields without their order.
func expectOwners(t *testing.T, got []metav1.ManagedFieldsEntry, want ...metav1.ManagedFieldsEntry) {
	t.Helper()
	if len(got) != len(want) {
		t.Errorf("%d entries, want %d:\n%s", len(got), len(want), jsonOf(t, got))
		return
	}
	for _, want := range want {
		found := false
		for i := range got {
			if got[i].Manager != want.Manager || got[i].Operation != want.Operation || got[i].Subresource != want.Subresource {
				continue
			}
			found = true
			if got[i].APIVersion != want.APIVersion || !got[i].Time.Equal(want.Time) || !owned(t, &got[i]).Equals(owned(t, &want)) {
				t.Errorf("an entry is\n%s\nwant\n%s", jsonOf(t, got[i]), jsonOf(t, want))
			}
		}
		if !found {
			t.Errorf("no entry of %s %s:\n%s", want.Operation, want.Manager, jsonOf(t, got))
		}
	}
}

func owned(t *testing.T, entry *metav1.ManagedFieldsEntry) *fieldpath.Set {
	t.Helper()
	set := fieldpath.NewSet()
	require.NoError(t, set.FromJSON(entry.FieldsV1.GetRawReader()))
	return set
}

// setOwned sets the paths of an entry.
func setOwned(t testing.TB, entry *metav1.ManagedFieldsEntry, version string, set *fieldpath.Set) {
	t.Helper()
	entry.APIVersion, entry.FieldsType, entry.FieldsV1 = version, "FieldsV1", metav1.NewFieldsV1(string(require.Value(set.ToJSON())(t)))
}

// An owner is the manager of fields, and how it set them.
type owner struct {
	manager   string
	operation metav1.ManagedFieldsOperationType
}

func ownerOf(entry *metav1.ManagedFieldsEntry) owner { return owner{entry.Manager, entry.Operation} }

// find returns the entry of an owner, or nil.
func find(entries []metav1.ManagedFieldsEntry, owner owner) *metav1.ManagedFieldsEntry {
	for i := range entries {
		if ownerOf(&entries[i]) == owner {
			return &entries[i]
		}
	}
	return nil
}

// stored is an Image of a Debian server that was created through its kind and changed directly.
func storedServer(t *testing.T, kind *Kind, owners ...metav1.ManagedFieldsEntry) *v1alpha1.Image {
	t.Helper()
	image := require.Value(kind.Put(t.Context(), object(t, `
apiVersion: catalog.goldsmith.dev/v1
kind: DebianServer
metadata: {name: web, namespace: red}
spec: {release: trixie, size: small, owner: ada, rebuild: {at: "@daily", within: 90m}}
`), nil, nil))(t)
	image.UID, image.ManagedFields = "71c1bcbd-32a2-4ea8-9d4b-2b9c8de2f9f2", owners
	v1alpha1.SetObjectDefaults_Image(image)
	return image
}

func viewOf(t testing.TB, kind *Kind, image *v1alpha1.Image) *unstructured.Unstructured {
	t.Helper()
	return normal(t, require.Value(require.Value(kind.Get(image))(t).Unstructured())(t))
}

func TestOwnersOfAnImageAreOwnersOfItsView(t *testing.T) {
	kind := compile(t, debianServers)
	status := entry("Update", "controller", imageVersion, `{"f:metadata":{"f:labels":{"f:app":{}}},"f:spec":{"f:base":{"f:reference":{}}},"f:status":{"f:activeBuilds":{}}}`, 7)
	status.Subresource = "status"
	image := storedServer(t, kind,
		entry("Apply", "argocd", imageVersion, `{"f:metadata":{"f:labels":{"f:app":{},"f:app.kubernetes.io/instance":{},"f:app.kubernetes.io.view.catalog.goldsmith.dev/instance":{}}},
			"f:spec":{"f:base":{"f:reference":{}},"f:parameters":{"k:{\"name\":\"disk\"}":{".":{},"f:name":{},"f:value":{}}},"f:runPolicy":{}}}`, 1),
		entry("Update", "kubectl-edit", imageVersion, `{"f:metadata":{"f:annotations":{".":{},"f:argocd.argoproj.io/tracking-id":{}},"f:finalizers":{".":{},"v:\"example.com/keep\"":{},"v:\"orphan\"":{}}},
			"f:spec":{"f:triggers":{"f:schedule":{".":{},"f:cron":{}}}}}`, 2),
		entry("Update", ownership.Manager, imageVersion, `{"f:metadata":{"f:labels":{"f:catalog.goldsmith.dev/kind":{}}},"f:spec":{"f:builder":{"f:name":{}}}}`, 3),
		entry("Update", "old", "images.goldsmith.dev/v1", `{"f:spec":{"f:base":{"f:reference":{}}}}`, 4),
		entry("Update", "broken", imageVersion, `{"k:{":{}}`, 5),
		status,
	)
	image.Finalizers = []string{"example.com/keep", "orphan"}
	view := require.Value(kind.Get(image))(t)
	expectOwners(t, view.ManagedFields,
		entry("Apply", "argocd", viewVersion, `{"f:metadata":{"f:labels":{"f:app":{},"f:app.kubernetes.io/instance":{}}},"f:spec":{"f:release":{},"f:size":{}}}`, 1),
		entry("Update", "kubectl-edit", viewVersion, `{"f:metadata":{"f:finalizers":{".":{},"v:\"example.com/keep\"":{}}},"f:spec":{"f:rebuild":{"f:at":{}}}}`, 2),
	)
	unchanged := viewOf(t, kind, image)
	made := require.Value(kind.Put(t.Context(), unchanged, unchanged, image))(t)
	if got, want := jsonOf(t, made), jsonOf(t, image); got != want {
		t.Errorf("an unchanged view changes the Image to\n%s\nfrom\n%s", got, want)
	}
}

func TestEntriesAreInTheOrderOfTheLibrary(t *testing.T) {
	kind := compile(t, debianServers)
	image := storedServer(t, kind, entry("Apply", "kubectl", imageVersion, `{"f:spec":{"f:base":{"f:reference":{}}}}`, 2),
		entry("Update", "editor", imageVersion, `{"f:spec":{"f:suspend":{}}}`, 1))
	before := viewOf(t, kind, image)
	view := before.DeepCopy()
	require.NoError(t, unstructured.SetNestedField(view.Object, "large", "spec", "size"))
	view.SetManagedFields(append(before.GetManagedFields(), entry("Apply", "argocd", viewVersion, `{"f:spec":{"f:size":{}}}`, 2)))
	made := require.Value(kind.Put(t.Context(), view, before, image))(t)
	var order []string
	for i := range made.ManagedFields {
		order = append(order, made.ManagedFields[i].Manager)
	}
	if want := []string{"argocd", "kubectl", "editor"}; !slices.Equal(order, want) {
		t.Errorf("the order is %v, want %v", order, want)
	}
}

func TestADefaultThatAUserSetsIsStoredWithItsOwner(t *testing.T) {
	kind := compile(t, kindWith("", `a: {type: string, minLength: 1}, b: {type: string, default: x}`, `{field: spec.a, to: "spec.parameters[a]"}, {field: spec.b, to: "spec.parameters[b]"}`))
	image := require.Value(kind.Put(t.Context(), object(t, "metadata: {name: a}\nspec: {a: x}"), nil, nil))(t)
	image.Spec.Parameters = image.Spec.Parameters[:1] // as if the kind had no b
	before := viewOf(t, kind, image)
	view := before.DeepCopy()
	require.NoError(t, unstructured.SetNestedField(view.Object, "x", "spec", "b"))
	view.SetManagedFields([]metav1.ManagedFieldsEntry{entry("Update", "editor", viewVersion, `{"f:spec":{"f:b":{}}}`, 2)})
	made := require.Value(kind.Put(t.Context(), view, before, image))(t)
	if got := made.Spec.Parameters; len(got) != 2 || got[1] != (v1alpha1.Parameter{Name: "b", Value: "x"}) {
		t.Errorf("the default is stored as %v", got)
	}
	expectOwners(t, made.ManagedFields[1:], entry("Update", "editor", imageVersion, `{"f:spec":{"f:parameters":{"k:{\"name\":\"b\"}":{".":{},"f:name":{},"f:value":{}}}}}`, 2))
}

func TestOwnersOfANewObject(t *testing.T) {
	kind := compile(t, debianServers)
	view := object(t, `
apiVersion: catalog.goldsmith.dev/v1
kind: DebianServer
metadata:
  name: web
  labels: {app.kubernetes.io/instance: shop}
spec: {size: small, rebuild: {at: "@daily"}}
`)
	view.SetManagedFields([]metav1.ManagedFieldsEntry{
		entry("Apply", "argocd", viewVersion, `{"f:metadata":{"f:labels":{"f:app.kubernetes.io/instance":{}}},"f:spec":{"f:size":{},"f:rebuild":{"f:at":{}}}}`, 1),
	})
	made := require.Value(kind.Put(t.Context(), view, nil, nil))(t)
	expectOwners(t, made.ManagedFields,
		entry("Apply", "argocd", imageVersion, `{"f:metadata":{"f:labels":{"f:app.kubernetes.io.view.catalog.goldsmith.dev/instance":{}}},
			"f:spec":{"f:parameters":{"k:{\"name\":\"disk\"}":{".":{},"f:name":{},"f:value":{}}},"f:triggers":{"f:schedule":{"f:cron":{}}}}}`, 1),
		entry("Update", ownership.Manager, imageVersion, `{"f:metadata":{"f:labels":{"f:catalog.goldsmith.dev/kind":{},"f:catalog.goldsmith.dev/revision":{}}},
			"f:spec":{"f:builder":{"f:name":{}},"f:targets":{"k:{\"format\":\"qcow2\",\"platform\":\"linux/amd64\"}":{".":{},"f:format":{},"f:platform":{}}},
			"f:parameters":{"k:{\"name\":\"flavour\"}":{".":{},"f:name":{},"f:value":{}}},"f:template":{"f:serviceAccountName":{}}}}`, 1),
	)
	expectOwners(t, require.Value(kind.Get(made))(t).ManagedFields, view.GetManagedFields()...)
	if own := find(made.ManagedFields, owner{ownership.Manager, "Update"}); !strings.Contains(own.FieldsV1.GetRawString(), `"f:metadata":{"f:labels":{"f:catalog.goldsmith.dev/kind":{},"f:catalog.goldsmith.dev/revision":{}}},`) {
		t.Errorf("the kind owns %s", jsonOf(t, own))
	}
}

func TestOwnersOfAChangedView(t *testing.T) {
	kind := compile(t, debianServers)
	image := storedServer(t, kind,
		entry("Apply", "argocd", imageVersion, `{"f:spec":{"f:base":{"f:reference":{}},"f:runPolicy":{},
			"f:parameters":{"k:{\"name\":\"disk\"}":{".":{},"f:name":{},"f:value":{}},"k:{\"name\":\"owner\"}":{".":{},"f:name":{},"f:value":{}}}}}`, 1),
		entry("Update", "kubectl-edit", imageVersion, `{"f:spec":{"f:triggers":{"f:schedule":{".":{},"f:cron":{},"f:startingDeadline":{}}}}}`, 2),
		entry("Update", "scheduler", imageVersion, `{"f:spec":{"f:triggers":{"f:schedule":{"f:cron":{},"f:timeZone":{}}}}}`, 3),
	)
	before := viewOf(t, kind, image)

	// A second manager applies the size with force and a list that is not there, and removes the schedule, of which
	// only defaults are left. The first manager gives up the owner, whose value stays.
	view := before.DeepCopy()
	unstructured.RemoveNestedField(view.Object, "spec", "rebuild")
	require.NoError(t, unstructured.SetNestedField(view.Object, "large", "spec", "size"))
	require.NoError(t, unstructured.SetNestedField(view.Object, false, "spec", "paused"))
	view.SetManagedFields([]metav1.ManagedFieldsEntry{
		entry("Apply", "argocd", viewVersion, `{"f:spec":{"f:release":{}}}`, 5),
		entry("Apply", "kubectl", viewVersion, `{"f:spec":{".":{},"f:size":{},"f:packages":{}}}`, 6),
	})
	made := require.Value(kind.Put(t.Context(), view, before, image))(t)
	expectOwners(t, made.ManagedFields,
		entry("Apply", "argocd", imageVersion, `{"f:spec":{"f:base":{"f:reference":{}},"f:runPolicy":{}}}`, 5),
		entry("Apply", "kubectl", imageVersion, `{"f:spec":{"f:parameters":{"k:{\"name\":\"disk\"}":{".":{},"f:name":{},"f:value":{}}}}}`, 6),
	)
}
