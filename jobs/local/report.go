// SPDX-License-Identifier: Apache-2.0

package local

import (
	"errors"
	"fmt"
	"net/url"
	"os"
	"slices"

	corev1 "k8s.io/api/core/v1"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/jobs/render"
)

// Reporting lets builders report their progress, if their Jobs are for reporting builders.
type Reporting struct {
	// Server is the URL of the API server, such as https://127.0.0.1:6443.
	Server string
	// CertificateAuthority is the PEM bundle that the server is verified by.
	CertificateAuthority []byte
	// Grant creates the token of a pod's builder. The token is revoked when the builder has ended.
	Grant func(pod *corev1.Pod) (token string, revoke func())
}

// prepareReport writes the token and the certificate for a reporting builder, and returns the variables for reporting. There
// are none if the builder does not report. The caller calls end when the builder has ended.
func (a *Agent) prepareReport(pod *corev1.Pod, dir podDir) (environment []string, end func(), err error) {
	path, reports := reportPath(pod)
	if a.options.Reporting == nil || !reports {
		return nil, func() {}, nil
	}
	token, revoke := a.options.Reporting.Grant(pod)
	err = errors.Join(
		os.WriteFile(dir.reportToken(), []byte(token), 0o600),
		os.WriteFile(dir.reportCA(), a.options.Reporting.CertificateAuthority, 0o600),
	)
	if err != nil {
		revoke()
		return nil, nil, fmt.Errorf("let the builder report: %w", err)
	}
	return []string{
		render.EnvReportURL + "=" + a.options.Reporting.Server + path,
		render.EnvReportToken + "=" + dir.reportToken(),
		render.EnvReportCA + "=" + dir.reportCA(),
	}, revoke, nil
}

// reportPath is the URL path for the reports of a pod, from its variable for reporting. The host in that variable is the
// server of a cluster, and is never passed on.
func reportPath(pod *corev1.Pod) (path string, reports bool) {
	build := pod.Labels[v1alpha1.LabelBuild]
	reports = build != "" && slices.ContainsFunc(pod.Spec.Containers[0].Env, func(variable corev1.EnvVar) bool { return variable.Name == render.EnvReportURL })
	return fmt.Sprintf("/apis/%s/namespaces/%s/imagebuilds/%s/report", v1alpha1.SchemeGroupVersion, pod.Namespace, url.PathEscape(build)), reports
}
