// SPDX-License-Identifier: Apache-2.0

package images

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
)

// +k8s:deepcopy-gen:interfaces=k8s.io/apimachinery/pkg/runtime.Object

// ImageBuild is one build. The builds of an Image are named <image>-<number>. The instantiate subresource of the
// Image and the rerun subresource of a build create them. A build that a user creates directly belongs to no Image.
// Its name has at most 55 characters.
type ImageBuild struct {
	metav1.TypeMeta
	metav1.ObjectMeta

	Spec   ImageBuildSpec
	Status ImageBuildStatus
}

// +k8s:deepcopy-gen:interfaces=k8s.io/apimachinery/pkg/runtime.Object

// ImageBuildList is a list of builds.
type ImageBuildList struct {
	metav1.TypeMeta
	metav1.ListMeta

	Items []ImageBuild
}

// ImageBuildSpec records what the build was asked to make. It is immutable, except that cancelRequested can be set
// once.
type ImageBuildSpec struct {
	ImageRef        *ImageReference
	Number          *int64
	ImageGeneration *int64
	Trigger         *BuildTrigger
	Inputs          BuildInputs
	Timeouts        *BuildTimeouts
	Retry           *RetryPolicy
	CancelRequested *CancelRequested
	Pinned          *PinnedInputs
	Priority        *int32
	RunPolicy       v1alpha1.RunPolicy
	OneOff          *bool
}

// PinnedInputs records what the inputs of an earlier build resolved to.
type PinnedInputs struct {
	BaseDigest string
	Files      map[string]string
}

// ImageReference identifies an Image of the same namespace.
type ImageReference struct {
	Name string
	UID  types.UID
}

// BuildTrigger records why a build was started.
type BuildTrigger struct {
	Reason      v1alpha1.TriggerReason
	Message     string
	RequestedBy string
	RequestID   string
	Changes     []InputChange
	RerunOf     string
	Parameters  []Parameter
}

// InputChange is one difference between the inputs of two builds.
type InputChange struct {
	Path string
	From string
	To   string
}

// CancelRequested records a request to cancel a build.
type CancelRequested struct {
	Time         metav1.Time
	By           string
	Reason       string
	SupersededBy string
}

// ImageBuildStatus reports the progress and the result of a build.
type ImageBuildStatus struct {
	Phase            v1alpha1.BuildPhase
	Finished         bool
	Conditions       []metav1.Condition
	Resolved         *ResolvedInputs
	QueuedTime       *metav1.Time
	StartTime        *metav1.Time
	CompletionTime   *metav1.Time
	CurrentAttempt   int32
	Attempts         []BuildAttempt
	Artifacts        []Artifact
	Failure          *BuildFailure
	Progress         *BuildProgress
	Stages           []BuildStage
	RequeuedDuration *metav1.Duration
}

// BuildProgress is a report of the builder about its progress.
type BuildProgress struct {
	Stage   string
	Percent *int32
	Message string
	Time    metav1.MicroTime
	Attempt int32
}

// BuildStage is a stage of a build that the builder reported.
type BuildStage struct {
	Name           string
	StartTime      metav1.Time
	CompletionTime *metav1.Time
}

// ResolvedInputs records what the inputs of a build resolved to.
type ResolvedInputs struct {
	InputsDigest string
	Files        map[string]string
	BaseDigest   string
}

// BuildAttempt is one attempt at a build: one Job with one pod.
type BuildAttempt struct {
	Number         int32
	JobName        string
	JobUID         types.UID
	PodName        string
	PodUID         types.UID
	NodeName       string
	StartTime      metav1.Time
	CompletionTime *metav1.Time
	Outcome        v1alpha1.AttemptOutcome
	Failure        *BuildFailure
	StopTime       *metav1.Time
}

// BuildFailure reports why a build or an attempt failed.
type BuildFailure struct {
	Class    v1alpha1.FailureClass
	Reason   v1alpha1.FailureReason
	Message  string
	ExitCode *int32
	LogTail  string
}
