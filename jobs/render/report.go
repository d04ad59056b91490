// SPDX-License-Identifier: Apache-2.0

package render

import (
	"fmt"
	"path"

	corev1 "k8s.io/api/core/v1"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
)

const (
	// reportDir is the directory with the token and the certificate for reporting progress.
	reportDir  = "/goldsmith/report"
	tokenFile  = "token"
	caFile     = "ca.crt"
	reportName = "report"
	attestName = "attest"
	// publisherTokenFile is the file of a token for the audience PublisherAudience.
	publisherTokenFile = "publisher-token"
	// tokenSeconds is how long a token is valid; the kubelet replaces it in time.
	tokenSeconds = 3600
	// rootCA is the ConfigMap with the API server's certificate authorities that is in every namespace.
	rootCA = "kube-root-ca.crt"
	// inClusterServer is the API server as pods reach it.
	inClusterServer = "https://kubernetes.default.svc"

	// AttestServer is the API server, to which a publisher uploads the locks that it has read.
	AttestServer = inClusterServer
	// AttestToken is the file with the token of the pod, for the API server.
	AttestToken = attestDir + "/" + tokenFile
	// PublisherToken is the file with the token of the publisher, for the audience PublisherAudience. Neither the builder nor the fetcher has it.
	PublisherToken = attestDir + "/" + publisherTokenFile
	// AttestCA is the file with the certificate authorities of the server.
	AttestCA  = attestDir + "/" + caFile
	attestDir = "/goldsmith/attest"
)

// addReports gives the builder a token of its own pod, for the API server's default audience. The token tells the server which pod
// reports.
func addReports(pod *corev1.PodSpec, build *v1alpha1.ImageBuild) {
	pod.Volumes = append(pod.Volumes, tokenVolume(reportName))
	container := &pod.Containers[0]
	container.VolumeMounts = append(container.VolumeMounts, corev1.VolumeMount{Name: reportName, MountPath: reportDir, ReadOnly: true})
	container.Env = append(container.Env,
		corev1.EnvVar{Name: EnvReportURL, Value: reportURL(build)},
		corev1.EnvVar{Name: EnvReportToken, Value: path.Join(reportDir, tokenFile)},
		corev1.EnvVar{Name: EnvReportCA, Value: path.Join(reportDir, caFile)})
}

// publisherTokens has the tokens of a publisher. The second tells the server that a request comes from the publisher, and not from the builder of
// the same pod.
func publisherTokens() corev1.Volume {
	volume := tokenVolume(attestName)
	volume.Projected.Sources = append(volume.Projected.Sources, corev1.VolumeProjection{ServiceAccountToken: &corev1.ServiceAccountTokenProjection{
		Path: publisherTokenFile, Audience: v1alpha1.PublisherAudience, ExpirationSeconds: new(int64(tokenSeconds)),
	}})
	return volume
}

// tokenVolume has a token of the pod, and the certificate authorities of the API server.
func tokenVolume(name string) corev1.Volume {
	return corev1.Volume{Name: name, VolumeSource: corev1.VolumeSource{
		Projected: &corev1.ProjectedVolumeSource{Sources: []corev1.VolumeProjection{
			{ServiceAccountToken: &corev1.ServiceAccountTokenProjection{Path: tokenFile, ExpirationSeconds: new(int64(tokenSeconds))}},
			{ConfigMap: &corev1.ConfigMapProjection{
				LocalObjectReference: corev1.LocalObjectReference{Name: rootCA},
				Items:                []corev1.KeyToPath{{Key: caFile, Path: caFile}},
			}},
		}},
	}}
}

func reportURL(build *v1alpha1.ImageBuild) string {
	return fmt.Sprintf("%s/apis/%s/namespaces/%s/imagebuilds/%s/report", inClusterServer, v1alpha1.SchemeGroupVersion, build.Namespace, build.Name)
}
