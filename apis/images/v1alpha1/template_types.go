// SPDX-License-Identifier: Apache-2.0

package v1alpha1

import (
	corev1 "k8s.io/api/core/v1"
)

// BuildTemplate configures the pods of builds: service account, resources, nodes and environment variables. A template
// has at most 32 KiB, measured on its JSON encoding without HTML escaping.
//
// Goldsmith sets all other fields of a pod. Every pod meets the restricted Pod Security Standard, and has only the
// volumes of the builder contract. A pod mounts a token only if the operator allows its builder to report
// progress. Admission, a LimitRange or a missing service account can still forbid the pod. The build then fails with
// PodForbidden, and with the message of the API server.
//
// `goldsmith up` runs builders as processes of the machine. On such a server, builds with env fail with
// BuilderNotRunnable, because a variable could make a builder run another program. Of the other fields, such a server
// uses only priorityClassName, which ranks waiting builds.
type BuildTemplate struct {
	// serviceAccountName is the service account that the pod runs as. The pod uses the imagePullSecrets of the service
	// account, and admission can depend on the service account. A pod mounts a token only if the operator allows
	// its builder to report progress. A DNS subdomain of at most 253 characters. Defaults to the service account
	// "default" of the namespace.
	// +optional
	// +k8s:optional
	// +k8s:format=k8s-long-name
	ServiceAccountName string `json:"serviceAccountName,omitempty" protobuf:"bytes,1,opt,name=serviceAccountName"`
	// resources sets the requests and limits of the builder's container. Quantities are not negative, and no request
	// exceeds its limit. Pods of builders have no resource claims. Defaults to the values that a LimitRange of the
	// namespace sets, or to none.
	// +optional
	Resources *ResourceRequirements `json:"resources,omitempty" protobuf:"bytes,2,opt,name=resources"`
	// nodeSelector sets the labels that a node needs to run the pod, at most 64. Defaults to none.
	// +optional
	// +k8s:optional
	// +k8s:maxProperties=64
	NodeSelector map[string]string `json:"nodeSelector,omitempty" protobuf:"bytes,3,rep,name=nodeSelector"`
	// tolerations sets the tolerations of the pod, at most 50. Goldsmith adds a toleration for the not-ready taint and
	// one for the unreachable taint, with effect NoExecute and tolerationSeconds 60. If this list tolerates one of
	// these taints, Goldsmith adds no toleration for that taint.
	// +optional
	// +listType=atomic
	// +k8s:optional
	// +k8s:maxItems=50
	// +k8s:eachVal=+k8s:opaqueType
	Tolerations []corev1.Toleration `json:"tolerations,omitempty" protobuf:"bytes,4,rep,name=tolerations"`
	// affinity sets the scheduling constraints of the pod, relative to nodes and to other pods. Defaults to none.
	// +optional
	// +k8s:optional
	// +k8s:opaqueType
	Affinity *corev1.Affinity `json:"affinity,omitempty" protobuf:"bytes,5,opt,name=affinity"`
	// runtimeClassName is the RuntimeClass of the pod, a DNS subdomain of at most 253 characters. Defaults to the
	// default container runtime of the cluster.
	// +optional
	// +k8s:optional
	// +k8s:format=k8s-long-name
	RuntimeClassName string `json:"runtimeClassName,omitempty" protobuf:"bytes,6,opt,name=runtimeClassName"`
	// priorityClassName is the PriorityClass of the pod, a DNS subdomain of at most 253 characters. The value of the
	// PriorityClass also ranks waiting builds of the namespace. Defaults to the default PriorityClass of the cluster.
	// +optional
	// +k8s:optional
	// +k8s:format=k8s-long-name
	PriorityClassName string `json:"priorityClassName,omitempty" protobuf:"bytes,7,opt,name=priorityClassName"`
	// env lists environment variables for the builder, at most 100. Each variable has a value of at most 4096 bytes, or
	// refers to a key of a Secret or a ConfigMap of the namespace. Names have at most 253 characters, and do not begin
	// with GOLDSMITH_. Builders can print variables: the values are then visible to users who can read the log.
	// +optional
	// +patchMergeKey=name
	// +patchStrategy=merge
	// +listType=map
	// +listMapKey=name
	// +k8s:optional
	// +k8s:maxItems=100
	// +k8s:eachVal=+k8s:opaqueType
	Env []corev1.EnvVar `json:"env,omitempty" patchStrategy:"merge" patchMergeKey:"name" protobuf:"bytes,8,rep,name=env"`
	// queueName is the Kueue LocalQueue that the build's Jobs are submitted to. A DNS subdomain of at most 63
	// characters, because the name becomes the value of a label. Kueue, instead of the limits on active builds, then
	// decides when the Jobs start. A build whose Job runs still counts towards these limits, and can delay other builds. The server
	// refuses queueName if the operator has not enabled Kueue. queueName is not an input: a change of queueName starts
	// no build. Defaults to none.
	// +optional
	// +k8s:optional
	// +k8s:maxLength=63
	// +k8s:format=k8s-long-name
	QueueName string `json:"queueName,omitempty" protobuf:"bytes,9,opt,name=queueName"`
}

// ResourceRequirements sets the compute resources of the builder's container. It has the form of a container's resources in a
// pod, without claims.
// +k8s:conversion-gen=false
type ResourceRequirements struct {
	// limits sets the largest amount of each resource that the container may use. Defaults to the limits that a LimitRange
	// of the namespace sets, or to none.
	// +optional
	Limits map[string]Quantity `json:"limits,omitempty" protobuf:"bytes,1,rep,name=limits"`
	// requests sets the amount of each resource that a node must have free to run the pod. Defaults to limits, or to the
	// requests that a LimitRange of the namespace sets.
	// +optional
	Requests map[string]Quantity `json:"requests,omitempty" protobuf:"bytes,2,rep,name=requests"`
}
