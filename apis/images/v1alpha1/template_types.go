// SPDX-License-Identifier: Apache-2.0

package v1alpha1

import (
	corev1 "k8s.io/api/core/v1"
)

// BuildTemplate says how the pods of builds are made: where they run, with how much, and what else they are told. The
// rest of a pod is not negotiable: it always meets the restricted Pod Security Standard, mounts no service-account
// token unless the operator lets its builder report, and has no volumes besides those of the builder contract. A build
// whose pod the namespace forbids all the same (admission, a LimitRange, a missing service account) fails with
// PodForbidden and what the API server said.
// As JSON, without HTML escaping, a template is at most 32 KiB.
//
// A server on one machine runs builders as processes of its own: builds with env fail there with BuilderNotRunnable,
// because a variable could make a builder run something else, and of the other fields only priorityClassName has an
// effect: on the order in which builds run.
type BuildTemplate struct {
	// serviceAccountName is the service account of the namespace that the pod runs as: its imagePullSecrets are used,
	// and what admission ties to it. No token of it is mounted, unless the operator lets the builder report. A DNS
	// subdomain of at most 253 characters. Defaults to the namespace's service account "default".
	// +optional
	ServiceAccountName string `json:"serviceAccountName,omitempty" protobuf:"bytes,1,opt,name=serviceAccountName"`
	// resources are what the builder's container requests, and may use at most. Quantities are not negative, and no
	// request is above its limit. claims are refused. Defaults to what a LimitRange of the namespace sets, or to none.
	// +optional
	Resources *corev1.ResourceRequirements `json:"resources,omitempty" protobuf:"bytes,2,opt,name=resources"`
	// nodeSelector holds the labels that a node must have to run the pod. At most 64.
	// +optional
	NodeSelector map[string]string `json:"nodeSelector,omitempty" protobuf:"bytes,3,rep,name=nodeSelector"`
	// tolerations of the pod, at most 50. Goldsmith adds its own: of not-ready and unreachable nodes, with effect
	// NoExecute, for 60 seconds. One listed here that covers the same taint replaces it.
	// +optional
	// +listType=atomic
	Tolerations []corev1.Toleration `json:"tolerations,omitempty" protobuf:"bytes,4,rep,name=tolerations"`
	// affinity says to which nodes, and near or far from which other pods, the pod is scheduled.
	// +optional
	Affinity *corev1.Affinity `json:"affinity,omitempty" protobuf:"bytes,5,opt,name=affinity"`
	// runtimeClassName is the RuntimeClass that the pod runs with, a DNS subdomain of at most 253 characters. Defaults
	// to that of the cluster.
	// +optional
	RuntimeClassName string `json:"runtimeClassName,omitempty" protobuf:"bytes,6,opt,name=runtimeClassName"`
	// priorityClassName is the PriorityClass that the pod is scheduled with, a DNS subdomain of at most 253 characters.
	// Defaults to that of the cluster.
	// +optional
	PriorityClassName string `json:"priorityClassName,omitempty" protobuf:"bytes,7,opt,name=priorityClassName"`
	// env are environment variables for the builder, at most 100. Each has a value of at most 4096 bytes, or takes it
	// from a key of a Secret or a ConfigMap of the namespace. Names are at most 253 characters and do not begin with
	// GOLDSMITH_. Whoever may read the log may read what a builder prints of them.
	// +optional
	// +patchMergeKey=name
	// +patchStrategy=merge
	// +listType=map
	// +listMapKey=name
	Env []corev1.EnvVar `json:"env,omitempty" patchStrategy:"merge" patchMergeKey:"name" protobuf:"bytes,8,rep,name=env"`
	// queueName is the LocalQueue of Kueue that the build's Jobs are submitted to, a DNS subdomain of at most 63
	// characters: it becomes a label's value. Then Kueue decides when the Jobs start, whatever Goldsmith's own limits are. Once
	// its Job runs, the build counts for these limits. The server refuses queueName unless its operator has turned Kueue on.
	// Defaults to none. It does not count as an input.
	// +optional
	QueueName string `json:"queueName,omitempty" protobuf:"bytes,9,opt,name=queueName"`
}
