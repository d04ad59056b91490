// SPDX-License-Identifier: Apache-2.0

package upgrade

import (
	"context"
	"errors"
	"io"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/e2e/cluster"
	"goldsmith.dev/goldsmith/e2e/workspace"
)

// startFollower follows the log of a build that outlasts the spec. The channel receives the error with which the log ends.
func startFollower(ctx context.Context, w *cluster.Workspace) <-chan error {
	GinkgoHelper()
	const name = "followed"
	w.CreateBuild(ctx, workspace.NewBuild(name, "duration=1h"))
	w.WaitForBuild(ctx, name, HaveField("Status.Phase", v1alpha1.BuildRunning))
	log, err := workspace.LogRequest(w.Goldsmith, w.Namespace, name, map[string]string{"follow": "true"}).Stream(ctx)
	Expect(err).NotTo(HaveOccurred())
	ended := make(chan error, 1)
	go func() {
		_, err := io.Copy(io.Discard, log)
		ended <- errors.Join(err, log.Close())
	}()
	return ended
}
