// SPDX-License-Identifier: Apache-2.0

package archive

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/e2e/cluster"
	"goldsmith.dev/goldsmith/e2e/workspace"
)

// logQuery has the parameters of a request for a log.
type logQuery struct {
	tailLines, limitBytes *int64
	sinceTime             *metav1.Time
	timestamps            bool
}

// ofPod and ofBuild are the parameters for the log of a pod and of a build.
func (q logQuery) ofPod() corev1.PodLogOptions {
	return corev1.PodLogOptions{TailLines: q.tailLines, LimitBytes: q.limitBytes, SinceTime: q.sinceTime, Timestamps: q.timestamps}
}

func (q logQuery) ofBuild() map[string]string {
	parameters := map[string]string{"timestamps": strconv.FormatBool(q.timestamps)}
	if q.tailLines != nil {
		parameters["tailLines"] = strconv.FormatInt(*q.tailLines, 10)
	}
	if q.limitBytes != nil {
		parameters["limitBytes"] = strconv.FormatInt(*q.limitBytes, 10)
	}
	if q.sinceTime != nil {
		parameters["sinceTime"] = q.sinceTime.UTC().Format(time.RFC3339)
	}
	return parameters
}

// logQueries return different parts of a log whose last line was written alone in its second.
func logQueries(last metav1.Time) map[string]logQuery {
	return map[string]logQuery{
		"all":                 {},
		"timestamps":          {timestamps: true},
		"the last line":       {tailLines: new(int64(1))},
		"the last two, timed": {tailLines: new(int64(2)), timestamps: true},
		"none of the lines":   {tailLines: new(int64(0))},
		"more lines than are": {tailLines: new(int64(1000))},
		"part of a line":      {limitBytes: new(int64(10))},
		"the last second":     {sinceTime: &last},
		"one of that, timed":  {sinceTime: &last, tailLines: new(int64(1)), timestamps: true},
	}
}

// lastSecond is the second in which the last line of a timed log was written.
func lastSecond(timed string) metav1.Time {
	GinkgoHelper()
	lines := linesOf(timed)
	stamp, _, _ := strings.Cut(lines[len(lines)-1], " ")
	written, err := time.Parse(time.RFC3339Nano, stamp)
	Expect(err).NotTo(HaveOccurred())
	return metav1.NewTime(written.Truncate(time.Second))
}

func describeReading(w *fixture) {
	It("answer every question as the pod did", func(ctx SpecContext) {
		w.CreateBuild(ctx, workspace.NewBuild("once", "duration=3s", "steps=2", "linesPerStep=3"))
		attempt := w.archived(ctx, "once", "True/Archived").Status.Attempts[0]
		answers := map[string]string{}
		queries := logQueries(lastSecond(w.fromPod(ctx, attempt, corev1.PodLogOptions{Timestamps: true})))
		for name, q := range queries {
			answers[name] = w.fromPod(ctx, attempt, q.ofPod())
			Expect(w.Log(ctx, "once", q.ofBuild())).To(Equal(answers[name]), "%s, while the pod is there", name)
		}
		Expect(answers["the last second"]).To(And(Not(BeEmpty()), Not(Equal(answers["all"]))))

		w.withoutPods(ctx)
		for name, q := range queries {
			Expect(w.Log(ctx, "once", q.ofBuild())).To(Equal(answers[name]), name)
		}
	})

	It("are kept of each attempt", func(ctx SpecContext) {
		w.CreateBuild(ctx, workspace.NewBuild("once", "failAttempts=1", "retryable=true"))
		attempts := w.archived(ctx, "once", "True/Archived").Status.Attempts
		Expect(attempts).To(HaveLen(2))
		var texts []string
		for _, attempt := range attempts {
			texts = append(texts, w.fromPod(ctx, attempt, corev1.PodLogOptions{}))
		}

		w.withoutPods(ctx)
		for i, text := range texts {
			Expect(text).To(ContainSubstring("attempt %d", i+1))
			Expect(w.Log(ctx, "once", map[string]string{"attempt": strconv.Itoa(i + 1)})).To(Equal(text))
		}
		Expect(w.Log(ctx, "once", nil)).To(Equal(texts[1]))
	})

	It("have lines of a mebibyte", func(ctx SpecContext) {
		const lineBytes = 1 << 20
		w.CreateBuild(ctx, workspace.NewBuild("once", "linesPerStep=3", fmt.Sprintf("lineBytes=%d", lineBytes)))
		attempt := w.archived(ctx, "once", "True/Archived").Status.Attempts[0]
		whole := w.fromPod(ctx, attempt, corev1.PodLogOptions{})
		Expect(len(whole)).To(BeNumerically(">", 3*lineBytes))

		w.withoutPods(ctx)
		same := w.Log(ctx, "once", nil) == whole // not Equal: its message would have both
		Expect(same).To(BeTrue(), "the log is that of the pod")
		tail := w.Log(ctx, "once", map[string]string{"tailLines": "1"})
		Expect(tail).To(HaveLen(lineBytes))
		Expect(tail).To(HavePrefix("step 1/1 line 3/3"))
	})

	It("that are longer than history.logMaxBytes keep both ends, and say what is missing", func(ctx SpecContext) {
		const lines = 30_000
		image := cluster.NewImage("web", fmt.Sprintf("linesPerStep=%d", lines), "lineBytes=300")
		image.Spec.History.LogMaxBytes = &v1alpha1.Quantity{Text: "4Mi"}
		w.CreateImage(ctx, image)
		w.archived(ctx, "web-1", "True/"+v1alpha1.ReasonLogArchivedInPart)

		w.withoutPods(ctx)
		text := w.Log(ctx, "web-1", nil)
		Expect(len(text)).To(BeNumerically("<", 5<<20))
		kept := numberedLines(text)
		Expect(kept[0]).To(Equal(fmt.Sprintf("step 1/1 line 1/%d", lines)))
		Expect(kept[len(kept)-1]).To(Equal(fmt.Sprintf("step 1/1 line %d/%d", lines, lines)))
		Expect(len(kept)).To(BeNumerically("<", lines))
		missing := regexp.MustCompile(`\[goldsmith: (\d+) bytes of the log were dropped because of history.logMaxBytes\]\n`).FindAllStringSubmatch(text, -1)
		Expect(missing).To(HaveLen(1))
		Expect(missing[0][1]).To(Equal(strconv.Itoa((lines - len(kept)) * 300)))
	})

	It("are none where nothing was started", func(ctx SpecContext) {
		build := workspace.NewBuild("once")
		build.Spec.Inputs.Builder.Name = "nobodys"
		w.CreateBuild(ctx, build)
		w.archived(ctx, "once", "True/"+v1alpha1.ReasonNoLog)
		Expect(w.Log(ctx, "once", nil)).To(BeEmpty())
	})
}
