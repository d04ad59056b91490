// SPDX-License-Identifier: Apache-2.0

package artifacts

import (
	"context"
	"fmt"
	"io"
	"time"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/cmd/goldsmith/internal/client"
	"goldsmith.dev/goldsmith/cmd/goldsmith/internal/output"
	"goldsmith.dev/goldsmith/jobs/inputs"
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

// WarnOfRevokedBase warns if a build is based on a revoked build, directly or through others.
func WarnOfRevokedBase(ctx context.Context, connection *client.Connection, build *v1alpha1.ImageBuild, now time.Time, stderr io.Writer) error {
	base := RevokedBase(ctx, connection, build, now)
	if base == nil {
		return nil
	}
	_, err := fmt.Fprintln(stderr, "warning: "+output.OneLine(fmt.Sprintf("build %s is based on %s, %s", build.Name, base.Name, base.Status.Revoked.Explain())))
	return err
}

// RevokedBase returns the nearest revoked build that a build is based on, or nil. It does not know builds that were deleted, or that the user may not
// read.
func RevokedBase(ctx context.Context, connection *client.Connection, build *v1alpha1.ImageBuild, now time.Time) *v1alpha1.ImageBuild {
	revoked, _ := inputs.RevokedBase(build, func(name string) *v1alpha1.ImageBuild {
		base, err := get(ctx, connection, name)
		if err != nil {
			return nil
		}
		return base
	}, now)
	return revoked
}

func revoked(build *v1alpha1.ImageBuild) string {
	return fmt.Sprintf("build %s is %s", build.Name, build.Status.Revoked.Explain())
}
