// SPDX-License-Identifier: Apache-2.0

package brief_test

import (
	"strings"
	"testing"
	"time"

	"github.com/onsi/gomega/format"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/e2e/brief"
)

func init() { brief.Register() }

func TestObjectsAreWrittenInALine(t *testing.T) {
	named := func(name string) metav1.ObjectMeta {
		return metav1.ObjectMeta{Namespace: "team", Name: name, ResourceVersion: "7", Generation: 2, Labels: map[string]string{"a": "b"}}
	}
	deleted := named("web")
	deleted.DeletionTimestamp = &metav1.Time{Time: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)}
	build := &v1alpha1.ImageBuild{ObjectMeta: named("web-1"), Status: v1alpha1.ImageBuildStatus{
		Phase: v1alpha1.BuildFailed, Finished: true,
		Failure: &v1alpha1.BuildFailure{Class: "Build", Reason: "BuilderFailed"},
		Conditions: []metav1.Condition{
			{Type: "Complete", Status: metav1.ConditionTrue},
			{Type: "LogArchived", Status: metav1.ConditionFalse, Reason: "Pending", Message: strings.Repeat("m", 300)},
		},
	}}
	written := "ImageBuild team/web-1 resourceVersion=7 generation=2 Complete=True LogArchived=False(Pending: " +
		strings.Repeat("m", 200) + `…) failure={"class":"Build","reason":"BuilderFailed"} finished=true phase=Failed`
	var none *v1alpha1.ImageBuild
	for _, test := range []struct {
		name  string
		value any
		want  string
	}{
		{"a build", build, written},
		{"a build by value", *build, written},
		{"a list", []corev1.Pod{{ObjectMeta: named("a"), Status: corev1.PodStatus{Phase: corev1.PodRunning}}}, "[\n    " +
			"Pod team/a resourceVersion=7 generation=2 phase=Running,\n]"},
		{"a Job", &batchv1.Job{ObjectMeta: named("j"), Status: batchv1.JobStatus{Active: 1, Conditions: []batchv1.JobCondition{
			{Type: batchv1.JobFailed, Status: corev1.ConditionTrue, Reason: "BackoffLimitExceeded"},
		}}}, "Job team/j resourceVersion=7 generation=2 active=1 Failed=True(BackoffLimitExceeded)"},
		{"an Image that is being deleted", &v1alpha1.Image{ObjectMeta: deleted, Status: v1alpha1.ImageStatus{ActiveBuilds: 1}},
			"Image team/web resourceVersion=7 generation=2 deletionTimestamp=03:04:05 activeBuilds=1"},
		{"an object without a status", unstructured.Unstructured{Object: map[string]any{"kind": "Note"}},
			`{
    Object: {
        "kind": <string>"Note",
    },
}`},
		{"no object", none, "nil"},
		{"another value", map[string]int{"a": 1}, `{"a": 1}`},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, got, _ := strings.Cut(format.Object(test.value, 0), ">: ")
			if got != test.want {
				t.Errorf("got %s\nnot %s", got, test.want)
			}
		})
	}
	if got := brief.Object(none); got != "no object" {
		t.Errorf("got %s", got)
	}
}
