// SPDX-License-Identifier: Apache-2.0

package imagebuild

import (
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/apiserver/registry/validation/validationtest"
)

func TestImageBuildDiffOptions(t *testing.T) {
	validationtest.ExpectPaths(t, ValidateDiffOptions(&v1alpha1.ImageBuildDiffOptions{With: "web-1", UID: "a-1", WithUID: "b-2"}), nil)
	validationtest.ExpectPaths(t, ValidateDiffOptions(&v1alpha1.ImageBuildDiffOptions{UID: "a/1", WithUID: "b 2"}), []string{"uid", "withUID", "with"})
}

func TestCancelRequest(t *testing.T) {
	validationtest.ExpectPaths(t, ValidateCancelRequest(&v1alpha1.CancelRequest{SupersededBy: "debian-2"}, "debian-1"), nil)
	validationtest.ExpectPaths(t, ValidateCancelRequest(&v1alpha1.CancelRequest{SupersededBy: "Debian 2"}, "debian-1"), []string{"supersededBy"})
	validationtest.ExpectPaths(t, ValidateCancelRequest(&v1alpha1.CancelRequest{}, "debian-1"), nil)
	validationtest.ExpectPaths(t, ValidateCancelRequest(&v1alpha1.CancelRequest{ObjectMeta: metav1.ObjectMeta{Name: "x"}, Reason: strings.Repeat("x", 1025)}, "debian-1"),
		[]string{"metadata.name", "reason"})
}

func TestImageBuildPackagesOptions(t *testing.T) {
	validationtest.ExpectPaths(t, ValidatePackagesOptions(&v1alpha1.ImageBuildPackagesOptions{UID: "a-1", Target: "linux/amd64/raw"}), nil)
	validationtest.ExpectPaths(t, ValidatePackagesOptions(&v1alpha1.ImageBuildPackagesOptions{UID: "a/1", Target: "a\nb"}), []string{"uid", "target"})
}

func TestImageBuildVulnerabilitiesOptions(t *testing.T) {
	validationtest.ExpectPaths(t, ValidateVulnerabilitiesOptions(&v1alpha1.ImageBuildVulnerabilitiesOptions{UID: "a-1", Target: "linux/amd64/raw"}), nil)
	validationtest.ExpectPaths(t, ValidateVulnerabilitiesOptions(&v1alpha1.ImageBuildVulnerabilitiesOptions{UID: "a/1", Target: "a\nb"}), []string{"uid", "target"})
}
