// SPDX-License-Identifier: Apache-2.0

package troubleshooting

import (
	"context"
	"fmt"
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"github.com/onsi/gomega/types"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/e2e/cluster"
	"goldsmith.dev/goldsmith/e2e/workspace"
)

// Specs are the specs of broken installations, each labelled with the anchor of its line on the page. They need the cluster
// for themselves; Goldsmith is whole again after each.
func Specs(environment func() cluster.Environment) {
	Describe("Troubleshooting", Label("faults", "troubleshooting"), func() {
		var w *cluster.Workspace
		// Before the namespace of the workspace is deleted: that needs our API.
		AfterEach(func(ctx SpecContext) {
			Expect(w.Environment.Install(ctx)).To(Succeed())
			expectBuildSucceeds(ctx, w)
		})
		w = cluster.NewWorkspace(environment)

		It("etcd cannot be reached", Label("etcd-unreachable"), func(ctx SpecContext) {
			stop(ctx, w, "statefulset", cluster.Etcd)
			expectSymptom(ctx, w, "etcd-unreachable")
		})

		It("the authority of the serving certificate is not the one that kube-apiserver trusts", Label("wrong-authority"), func(ctx SpecContext) {
			stop(ctx, w, "deployment", cluster.Controller)
			trustEtcdAuthority(ctx, w)
			expectSymptom(ctx, w, "wrong-authority")
		})

		It("the API is not registered", Label("api-unregistered"), func(ctx SpecContext) {
			kubectl(ctx, w, "delete", "apiservice", cluster.APIService)
			expectSymptom(ctx, w, "api-unregistered")
		})

		It("the API server may not read admission policies", Label("api-server-not-permitted"), func(ctx SpecContext) {
			forbid(ctx, w, cluster.APIServer, "admissionregistration.k8s.io")
			restart(ctx, w, cluster.APIServer)
			expectSymptom(ctx, w, "api-server-not-permitted")
		})

		It("the controller may not read Jobs", Label("controller-not-permitted"), func(ctx SpecContext) {
			forbid(ctx, w, cluster.Controller, "batch")
			restart(ctx, w, cluster.Controller)
			w.CreateBuild(ctx, workspace.NewBuild("waits"))
			expectSymptom(ctx, w, "controller-not-permitted")
			Expect(w.Builds().Get(ctx, "waits", metav1.GetOptions{})).To(HaveField("Status.Phase", v1alpha1.BuildPending))
		})
	})
}

// expectSymptom waits until the commands of a line on the page show what the line promises.
func expectSymptom(ctx context.Context, w *cluster.Workspace, id string) {
	GinkgoHelper()
	line, err := symptomOf(id)
	Expect(err).NotTo(HaveOccurred())
	Expect(line.commands).NotTo(BeEmpty())
	Expect(line.shown).NotTo(BeEmpty())
	var wanted []types.GomegaMatcher
	for _, text := range line.shown {
		wanted = append(wanted, ContainSubstring(text))
	}
	w.Eventually(ctx, func(ctx context.Context) string {
		var shown strings.Builder
		for _, command := range line.commands {
			kubectl := w.Environment.Kubectl(ctx, strings.Fields(command)...)
			kubectl.Dir = repository
			output, err := kubectl.CombinedOutput()
			fmt.Fprintf(&shown, "$ kubectl %s\n%s%v\n", command, output, err)
		}
		return shown.String()
	}).WithPolling(time.Second).Should(And(wanted...))
}
