// SPDX-License-Identifier: Apache-2.0

package local

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"io"
	"strings"
	"sync"
	"testing"
	"time"

	. "github.com/onsi/gomega"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	testingclock "k8s.io/utils/clock/testing"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/e2e/require"
	"goldsmith.dev/goldsmith/jobs/attestation"
)

// attesting is a server that attests artifacts, and a signer that may be down.
type attesting struct {
	mu       sync.Mutex
	down     bool
	requests []*v1alpha1.BuildAttestation
}

func (a *attesting) setDown(down bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.down = down
}

func (a *attesting) attest(_ context.Context, pod *corev1.Pod, build types.NamespacedName, request *v1alpha1.BuildAttestation) (*v1alpha1.BuildAttestation, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.requests = append(a.requests, request.DeepCopy())
	if build.Namespace != "default" || !strings.HasPrefix(pod.Name, build.Name) {
		return nil, errors.New("another build")
	}
	if a.down {
		return &v1alpha1.BuildAttestation{WaitingFor: []string{"blue"}}, nil
	}
	var payload bytes.Buffer
	writer := gzip.NewWriter(&payload)
	if _, err := io.WriteString(writer, "how "+request.Artifact.Target+" was built"); err != nil {
		return nil, err
	}
	if err := writer.Close(); err != nil {
		return nil, err
	}
	return &v1alpha1.BuildAttestation{Statements: []v1alpha1.SignedStatement{{
		Type: attestation.TypeProvenance, Payload: payload.Bytes(), Signatures: []v1alpha1.StatementSignature{{KeyID: "sha256:" + strings.Repeat("a", 64), Signature: []byte("x")}},
	}}}, nil
}

func TestStoredArtifactsAreAttested(t *testing.T) {
	agentClock, server := testingclock.NewFakeClock(time.Now()), &attesting{}
	store, adapt := withStore(t, t.TempDir(), nil)
	c := newCluster(t, map[string]string{"good": makeDisk + succeed(`"file":"disk","lock":{"file":"lock"}`)}, adapt, func(o *Options) {
		o.Clock, o.Attest, o.Workers = agentClock, server.attest, 1
	})
	outcome := c.outcome(c.run("good", withTwoTargets))
	c.Expect(outcome.Failure).To(BeNil())
	for i := range outcome.Artifacts {
		its := outcome.Artifacts[i].Documents
		proven := its[len(its)-2:]
		c.Expect([]string{proven[0].Name(), proven[1].Name()}).To(Equal([]string{"provenance", "bundle"}))
		for _, document := range proven {
			c.Expect(document.MadeBy).To(Equal(v1alpha1.DocumentMadeByGoldsmith))
			c.Expect(document.Verified).To(Equal(v1alpha1.ArtifactVerifiedContent), "so the server serves it")
			blob := require.Value(store.OpenBlob(document.Digest))(t)
			c.Expect(io.ReadAll(blob)).NotTo(BeEmpty())
			require.NoError(t, blob.Close())
		}
	}
	c.Expect(server.requests[0]).To(And(HaveField("Locks", HaveLen(1)), HaveField("Manifest", HavePrefix("sha256:")), HaveField("Artifact.Location", BeEmpty()), HaveField("Artifact.Documents", HaveLen(3))))
	c.Expect(store.Entries()).To(ContainElement(HaveField("Artifact.Documents", ContainElement(HaveField("MediaType", v1alpha1.MediaTypeBundle)))), "it is recorded")

	// A signer that is down occupies no worker. The wait ends at the deadline of the pod, and with the signer.
	server.setDown(true)
	waiting := func(name string) *batchv1.Job {
		t.Helper()
		job := c.run("good", withTwoTargets, func(job *batchv1.Job) {
			job.Name, job.UID = name, ""
			job.Spec.Template.Spec.ActiveDeadlineSeconds = new(int64(3600))
		})
		pod := c.podWhen(job, running)
		c.Eventually(func() string { return c.log(pod, nil) }).Should(HaveSuffix("goldsmith: signing linux/amd64/raw with SigningKey blue\n"))
		c.Expect(c.agent.Running()).To(BeZero())
		return job
	}
	late := waiting("late")
	agentClock.Step(time.Hour)
	c.Expect(c.outcome(late).Failure).To(And(HaveField("Reason", v1alpha1.ReasonArtifactNotStored), HaveField("Message", ContainSubstring("the agent was waiting for SigningKey blue to sign linux/amd64/raw"))))
	c.Expect(require.Value(c.pod(late))(t).Status.Reason).To(Equal("DeadlineExceeded"))
	stopped := waiting("stopped")
	c.Expect(c.stop()).To(Succeed())
	c.start()
	c.Expect(c.podWhen(stopped, terminal).Status.Reason).To(Equal("ProcessLost"), "the next attempt repeats it")
	signed := waiting("signed")
	server.setDown(false)
	stepUntil(c, agentClock, time.Second, func() bool { return terminal(require.Value(c.pod(signed))(t)) })
	c.Expect(c.outcome(signed).Failure).To(BeNil())
}
