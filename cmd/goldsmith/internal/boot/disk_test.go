// SPDX-License-Identifier: Apache-2.0

package boot

import (
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
)

func buildOf(targets ...string) *v1alpha1.ImageBuild {
	build := &v1alpha1.ImageBuild{ObjectMeta: metav1.ObjectMeta{Namespace: "team", Name: "debian-7"}}
	for _, target := range targets {
		build.Status.Artifacts = append(build.Status.Artifacts, v1alpha1.Artifact{Target: target})
	}
	return build
}

func TestTheDiskIsChosen(t *testing.T) {
	const raw, qcow2, oci, arm = "linux/amd64/raw", "linux/amd64/qcow2", "linux/amd64/oci", "linux/arm64/raw"
	for _, test := range []struct {
		targets            []string
		target, want, fail string
	}{
		{targets: []string{raw}, want: raw},
		{targets: []string{oci, raw, qcow2, arm}, want: qcow2},
		{targets: []string{raw, qcow2}, target: raw, want: raw},
		{targets: []string{"linux/amd64/v3/raw", oci}, want: "linux/amd64/v3/raw"},
		{targets: []string{"linux/amd64/v3/raw", raw}, fail: "build debian-7 has several disks: choose one with --target: linux/amd64/v3/raw, linux/amd64/raw"},
		{targets: []string{oci, arm, "raw"}, fail: "build debian-7 has no disk that can boot, which is amd64 and raw or qcow2: its targets are linux/amd64/oci, linux/arm64/raw, raw"},
		{targets: []string{oci, arm}, target: oci, fail: "has no disk that can boot"},
		{targets: []string{oci, raw, qcow2}, target: oci, fail: "build debian-7 has no disk linux/amd64/oci: choose one with --target: linux/amd64/raw, linux/amd64/qcow2"},
	} {
		got, err := chooseDisk(buildOf(test.targets...), test.target)
		if got.target != test.want || (err == nil) != (test.fail == "") || err != nil && !strings.Contains(err.Error(), test.fail) {
			t.Errorf("%s of %v: got %v, error %v", test.target, test.targets, got, err)
		}
	}
}
