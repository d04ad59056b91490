// SPDX-License-Identifier: Apache-2.0

package build

import (
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
)

func TestOnlyASucceededBuildIsASuccess(t *testing.T) {
	failure := &v1alpha1.BuildFailure{Class: v1alpha1.FailureUser, Reason: v1alpha1.ReasonBuilderFailed, Message: "no disk"}
	for _, test := range []struct {
		status v1alpha1.ImageBuildStatus
		want   string
	}{
		{v1alpha1.ImageBuildStatus{Phase: v1alpha1.BuildSucceeded}, ""},
		{v1alpha1.ImageBuildStatus{Phase: v1alpha1.BuildFailed, Failure: failure}, "build debian-1: Failed: User/BuilderFailed: no disk"},
		{v1alpha1.ImageBuildStatus{Phase: v1alpha1.BuildCancelled}, "build debian-1: Cancelled"},
	} {
		err := outcome(&v1alpha1.ImageBuild{ObjectMeta: metav1.ObjectMeta{Name: "debian-1"}, Status: test.status})
		if test.want == "" && err != nil || test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want)) {
			t.Errorf("%s: got %v, want %q", test.status.Phase, err, test.want)
		}
	}
}
