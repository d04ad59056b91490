// SPDX-License-Identifier: Apache-2.0

package images

import (
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
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
// attempt at once and counts neither against limit nor against on; the tenth fails the build.
type RetryPolicy struct {
	Limit   *int32
	On      []v1alpha1.FailureClass
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
}

// HistoryTTL says how long finished builds are kept.
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

// +k8s:deepcopy-gen:interfaces=k8s.io/apimachinery/pkg/runtime.Object

// ImageBuild is one build. Builds of an Image are named <image>-<number> and come from its instantiate
// subresource; one created directly is a build of its own, with a name of at most 55 characters.
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

// ImageBuildSpec is the record of what was asked for. It cannot be changed but for cancelRequested, which only the
// cancel subresource sets.
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
}

// PinnedInputs is what the inputs of an earlier build resolved to.
type PinnedInputs struct {
	BaseDigest string
	Files      map[string]string
}

// ImageReference names an Image of the same namespace.
type ImageReference struct {
	Name string
	UID  types.UID
}

// BuildTrigger says why there is a build.
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

// ImageBuildStatus is how a build goes.
type ImageBuildStatus struct {
	Phase          v1alpha1.BuildPhase
	Finished       bool
	Conditions     []metav1.Condition
	Resolved       *ResolvedInputs
	QueuedTime     *metav1.Time
	StartTime      *metav1.Time
	CompletionTime *metav1.Time
	CurrentAttempt int32
	Attempts       []BuildAttempt
	Artifacts      []Artifact
	Failure        *BuildFailure
	Progress       *BuildProgress
	Stages         []BuildStage
}

// BuildProgress is how far the builder says it is.
type BuildProgress struct {
	Stage   string
	Percent *int32
	Message string
	Time    metav1.MicroTime
	Attempt int32
}

// BuildStage is a stage of a build that its builder told of.
type BuildStage struct {
	Name           string
	StartTime      metav1.Time
	CompletionTime *metav1.Time
}

// ResolvedInputs is what the inputs of a build resolved to.
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
}

// BuildFailure says why a build or an attempt failed.
type BuildFailure struct {
	Class    v1alpha1.FailureClass
	Reason   v1alpha1.FailureReason
	Message  string
	ExitCode *int32
	LogTail  string
}

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

	With string
}
