// SPDX-License-Identifier: Apache-2.0

package local

import (
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	. "github.com/onsi/gomega"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/e2e/require"
	"goldsmith.dev/goldsmith/jobs/render"
)

// grants are the tokens that a test gives: to the pod with its UID in it, and not revoked.
type grants struct {
	mu    sync.Mutex
	valid map[types.UID]bool
}

func (g *grants) grant(pod *corev1.Pod) (token string, revoke func()) {
	g.set(pod.UID, true)
	return "token-of-" + string(pod.UID), func() { g.set(pod.UID, false) }
}

func (g *grants) set(pod types.UID, valid bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.valid[pod] = valid
}

func (g *grants) of(pod *corev1.Pod) (valid, given bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	valid, given = g.valid[pod.UID]
	return valid, given
}

// reportingTo lets builders report.
func reportingTo(g *grants) func(*Options) {
	return func(o *Options) {
		o.Reporting = &Reporting{Server: "https://127.0.0.1:1", CertificateAuthority: []byte("a CA"), Grant: g.grant}
	}
}

// thatReports is a Job of a build, whose pod is told where to report to in a cluster.
func thatReports(job *batchv1.Job) {
	job.Spec.Template.Labels[v1alpha1.LabelBuild] = "debian-1"
	job.Spec.Template.Spec.Containers[0].Env = []corev1.EnvVar{
		{Name: render.EnvReportURL, Value: "https://kubernetes.default.svc/elsewhere"},
		{Name: render.EnvReportToken, Value: "/etc/passwd"},
		{Name: render.EnvReportCA, Value: "/etc/passwd"},
	}
}

const tellReport = `for name in URL TOKEN CA; do name=GOLDSMITH_REPORT_$name; echo "${!name}"; done; cat "$GOLDSMITH_REPORT_TOKEN" "$GOLDSMITH_REPORT_CA"; `

func TestABuilderThatReportsGetsATokenWhileItRuns(t *testing.T) {
	granted := &grants{valid: map[types.UID]bool{}}
	c := newCluster(t, map[string]string{"tell": tellReport + `while [ -z "$(cat "$GOLDSMITH_OUTPUT/end" 2>/dev/null)" ]; do :; done`}, reportingTo(granted))
	job := c.run("tell", thatReports)
	pod := c.podWhen(job, running)
	valid, _ := granted.of(pod)
	c.Expect(valid).To(BeTrue())
	dir := filepath.Join(c.options.Dir, string(pod.UID))
	for _, name := range []string{"report-token", "report-ca.crt"} {
		info := require.Value(os.Stat(filepath.Join(dir, name)))(c.t)
		c.Expect(info.Mode().Perm()).To(Equal(os.FileMode(0o600)))
	}
	c.Expect(os.WriteFile(filepath.Join(dir, "output", "end"), []byte("now"), 0o600)).To(Succeed())
	c.finishedJob(job)
	c.Expect(strings.Split(c.log(pod, nil), "\n")).To(Equal([]string{
		"https://127.0.0.1:1/apis/images.goldsmith.dev/v1alpha1/namespaces/default/imagebuilds/debian-1/report", dir + "/report-token", dir + "/report-ca.crt", "token-of-" + string(pod.UID) + "a CA",
	}))
	valid, _ = granted.of(pod)
	c.Expect(valid).To(BeFalse(), "it was revoked")
}

func TestABuilderThatDoesNotReportGetsNoToken(t *testing.T) {
	granted := &grants{valid: map[types.UID]bool{}}
	c := newCluster(t, map[string]string{"tell": "env"}, reportingTo(granted))
	for name, change := range map[string]func(*batchv1.Job){
		"it does not say so": func(job *batchv1.Job) { job.Spec.Template.Spec.Containers[0].Env = nil },
		"it is no build":     func(job *batchv1.Job) { delete(job.Spec.Template.Labels, v1alpha1.LabelBuild) },
	} {
		job := c.run("tell", thatReports, change, func(job *batchv1.Job) {
			job.Name = strings.ReplaceAll(name, " ", "-")
			job.UID = types.UID(job.Name)
		})
		c.finishedJob(job)
		pod := require.Value(c.pod(job))(c.t)
		c.Expect(c.log(pod, nil)).NotTo(ContainSubstring("REPORT"), name)
		_, given := granted.of(pod)
		c.Expect(given).To(BeFalse(), name)
	}
}

func TestABuilderThatCannotBeStartedKeepsNoToken(t *testing.T) {
	granted := &grants{valid: map[types.UID]bool{}}
	c := newCluster(t, nil, reportingTo(granted), func(o *Options) { o.Builders = map[string]Builder{"gone": {Path: "/no/such/program"}} })
	job := c.run("gone", thatReports)
	c.finishedJob(job)
	pod := require.Value(c.pod(job))(c.t)
	valid, given := granted.of(pod)
	c.Expect(given).To(BeTrue())
	c.Expect(valid).To(BeFalse())
}
