// SPDX-License-Identifier: Apache-2.0

package image

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/apiserver/registry/validation/validationtest"
)

func TestABuildForNewPackagesRecordsThem(t *testing.T) {
	t.Parallel()
	requestID := "packages:" + validationtest.Digest("a") + ":1"
	for name, test := range map[string]struct {
		requestID string
		packages  *v1alpha1.ImagePackages
		want      *v1alpha1.ImagePackages
	}{
		"for packages":       {requestID, validationtest.Packages(), validationtest.Packages()},
		"of a request":       {"a", validationtest.Packages(), nil},
		"of changed inputs":  {validationtest.Digest("a") + ":1", validationtest.Packages(), nil},
		"without any update": {requestID, nil, nil},
	} {
		image := validationtest.Image()
		image.Status.Packages = test.packages
		build := newBuild(image, 2, &v1alpha1.BuildRequest{RequestID: test.requestID, Reason: v1alpha1.TriggerPackageChange})
		if diff := cmp.Diff(test.want, build.Spec.Trigger.Packages); diff != "" {
			t.Errorf("a build %s (-want +got):\n%s", name, diff)
		}
		if diff := cmp.Diff(test.packages, image.Status.Packages); diff != "" {
			t.Errorf("a build %s changes its image (-want +got):\n%s", name, diff)
		}
	}
}
