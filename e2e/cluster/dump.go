// SPDX-License-Identifier: Apache-2.0

package cluster

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"

	"goldsmith.dev/goldsmith/e2e/deadline"
)

// dumped are the kinds of objects that are kept.
var dumped = []string{
	"images.images.goldsmith.dev", "imagebuilds.images.goldsmith.dev", "jobs", "pods", "events", "deployments", "statefulsets",
	"leases", "services", "endpointslices", "resourcequotas", "limitranges", "namespaces", "nodes", "apiservices", "persistentvolumes",
}

// DumpOnFailure keeps objects, events and logs whenever a spec of the present container has failed, before it is cleaned
// up, in a folder of the spec's name.
func DumpOnFailure(environment func() Environment) {
	JustAfterEach(func() {
		if report := CurrentSpecReport(); report.Failed() {
			environment().Dump(report.FullText())
		}
	})
}

// Dump keeps objects, events and logs in a folder of this name among the artifacts. The folder names what could not be read.
func (e Environment) Dump(name string) {
	ctx, stop := context.WithTimeout(context.Background(), deadline.Dump.Deadline())
	defer stop()
	directory := filepath.Join(e.Artifacts, fileName(name))
	if err := os.MkdirAll(directory, 0o755); err != nil {
		GinkgoLogr.Error(err, "keeping what there is")
		return
	}
	var problems []error
	keep := func(file string, content []byte, err error) {
		if err != nil {
			problems = append(problems, fmt.Errorf("%s: %w", file, err))
		}
		if len(content) > 0 {
			problems = append(problems, os.WriteFile(filepath.Join(directory, file), content, 0o600))
		}
	}
	for _, kind := range dumped {
		text, err := e.Kubectl(ctx, "get", kind, "--all-namespaces", "--output=yaml", "--request-timeout=10s").CombinedOutput()
		keep(kind+".yaml", text, err)
	}
	e.dumpLogs(ctx, keep)
	e.dumpNodes(ctx, keep)
	if err := errors.Join(problems...); err != nil {
		keep("problems.txt", []byte(err.Error()), nil)
	}
	AddReportEntry("kept", directory, ReportEntryVisibilityFailureOrVerbose)
}

// dumpLogs keeps the logs of our pods, of those of Kubernetes itself and of the archive's server, also of containers that have been restarted.
func (e Environment) dumpLogs(ctx context.Context, keep func(file string, content []byte, err error)) {
	kube := kubernetes.NewForConfigOrDie(e.Config)
	for _, namespace := range []string{Namespace, metav1.NamespaceSystem, archiveServer.namespace} {
		pods, err := kube.CoreV1().Pods(namespace).List(ctx, metav1.ListOptions{})
		if err != nil {
			keep(namespace+"-logs", nil, err)
			continue
		}
		for _, pod := range pods.Items {
			for _, container := range pod.Status.ContainerStatuses {
				for _, previous := range []bool{false, true} {
					if previous && container.RestartCount == 0 {
						continue
					}
					file := fmt.Sprintf("%s-%s.log", pod.Name, container.Name)
					if previous {
						file = fmt.Sprintf("%s-%s-previous.log", pod.Name, container.Name)
					}
					text, err := kube.CoreV1().Pods(namespace).GetLogs(pod.Name, &corev1.PodLogOptions{
						Container: container.Name, Previous: previous, Timestamps: true, TailLines: new(int64(5000)),
					}).DoRaw(ctx)
					keep(file, text, err)
				}
			}
		}
	}
}

// dumpNodes keeps the latest of the kubelets' journals.
func (e Environment) dumpNodes(ctx context.Context, keep func(file string, content []byte, err error)) {
	if e.Nodes == nil {
		return
	}
	for _, node := range append([]string{e.Nodes.ControlPlane()}, e.Nodes.Workers()...) {
		text, err := e.Nodes.Run(ctx, node, "journalctl", "--unit=kubelet", "--lines=1000", "--no-pager")
		keep("kubelet-"+node+".log", bytes.TrimSpace(text), err)
	}
}

// fileName makes a name for a folder out of that of a spec.
func fileName(spec string) string {
	name := strings.Trim(regexp.MustCompile(`[^A-Za-z0-9]+`).ReplaceAllString(spec, "-"), "-")
	return name[:min(len(name), 120)]
}
