// SPDX-License-Identifier: Apache-2.0

package archive

import (
	"context"
	"fmt"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/e2e/cluster"
	"goldsmith.dev/goldsmith/e2e/deadline"
	"goldsmith.dev/goldsmith/e2e/workspace"
)

// lastingSteps is how many steps, of a second each, those builds have that a worker is lost under.
const lastingSteps = 600

// LogOnWorker is the log of a build that runs on a worker, for a spec that loses the worker.
type LogOnWorker struct {
	fixture *fixture
	build   string
	seen    string // of the log, ten seconds before StartOnWorker returned
}

// StartOnWorker starts builds until one runs on the worker, and waits until the archive must have some of its log.
func StartOnWorker(ctx context.Context, w *cluster.Workspace, worker string) *LogOnWorker {
	GinkgoHelper()
	l := &LogOnWorker{fixture: &fixture{w}}
	for number := range 10 {
		name := fmt.Sprintf("lasting-%d", number)
		w.CreateBuild(ctx, workspace.NewBuild(name, fmt.Sprintf("duration=%ds", lastingSteps), fmt.Sprintf("steps=%d", lastingSteps)))
		l.fixture.showing(ctx, name, "step 1/")
		build, err := w.Builds().Get(ctx, name, metav1.GetOptions{})
		Expect(err).NotTo(HaveOccurred())
		if build.Status.Attempts[0].NodeName == worker {
			l.build = name
			break
		}
	}
	Expect(l.build).NotTo(BeEmpty(), "a build runs on worker %s", worker)
	l.seen = l.fixture.showing(ctx, l.build, "step 5/")
	l.fixture.showing(ctx, l.build, "step 15/")
	return l
}

// ExpectKept waits until the attempt has ended with its worker, cancels the build, and expects that the archive has what was written
// before, each line once.
func (l *LogOnWorker) ExpectKept(ctx context.Context) {
	GinkgoHelper()
	w := l.fixture
	Eventually(ctx, func(ctx context.Context) ([]v1alpha1.BuildAttempt, error) {
		build, err := w.Builds().Get(ctx, l.build, metav1.GetOptions{})
		return build.Status.Attempts, err
	}).WithTimeout(deadline.WorkerGivenUp.Deadline()).WithPolling(time.Second).
		Should(ContainElement(HaveField("Failure", HaveValue(HaveField("Reason", v1alpha1.ReasonNodeLost)))))
	w.Cancel(ctx, l.build, "")
	w.archived(ctx, l.build, "True/"+v1alpha1.ReasonLogArchivedInPart)
	kept := w.Log(ctx, l.build, map[string]string{"attempt": "1"})
	Expect(kept).To(HavePrefix(l.seen))
	lines := numberedLines(kept)
	Expect(lines).To(Equal(wholeLines(lastingSteps, 1)[:len(lines)]))
}
