// SPDX-License-Identifier: Apache-2.0

package builders

import "goldsmith.dev/goldsmith/apis/images/v1alpha1"

// Where clients learn which builders are registered. `goldsmith up` computes the ConfigMap. In a cluster the Deployment mounts the
// ConfigMap, whose name kustomize gives a suffix, and has the flags.
const (
	// Namespace is that of an installation.
	Namespace = "goldsmith-system"
	// ConfigMap has for each registered builder its container image or, on one machine, the path of its executable.
	ConfigMap = "goldsmith-builders"
	// Deployment is the controller's.
	Deployment = "goldsmith-controller"
	// AnnotationReporting of the ConfigMap of one machine lists the builders that report, separated by commas.
	AnnotationReporting = v1alpha1.GroupName + "/reporting-builders"
	// AnnotationProblem, followed by the name of a builder, reports on one machine why its executable cannot run.
	AnnotationProblem = "problem." + v1alpha1.GroupName + "/"
)
