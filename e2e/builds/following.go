// SPDX-License-Identifier: Apache-2.0

package builds

import (
	"bufio"
	"fmt"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"goldsmith.dev/goldsmith/e2e/workspace"
)

func describeFollowing(w *fixture) {
	// A request that is not classified as long-running is cut after 60 seconds. A buffered request shows nothing for long.
	It("A log is followed for as long as the build runs, each line as it is written", func(ctx SpecContext) {
		const steps = 15
		w.CreateBuild(ctx, workspace.NewBuild("once", "duration=75s", fmt.Sprintf("steps=%d", steps)))
		stream, err := workspace.LogRequest(w.Goldsmith, w.Namespace, "once", map[string]string{"follow": "true"}).Stream(ctx)
		Expect(err).NotTo(HaveOccurred())
		defer func() { Expect(stream.Close()).To(Succeed()) }()

		var text strings.Builder
		seen := 0
		lines := bufio.NewScanner(stream)
		for lines.Scan() {
			text.WriteString(lines.Text() + "\n")
			if !strings.HasPrefix(lines.Text(), fmt.Sprintf("step %d/%d", seen+1, steps)) {
				continue
			}
			if seen++; seen < steps {
				build, err := w.Builds().Get(ctx, "once", metav1.GetOptions{})
				Expect(err).NotTo(HaveOccurred())
				Expect(build.Status.Finished).To(BeFalse(), "step %d was shown after the end", seen)
			}
		}
		Expect(lines.Err()).NotTo(HaveOccurred())
		Expect(seen).To(Equal(steps))
		w.Succeeded(ctx, "once")
		Expect(w.Log(ctx, "once", nil)).To(Equal(text.String()))
	})
}
