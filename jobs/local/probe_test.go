// SPDX-License-Identifier: Apache-2.0

package local

import (
	"encoding/json"
	"strings"
	"testing"

	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/e2e/require"
	"goldsmith.dev/goldsmith/jobs/inputs"
	"goldsmith.dev/goldsmith/jobs/render"
	"goldsmith.dev/goldsmith/jobs/result"
)

// The check of an archive runs like a build, without a build. Nothing that its builder leaves is read or stored.
func TestTheCheckOfAnArchive(t *testing.T) {
	const (
		update = `{"update":{"name":"openssl","architecture":"all","from":"1","to":"2"}}`
		answer = `{"version":1,"outcome":"Succeeded", "probe":{"release":{"date":"2026-11-28T10:00:00Z","sha256":"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"},"updates":1}`
		leave  = `cat "$GOLDSMITH_INPUT"; echo; echo '` + update + `'; echo forged >"$GOLDSMITH_OUTPUT/evil"; printf %s '` + answer
		forged = `,"artifacts":[{"target":"linux/amd64/raw","file":"evil","verified":"Content"}],"check":{}`
		older  = `{"version":1,"outcome":"Failed","failure":{"reason":"ArchiveOlder","class":"Infrastructure"}}`
	)
	store, adapt := withStore(t, t.TempDir(), nil)
	c := newCluster(t, map[string]string{
		"answers": leave + `}' >"$GOLDSMITH_RESULT"`, "forges": leave + forged + `}' >"$GOLDSMITH_RESULT"`,
		"older": `printf %s '` + older + `' >"$GOLDSMITH_RESULT"; exit 1`, "makes": `echo x >"$GOLDSMITH_OUTPUT/evil"; printf %s '{"version":1,"outcome":"Succeeded"}' >"$GOLDSMITH_RESULT"`,
	}, adapt)
	question := map[string]map[string][]string{"all": {"openssl": {"1"}}}
	check := func(builder string) (corev1.ContainerStateTerminated, *corev1.Pod) {
		archive := &v1alpha1.Archive{ObjectMeta: metav1.ObjectMeta{Name: builder, UID: types.UID(builder)}, Spec: v1alpha1.ArchiveSpec{Builder: builder, URI: "http://mirror.example"}}
		job := require.Value(render.ProbeJob(archive, "default", 0, render.InputProbe{Packages: question}, inputs.Builder{Image: Image(builder), Reports: true}))(t)
		job.UID = types.UID("job-" + builder)
		job = require.Value(c.server.BatchV1().Jobs("default").Create(t.Context(), job, metav1.CreateOptions{}))(t)
		done := c.finishedJob(job)
		pod := require.Value(c.pod(done))(t)
		return terminatedOf(pod), pod
	}
	end, pod := check("answers")
	c.Expect(end.Message).To(Equal(answer + "}"))
	input := pod.Annotations[v1alpha1.AnnotationInput]
	c.Expect(json.Valid([]byte(input))).To(BeTrue())
	log := c.log(pod, nil)
	c.Expect(log).To(Equal(input + "\n" + update + "\n"))
	c.Expect(pod.Labels).To(HaveKeyWithValue(v1alpha1.LabelArchive, "answers"))
	found, failure := result.ParseProbe(end.Message, end.ExitCode, strings.NewReader(log), question)
	c.Expect(failure).To(BeNil())
	c.Expect(found.Updates).To(HaveLen(1))

	end, _ = check("forges")
	c.Expect(end.Message).To(Equal(answer + forged + "}"))
	end, _ = check("older")
	c.Expect(end).To(And(HaveField("Message", older), HaveField("ExitCode", BeEquivalentTo(1))))
	end, _ = check("makes")
	_, failure = result.ParseProbe(end.Message, end.ExitCode, strings.NewReader(""), question)
	c.Expect(failure).To(HaveField("Message", ContainSubstring("probe is missing")))
	c.Expect(store.Entries()).To(BeEmpty())
	c.Expect(store.Usage()).To(BeZero())
	c.Expect(c.builds.Actions()).NotTo(ContainElement(HaveField("Resource.Resource", "imagebuilds")), "there is no build")
}
