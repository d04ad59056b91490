// SPDX-License-Identifier: Apache-2.0

package images

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
)

// +k8s:deepcopy-gen:interfaces=k8s.io/apimachinery/pkg/runtime.Object

// BuildRequest asks for a build of an Image. It is created at the Image's instantiate subresource, which answers
// with the ImageBuild.
type BuildRequest struct {
	metav1.TypeMeta
	metav1.ObjectMeta

	RequestID  string
	Reason     v1alpha1.TriggerReason
	Message    string
	Changes    []InputChange
	Parameters []Parameter
}

// +k8s:deepcopy-gen:interfaces=k8s.io/apimachinery/pkg/runtime.Object

// RerunRequest asks for another build of what a build of an Image was made from: its inputs, and what they resolved to.
// It is created at the build's rerun subresource, which answers with the new ImageBuild. The Image must still exist.
type RerunRequest struct {
	metav1.TypeMeta
	metav1.ObjectMeta

	RequestID string
	Message   string
}

// +k8s:deepcopy-gen:interfaces=k8s.io/apimachinery/pkg/runtime.Object

// BuildReport says how far a builder is. It is created at the build's report subresource from inside the pod of the
// build's current attempt.
type BuildReport struct {
	metav1.TypeMeta
	metav1.ObjectMeta

	Stage   string
	Percent *int32
	Message string
}

// +k8s:deepcopy-gen:interfaces=k8s.io/apimachinery/pkg/runtime.Object

// ImageChannels are the names that an Image has for its successful builds.
type ImageChannels struct {
	metav1.TypeMeta
	metav1.ObjectMeta

	Channels []ImageChannel
}

// +k8s:deepcopy-gen:interfaces=k8s.io/apimachinery/pkg/runtime.Object

// ImagePlan says what would happen to an Image: whether it would be built now, why or why not, and with which Job.
type ImagePlan struct {
	metav1.TypeMeta
	metav1.ObjectMeta

	Spec   ImageSpec
	Status ImagePlanStatus
}

// ImagePlanStatus is what would happen.
type ImagePlanStatus struct {
	Build            bool
	Reason           string
	Message          string
	Changes          []InputChange
	InputsDigest     string
	BaseDigest       string
	BuildName        string
	Job              *runtime.RawExtension
	NextScheduleTime *metav1.Time
}

// +k8s:deepcopy-gen:interfaces=k8s.io/apimachinery/pkg/runtime.Object

// QueuedBuild is an ImageBuild of the same name that waits for its turn, with its place in the order.
type QueuedBuild struct {
	metav1.TypeMeta
	metav1.ObjectMeta

	Status QueuedBuildStatus
}

// QueuedBuildStatus is where a build stands in the queue.
type QueuedBuildStatus struct {
	Position           int32
	ImageName          string
	Priority           int32
	Message            string
	QueuedTime         *metav1.Time
	EstimatedStartTime *metav1.Time
}

// +k8s:deepcopy-gen:interfaces=k8s.io/apimachinery/pkg/runtime.Object

// QueuedBuildList is a list of builds that wait.
type QueuedBuildList struct {
	metav1.TypeMeta
	metav1.ListMeta

	Items []QueuedBuild
}

// +k8s:deepcopy-gen:interfaces=k8s.io/apimachinery/pkg/runtime.Object

// CancelRequest asks for a build to be cancelled. It is created at the build's cancel subresource, which answers
// with the ImageBuild. A build that has finished stays as it is.
type CancelRequest struct {
	metav1.TypeMeta
	metav1.ObjectMeta

	Reason       string
	SupersededBy string
}

// +k8s:deepcopy-gen:interfaces=k8s.io/apimachinery/pkg/runtime.Object

// ImageBuildLogOptions are the query parameters of a build's log subresource.
type ImageBuildLogOptions struct {
	metav1.TypeMeta

	Attempt    *int32
	Follow     bool
	TailLines  *int64
	SinceTime  *metav1.Time
	Timestamps bool
	LimitBytes *int64
	UID        string
}

// +k8s:deepcopy-gen:interfaces=k8s.io/apimachinery/pkg/runtime.Object

// ImageBuildDiff says how two builds differ.
type ImageBuildDiff struct {
	metav1.TypeMeta
	metav1.ObjectMeta

	From      ComparedBuild
	To        ComparedBuild
	Inputs    []InputChange
	Artifacts []ArtifactChange
}

// ComparedBuild is one of two builds that are compared.
type ComparedBuild struct {
	Name         string
	UID          types.UID
	Phase        v1alpha1.BuildPhase
	InputsDigest string
	Attempts     int32
	Failure      v1alpha1.FailureReason
	Duration     *metav1.Duration
}

// ArtifactChange is how an artifact differs between two builds.
type ArtifactChange struct {
	Target string
	From   string
	To     string
}

// +k8s:deepcopy-gen:interfaces=k8s.io/apimachinery/pkg/runtime.Object

// ImageBuildDiffOptions are the query parameters of a build's diff subresource.
type ImageBuildDiffOptions struct {
	metav1.TypeMeta

	With    string
	UID     string
	WithUID string
}
