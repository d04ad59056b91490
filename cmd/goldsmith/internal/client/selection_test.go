// SPDX-License-Identifier: Apache-2.0

package client

import (
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
)

func TestObjectsAreSelectedAsAskedAndByTheVerb(t *testing.T) {
	ofImage := fields.OneTermEqualSelector("spec.imageRef.name", "web")
	for _, test := range []struct {
		asked Selection
		and   fields.Selector
		want  metav1.ListOptions
	}{
		{Selection{}, fields.Everything(), metav1.ListOptions{}},
		{Selection{Labels: "a in (b,c)"}, fields.Everything(), metav1.ListOptions{LabelSelector: "a in (b,c)"}},
		{Selection{Fields: "status.phase=Failed"}, fields.Everything(), metav1.ListOptions{FieldSelector: "status.phase=Failed"}},
		{Selection{}, ofImage, metav1.ListOptions{FieldSelector: "spec.imageRef.name=web"}},
		{Selection{Fields: "status.phase!=Failed"}, ofImage, metav1.ListOptions{FieldSelector: "spec.imageRef.name=web,status.phase!=Failed"}},
	} {
		if got, err := test.asked.Options(test.and); err != nil || got.String() != test.want.String() {
			t.Errorf("%+v: got %+v, error %v", test.asked, got, err)
		}
	}
	if _, err := (&Selection{Fields: "phase"}).Options(fields.Everything()); err == nil {
		t.Error("a field selector without a value: no error")
	}
}

func TestTheNamespaceIsThatOfTheConnectionOrAll(t *testing.T) {
	for all, want := range map[bool]string{false: "team", true: ""} {
		if got := (&Selection{AllNamespaces: all}).Namespace(&Connection{Namespace: "team"}); got != want {
			t.Errorf("all %t: got %q", all, got)
		}
	}
}
