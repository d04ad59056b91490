// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"io"
	"path/filepath"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/e2e/require"
)

func TestATrialShowsWhetherBuildsWork(t *testing.T) {
	release := filepath.Join(t.TempDir(), "release")
	client := serve(t, &outage{}, release)
	for name, test := range map[string]struct {
		trial trial
		want  string
	}{
		"a build":           {trial{timeout: patience}, "succeeded\n"},
		"an expected end":   {trial{timeout: patience, fails: true}, "failed as expected: MockFailed"},
		"no such namespace": {trial{timeout: 2 * time.Second, namespace: "missing"}, `namespaces "missing" not found`},
	} {
		t.Run(name, func(t *testing.T) {
			if test.trial.namespace == "" {
				test.trial.namespace = metav1.NamespaceDefault
			}
			out := &bytes.Buffer{}
			err := test.trial.run(t.Context(), client, out)
			if err != nil {
				out.WriteString(err.Error())
			}
			if !strings.Contains(out.String(), test.want) || err != nil != (test.trial.namespace == "missing") {
				t.Errorf("it says %q: %v", out, err)
			}
		})
	}
	builds, err := client.ImagesV1alpha1().ImageBuilds(metav1.NamespaceDefault).List(t.Context(), metav1.ListOptions{})
	require.NoError(t, err)
	for i := range builds.Items {
		if builds.Items[i].DeletionTimestamp == nil {
			t.Errorf("%s is left", builds.Items[i].Name)
		}
	}
}

func TestATrialThatEndsOtherwiseFails(t *testing.T) {
	build := (&trial{}).build()
	build.Status.Phase = v1alpha1.BuildFailed
	build.Status.Failure = &v1alpha1.BuildFailure{Reason: v1alpha1.ReasonStartTimeout, Message: "no image"}
	for _, fails := range []bool{false, true} {
		if err := (&trial{fails: fails}).check(build, io.Discard); err == nil || !strings.Contains(err.Error(), "StartTimeout: no image") {
			t.Errorf("the error is %v", err)
		}
	}
}
