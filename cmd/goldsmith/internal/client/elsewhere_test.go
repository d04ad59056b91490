// SPDX-License-Identifier: Apache-2.0

package client

import (
	"errors"
	"testing"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	clienttesting "k8s.io/client-go/testing"

	"goldsmith.dev/goldsmith/apis/generated/clientset/versioned/fake"
	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
)

func TestAnObjectThatIsMissingIsLookedForInOtherNamespaces(t *testing.T) {
	objects := []runtime.Object{
		&v1alpha1.Image{ObjectMeta: metav1.ObjectMeta{Namespace: "team", Name: "present"}},
		&v1alpha1.ImageBuild{ObjectMeta: metav1.ObjectMeta{Namespace: "team", Name: "nightly"}},
		&v1alpha1.Image{ObjectMeta: metav1.ObjectMeta{Namespace: "other", Name: "web"}},
		&v1alpha1.ImageBuild{ObjectMeta: metav1.ObjectMeta{Namespace: "third", Name: "once"}},
		&v1alpha1.ImageBuild{ObjectMeta: metav1.ObjectMeta{Namespace: "fourth", Name: "both"}},
		&v1alpha1.Image{ObjectMeta: metav1.ObjectMeta{Namespace: "fourth", Name: "both"}},
		&v1alpha1.Image{ObjectMeta: metav1.ObjectMeta{Namespace: "other", Name: "both"}},
	}
	for _, namespace := range []string{"d", "b", "a", "c"} {
		objects = append(objects, &v1alpha1.Image{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "many"}})
	}
	for _, test := range []struct {
		kind       Kind
		name, want string
	}{
		{Image, "web", "no image named web in namespace team: found in namespace other: add -n other"},
		{ImageBuild, "once", "no build named once in namespace team: found in namespace third: add -n third"},
		{Either, "both", "no image or build named both in namespace team: found in namespaces fourth, other: select a namespace with -n"},
		{Image, "many", "no image named many in namespace team: found in namespaces a, b, c and others: select a namespace with -n"},
		{Image, "once", "no image named once in namespace team: it has present: `goldsmith kubectl get images,imagebuilds` lists all"},
		{Image, "rpesent", "no image named rpesent in namespace team: did you mean present?"},
		{Either, "nightlyy", "no image or build named nightlyy in namespace team: did you mean nightly?"},
		{ImageBuild, "nighly", "no build named nighly in namespace team: did you mean nightly?"},
		{ImageBuild, "other", "no build named other in namespace team: it has nightly: `goldsmith kubectl get images,imagebuilds` lists all"},
	} {
		clients := fake.NewClientset(objects...)
		if err := (&Connection{Interface: clients, Namespace: "team"}).NotFound(t.Context(), test.kind, test.name); err.Error() != test.want {
			t.Errorf("got %q, want %q", err, test.want)
		}
		for _, action := range clients.Actions() {
			if listed, ok := action.(clienttesting.ListAction); ok && listed.GetNamespace() == "" && listed.GetListRestrictions().Fields.String() != "metadata.name="+test.name {
				t.Errorf("%s: listed %v", test.name, listed.GetListRestrictions())
			}
		}
	}
}

func TestUsersWhoCannotListOtherNamespacesGetThePlainError(t *testing.T) {
	clients := fake.NewClientset()
	clients.PrependReactor("list", "*", func(action clienttesting.Action) (bool, runtime.Object, error) {
		return true, nil, apierrors.NewForbidden(action.GetResource().GroupResource(), "", errors.New("no"))
	})
	err := (&Connection{Interface: clients, Namespace: "team"}).NotFound(t.Context(), Either, "web")
	if err == nil || err.Error() != "no image or build named web in namespace team" {
		t.Errorf("got %v", err)
	}
}
