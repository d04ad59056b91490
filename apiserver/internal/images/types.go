// SPDX-License-Identifier: Apache-2.0

package images

import (
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
)

// +k8s:deepcopy-gen:interfaces=k8s.io/apimachinery/pkg/runtime.Object

// Image declares a golden image that should exist. Goldsmith builds the image whenever its inputs change, and reports
// the result in status. The name is a DNS label of at most 45 characters, so that every name derived from it is a
// valid label value.
type Image struct {
	metav1.TypeMeta
	metav1.ObjectMeta

	Spec   ImageSpec
	Status ImageStatus
}

// +k8s:deepcopy-gen:interfaces=k8s.io/apimachinery/pkg/runtime.Object

// ImageList is a list of Images.
type ImageList struct {
	metav1.TypeMeta
	metav1.ListMeta

	Items []Image
}

// ImageSpec describes the image that should exist.
type ImageSpec struct {
	BuildInputs

	Triggers  *Triggers
	RunPolicy v1alpha1.RunPolicy
	Suspend   *bool
	Timeouts  *BuildTimeouts
	Retry     *RetryPolicy
	History   *HistoryLimits
}

// BuildInputs describes what an image is built from.
type BuildInputs struct {
	Builder    Builder
	Base       Base
	Source     *Source
	Parameters []Parameter
	Targets    []Target
	Template   *BuildTemplate
}

// Builder selects what makes an image. Exactly one of name and image is set.
type Builder struct {
	Name    string
	Image   string
	Command []string
}

// Base selects what an image starts from. Exactly one of reference and imageRef is set.
type Base struct {
	Reference string
	ImageRef  *BaseImageReference
}

// BaseImageReference selects a build of another Image.
type BaseImageReference struct {
	Name    string
	Channel string
}

// Source provides files for the builder. At most one of its fields is set.
type Source struct {
	Inline       *InlineSource
	ConfigMapRef *ConfigMapReference
}

// InlineSource contains files.
type InlineSource struct {
	Files map[string]string
}

// ConfigMapReference selects a ConfigMap of the same namespace.
type ConfigMapReference struct {
	Name string
}

// Parameter is a named value for the builder.
type Parameter struct {
	Name  string
	Value string
}

// Target is one artifact to build.
type Target struct {
	Platform string
	Format   v1alpha1.ArtifactFormat
}

// BuildTemplate configures the pods of builds: service account, resources, nodes and environment variables. As JSON
// without HTML escaping, a template has at most 32 KiB.
type BuildTemplate struct {
	ServiceAccountName string
	Resources          *v1alpha1.ResourceRequirements
	NodeSelector       map[string]string
	Tolerations        []corev1.Toleration
	Affinity           *corev1.Affinity
	RuntimeClassName   string
	PriorityClassName  string
	Env                []corev1.EnvVar
	QueueName          string
}

// Triggers sets which events start a build without a request.
type Triggers struct {
	OnSpecChange         *bool
	OnBaseChange         *bool
	Schedule             *Schedule
	DisableAfterFailures *int32
}

// Schedule sets the times at which builds start. If the controller was unavailable at several of these times, only
// the last missed build is started.
type Schedule struct {
	Cron             string
	TimeZone         string
	Mode             v1alpha1.ScheduleMode
	Jitter           *v1alpha1.Duration
	StartingDeadline *v1alpha1.Duration
}

// BuildTimeouts limits the duration of each phase of a build.
type BuildTimeouts struct {
	Start *v1alpha1.Duration
	Run   *v1alpha1.Duration
	Queue *v1alpha1.Duration
}

// RetryPolicy sets which failures are retried. A disruption is the loss of the pod, its Job or its node. After a
// disruption the next attempt starts at once, independent of limit and classes. The tenth disruption fails the build.
type RetryPolicy struct {
	Limit   *int32
	Classes []v1alpha1.FailureClass
	Backoff *Backoff
}

// Backoff sets a delay that doubles with each failure. Up to a fifth of the delay is added, so that builds that
// failed together are not retried together. The addition depends only on the build and the attempt.
type Backoff struct {
	Initial *v1alpha1.Duration
	Max     *v1alpha1.Duration
}

// HistoryLimits sets how many finished builds of an Image are kept, with their Jobs, pods and logs, and for how long.
// The oldest builds are deleted first. The latest successful build and the builds of channels are always kept.
type HistoryLimits struct {
	Succeeded *int32
	Failed    *int32
	TTL       *HistoryTTL

	LogRetention *HistoryTTL
	LogMaxBytes  *v1alpha1.Quantity

	RecordRetention *HistoryTTL
	FileRetention   *v1alpha1.Duration
}

// HistoryTTL sets how long finished builds, their archived logs or their records are kept.
type HistoryTTL struct {
	Succeeded *v1alpha1.Duration
	Failed    *v1alpha1.Duration
}

// ImageStatus reports the observed state of an Image.
type ImageStatus struct {
	ObservedGeneration  int64
	BuildCounter        int64
	InputsDigest        string
	ActiveBuilds        int32
	QueuedBuilds        int32
	RecentRequests      []BuildRequestRecord
	LastAttempted       *AttemptedBuild
	LatestBuild         *LatestBuild
	LatestSuccessful    *SuccessfulBuild
	Conditions          []metav1.Condition
	Channels            []ImageChannel
	LastScheduleTime    *metav1.Time
	NextScheduleTime    *metav1.Time
	ConsecutiveFailures int32
	CountedBuild        int64
	LastFinished        *FinishedBuild
}

// ImageChannel is a named successful build of an Image.
type ImageChannel struct {
	Name   string
	Build  string
	Digest string
	Time   metav1.Time
	By     string
}

// BuildRequestRecord is a processed request for a build.
type BuildRequestRecord struct {
	RequestID   string
	Number      int64
	UID         types.UID
	RequestTime *metav1.Time
}

// AttemptedBuild identifies a build of an Image's own inputs, with the digest of these inputs. It is never a one-off
// build.
type AttemptedBuild struct {
	Number       int64
	InputsDigest string
	BaseDigest   string
}

// LatestBuild is the newest build of an Image that counts: it is neither one-off nor cancelled.
type LatestBuild struct {
	Name    string
	Number  int64
	Phase   v1alpha1.BuildPhase
	Deleted bool
}

// FinishedBuild identifies a build that has succeeded or failed, and is not one-off.
type FinishedBuild struct {
	Name         string
	Number       int64
	Phase        v1alpha1.BuildPhase
	Reason       v1alpha1.FailureReason
	InputsDigest string
}

// SuccessfulBuild is a successful build with its artifacts.
type SuccessfulBuild struct {
	Name           string
	Number         int64
	InputsDigest   string
	CompletionTime metav1.Time
	Artifacts      []Artifact
}

// Artifact is what a build made for one target.
type Artifact struct {
	Target    string
	Digest    string
	SizeBytes int64
	MediaType string
}
