// SPDX-License-Identifier: Apache-2.0

package builders

import "goldsmith.dev/goldsmith/apis/images/v1alpha1"

// Clients read the registered builders from these objects. `goldsmith up` computes the ConfigMap. In a cluster the Deployment mounts
// the ConfigMap, to whose name kustomize adds a suffix. The Deployment also has the flags.
const (
	// Namespace is the namespace of an installation.
	Namespace = "goldsmith-system"
	// ConfigMap maps each registered builder to its container image or, on one machine, to the path of its executable. Keys that end with
	// .yaml have documents with builders.
	ConfigMap = "goldsmith-builders"
	// Deployment is the name of the controller's Deployment.
	Deployment = "goldsmith-controller"
	// AnnotationReporting of the ConfigMap of one machine lists the builders that report, separated by commas.
	AnnotationReporting = v1alpha1.GroupName + "/reporting-builders"
	// AnnotationProblem, followed by the name of a builder, reports on one machine why its executable cannot run.
	AnnotationProblem = "problem." + v1alpha1.GroupName + "/"
	// AnnotationDescription, followed by the name of a builder, is what its operator wrote about it. Builders of a cluster have none.
	AnnotationDescription = "description." + v1alpha1.GroupName + "/"
	// AnnotationCapabilities, followed by the name of a builder, has the JSON of its capability.Capabilities, if its operator declared some.
	AnnotationCapabilities = "capabilities." + v1alpha1.GroupName + "/"
)
