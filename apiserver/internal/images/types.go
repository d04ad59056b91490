// SPDX-License-Identifier: Apache-2.0

package images

import (
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
)

// +k8s:deepcopy-gen:interfaces=k8s.io/apimachinery/pkg/runtime.Object

// Image is a golden image that should exist. Whenever its inputs change, Goldsmith builds it and keeps the
// outcome in its status. Names are DNS labels of at most 45 characters, so that every name derived from one
// is a legal label value.
type Image struct {
	metav1.TypeMeta
	metav1.ObjectMeta

	Spec   ImageSpec
	Status ImageStatus
}

// +k8s:deepcopy-gen:interfaces=k8s.io/apimachinery/pkg/runtime.Object

// ImageList is a list of images.
type ImageList struct {
	metav1.TypeMeta
	metav1.ListMeta

	Items []Image
}

// ImageSpec is the image that should exist.
type ImageSpec struct {
	BuildInputs

	Triggers  *Triggers
	RunPolicy v1alpha1.RunPolicy
	Suspend   *bool
	Timeouts  *BuildTimeouts
	Retry     *RetryPolicy
	History   *HistoryLimits
}

// BuildInputs is what goes into an image.
type BuildInputs struct {
	Builder    Builder
	Base       Base
	Source     *Source
	Parameters []Parameter
	Targets    []Target
	Template   *BuildTemplate
}

// Builder names what makes an image: exactly one of name or image.
type Builder struct {
	Name    string
	Image   string
	Command []string
}

// Base is what an image starts from.
type Base struct {
	Reference string
	ImageRef  *BaseImageReference
}

// BaseImageReference names what another Image has made.
type BaseImageReference struct {
	Name    string
	Channel string
}

// Source holds files for the builder. At most one of its fields is set.
type Source struct {
	Inline       *InlineSource
	ConfigMapRef *ConfigMapReference
}

// InlineSource holds files.
type InlineSource struct {
	Files map[string]string
}

// ConfigMapReference names a ConfigMap of the same namespace.
type ConfigMapReference struct {
	Name string
}

// Parameter is a named value for the builder.
type Parameter struct {
	Name  string
	Value string
}

// Target is one artifact to make.
type Target struct {
	Platform string
	Format   v1alpha1.ArtifactFormat
}

// BuildTemplate says how the pods of builds are made.
type BuildTemplate struct {
	ServiceAccountName string
	Resources          *corev1.ResourceRequirements
	NodeSelector       map[string]string
	Tolerations        []corev1.Toleration
	Affinity           *corev1.Affinity
	RuntimeClassName   string
	PriorityClassName  string
	Env                []corev1.EnvVar
	QueueName          string
}

// Triggers say what starts a build without anybody asking for one.
type Triggers struct {
	OnSpecChange         *bool
	OnBaseChange         *bool
	Schedule             *Schedule
	DisableAfterFailures *int32
}

// Schedule says at which times a build is started.
type Schedule struct {
	Cron             string
	TimeZone         string
	Mode             v1alpha1.ScheduleMode
	Jitter           *metav1.Duration
	StartingDeadline *metav1.Duration
}

// BuildTimeouts bound the phases of a build.
type BuildTimeouts struct {
	Start *metav1.Duration
	Run   *metav1.Duration
	Queue *metav1.Duration
}

// RetryPolicy says which failures get another attempt. A disruption (the pod or its node went away) gets another
// attempt at once and counts neither against limit nor against classes; the tenth fails the build.
type RetryPolicy struct {
	Limit   *int32
	Classes []v1alpha1.FailureClass
	Backoff *Backoff
}

// Backoff is a wait that doubles with each failure.
type Backoff struct {
	Initial *metav1.Duration
	Max     *metav1.Duration
}

// HistoryLimits say how many finished builds of an image are kept, and for how long, with their Jobs, pods and logs. The
// oldest go first; the latest successful build and the builds of channels are always kept.
type HistoryLimits struct {
	Succeeded *int32
	Failed    *int32
	TTL       *HistoryTTL

	LogRetention *HistoryTTL
	LogMaxBytes  *resource.Quantity

	RecordRetention *HistoryTTL
}

// HistoryTTL says how long finished builds, their archived logs, or their records, are kept.
type HistoryTTL struct {
	Succeeded *metav1.Duration
	Failed    *metav1.Duration
}

// ImageStatus is what is known about an image.
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
}

// ImageChannel is a name for a successful build of an Image.
type ImageChannel struct {
	Name   string
	Build  string
	Digest string
	Time   metav1.Time
	By     string
}

// BuildRequestRecord remembers the number that a request for a build was given.
type BuildRequestRecord struct {
	RequestID string
	Number    int64
	UID       types.UID
}

// AttemptedBuild is a build and the digest of what went into it.
type AttemptedBuild struct {
	Number       int64
	InputsDigest string
	BaseDigest   string
}

// LatestBuild is the build with the highest number.
type LatestBuild struct {
	Name   string
	Number int64
	Phase  v1alpha1.BuildPhase
}

// SuccessfulBuild is a build that succeeded, and what it made.
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
