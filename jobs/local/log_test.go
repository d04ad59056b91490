// SPDX-License-Identifier: Apache-2.0

package local

import (
	"context"
	"fmt"
	"io"
	"testing"
	"time"

	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"goldsmith.dev/goldsmith/e2e/require"
)

func (c *cluster) log(pod *corev1.Pod, options *corev1.PodLogOptions) string {
	c.t.Helper()
	log := require.Value(c.agent.OpenLog(context.Background(), pod, options))(c.t)
	defer func() { _ = log.Close() }() // only read from
	text := require.Value(io.ReadAll(log))(c.t)
	return string(text)
}

func TestALogIsReadAsTheOptionsSay(t *testing.T) {
	c := newCluster(t, map[string]string{"lines": "for i in 1 2 3; do echo $i; done"})
	job := c.run("lines")
	c.finishedJob(job)
	pod := require.Value(c.pod(job))(c.t)
	c.Expect(c.log(pod, &corev1.PodLogOptions{TailLines: new(int64(2)), Follow: true})).To(Equal("2\n3\n"))
	c.Expect(c.log(pod, &corev1.PodLogOptions{LimitBytes: new(int64(3)), Container: "builder"})).To(Equal("1\n2"))
	c.Expect(c.log(pod, &corev1.PodLogOptions{Timestamps: true})).To(MatchRegexp(`^(\S+Z \d\n){3}$`))
	c.Expect(c.log(pod, &corev1.PodLogOptions{SinceTime: &metav1.Time{Time: time.Now().Add(time.Hour)}})).To(BeEmpty())
	c.Expect(c.log(pod, &corev1.PodLogOptions{SinceSeconds: new(int64(1 << 62))})).To(Equal("1\n2\n3\n"))
	for message, options := range map[string]*corev1.PodLogOptions{
		"previous terminated container": {Previous: true},
		`container "x" is not valid`:    {Container: "x"},
		"stderr cannot be selected":     {Stream: new(corev1.LogStreamStderr)},
	} {
		_, err := c.agent.OpenLog(t.Context(), pod, options)
		c.Expect(err).To(MatchError(ContainSubstring(message)))
	}
}

func TestALogThatItsBuilderReplacedIsGone(t *testing.T) {
	scripts := map[string]string{
		"fifo": "rm $L; mkfifo $L", "link": "ln -sf /etc/passwd $L", "directory": "rm $L; mkdir $L", "removed": "rm $L", "segment": "mkdir $L.1.0",
		"sparse": "truncate -s 64G $L", "directory of it": "rm -r $D", "file for its directory": "rm -r $D; echo >$D", "loop for its directory": "rm -r $D; ln -s $D $D",
	}
	for name, script := range scripts {
		scripts[name] = "D=${GOLDSMITH_RESULT%/result}; L=$D/log; echo one; cd /; " + script
	}
	c := newCluster(t, scripts)
	for name := range scripts {
		job := c.run(name)
		c.finishedJob(job)
		pod := require.Value(c.pod(job))(c.t)
		_, err := c.agent.OpenLog(t.Context(), pod, nil)
		c.Expect(apierrors.IsGone(err)).To(BeTrue(), "%s: %v", name, err)
		c.Expect(err).To(MatchError(MatchRegexp("the builder in pod .* (replaced|removed) (the directory of )?its log")), name)
	}
}

// The limit counts what the builder writes, without the time of each line that the file has.
func TestALogOfManyShortLinesIsWhole(t *testing.T) {
	const text = 3_600_000
	c := newCluster(t, map[string]string{"verbose": fmt.Sprintf("yes '' | head -c %d; echo the error; exit 1", text)})
	job := c.run("verbose")
	c.finishedJob(job)
	pod := require.Value(c.pod(job))(c.t)
	c.Expect(c.log(pod, nil)).To(HaveLen(text + len("the error\n")))
	c.Expect(c.log(pod, &corev1.PodLogOptions{TailLines: new(int64(2))})).To(Equal("\nthe error\n"))
}
