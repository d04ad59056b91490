// SPDX-License-Identifier: Apache-2.0

package artifacts

import (
	"fmt"
	"io"
	"time"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/cmd/goldsmith/internal/output"
)

// AllowRevoked is the flag of commands that use the artifacts of a build.
const AllowRevoked = "allow-revoked"

// AllowRevokedUsage describes the flag AllowRevoked.
const AllowRevokedUsage = "use of a build even if it is revoked, with a warning"

// RefuseRevoked returns an error if a build is revoked. If the user allows that, it only warns.
func RefuseRevoked(build *v1alpha1.ImageBuild, allowed bool, now time.Time, stderr io.Writer) error {
	switch {
	case !v1alpha1.Revoked(build, now):
		return nil
	case allowed:
		_, err := fmt.Fprintln(stderr, "warning: "+output.OneLine(revoked(build)))
		return err
	}
	return fmt.Errorf("%s; to use it all the same, set --%s", revoked(build), AllowRevoked)
}

func revoked(build *v1alpha1.ImageBuild) string {
	return fmt.Sprintf("build %s is %s", build.Name, build.Status.Revoked.Explain())
}
