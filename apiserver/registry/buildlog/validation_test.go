// SPDX-License-Identifier: Apache-2.0

package buildlog

import (
	"strings"
	"testing"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/apiserver/registry/validation/validationtest"
)

func TestImageBuildLogOptions(t *testing.T) {
	validationtest.ExpectPaths(t, ValidateLogOptions(&v1alpha1.ImageBuildLogOptions{TailLines: new(int64(0)), LimitBytes: new(int64(1)), Attempt: new(int32(1)), UID: "0b81f4a5-7e8e"}), nil)
	for _, uid := range []string{"../x", "a/b", "a b", strings.Repeat("a", 64)} {
		validationtest.ExpectPaths(t, ValidateLogOptions(&v1alpha1.ImageBuildLogOptions{UID: uid}), []string{"uid"})
	}
	validationtest.ExpectPaths(t, ValidateLogOptions(&v1alpha1.ImageBuildLogOptions{TailLines: new(int64(-1)), LimitBytes: new(int64(0)), Attempt: new(int32(0))}),
		[]string{"attempt", "limitBytes", "tailLines"})
}
