// SPDX-License-Identifier: Apache-2.0

package v1alpha1

import (
	"fmt"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Condition types of an Image.
const (
	// ImageReady is True when the last finished build that counts succeeded, so that there is an artifact.
	ImageReady = "Ready"
	// ImageUpToDate is True when the latest successful build was made from the inputs as they resolve now.
	ImageUpToDate = "UpToDate"
	// ImageBuilding is True when a build is queued or running, also a one-off build.
	ImageBuilding = "Building"
	// ImageInputsResolved is False when an object that the Image refers to is missing. The message names the object.
	ImageInputsResolved = "InputsResolved"
	// ImageReconciling is True until the inputs as they resolve now are built: while a build of them is due, waits or runs, and
	// while none can start. Its reason tells which (kstatus).
	ImageReconciling = "Reconciling"
	// ImageStalled is True when the Image makes no progress until a person acts (kstatus). Reconciling is False then.
	ImageStalled = "Stalled"
	// ImageScheduleActive is True when the schedule starts builds. It is False without a schedule, while the schedule is
	// suspended, and after too many consecutive failures.
	ImageScheduleActive = "ScheduleActive"
)

// Condition types of an ImageBuild.
const (
	// BuildAdmitted is True after the build was admitted.
	BuildAdmitted = "Admitted"
	// BuildPodReady is True after the container of the current attempt has started. While it is False, its reason is
	// what the build waits for.
	BuildPodReady = "PodReady"
	// BuildConditionSucceeded is True or False after the build has finished, and Unknown before.
	BuildConditionSucceeded = "Succeeded"
	// BuildConditionFinished is True after the build has finished.
	BuildConditionFinished = "Finished"
	// BuildReconciling is True until the build has finished (kstatus).
	BuildReconciling = "Reconciling"
	// BuildStalled exists on finished builds. It is True when the build failed or was cancelled (kstatus).
	BuildStalled = "Stalled"
	// BuildLogArchived exists on finished builds if there is a log archive. It is True when the archive contains the
	// logs of all attempts, as far as they could be read. It is False before, after the archived
	// log has expired, and while a part of it is damaged or lost.
	BuildLogArchived = "LogArchived"
	// BuildRecorded exists on finished builds if there is a records database. It is True when the database contains the
	// final state of the build, and False before.
	BuildRecorded = "Recorded"
)

// Reasons of an Image's conditions, besides the reasons of failures.
const (
	// ReasonBuildSucceeded means that the last finished build that counts succeeded.
	ReasonBuildSucceeded = "BuildSucceeded"
	// ReasonBuildFailed means that the last finished build that counts failed.
	ReasonBuildFailed = "BuildFailed"
	// ReasonBuildCancelled means that the build of the current inputs was cancelled, or deleted before it finished, and that
	// no other build has these inputs.
	ReasonBuildCancelled = "BuildCancelled"
	// ReasonBuildRefused means that the API server refuses the build that is due: because of a quota or a limit that the
	// operator set, or because an earlier version accepted a value of the image that this version refuses.
	ReasonBuildRefused = "BuildRefused"
	// ReasonNeverBuilt means that no build that counts exists or has finished. On UpToDate it means that no build has
	// succeeded.
	ReasonNeverBuilt = "NeverBuilt"
	// ReasonInputsChanged means that the inputs differ from those of the latest successful build.
	ReasonInputsChanged = "InputsChanged"
	// ReasonInputsUnchanged means that the inputs are those of the latest successful build.
	ReasonInputsUnchanged = "InputsUnchanged"
	// ReasonInputsNotResolved means that the inputs cannot be resolved now. The condition InputsResolved reports the
	// cause.
	ReasonInputsNotResolved = "InputsNotResolved"
	// ReasonResolved means that every object that the Image refers to exists.
	ReasonResolved = "Resolved"
	// ReasonBuildActive means that a build is starting, running, retrying or being cancelled. On Ready and UpToDate it is
	// the first build that counts.
	ReasonBuildActive = "BuildActive"
	// ReasonBuildQueued means that a build waits to be admitted. On Ready and UpToDate it is the first build that counts.
	ReasonBuildQueued = "BuildQueued"
	// ReasonBuildDue means that the controller is about to create a build.
	ReasonBuildDue = "BuildDue"
	// ReasonWaitingForController means that the Image was created, and that the controller has not observed it yet.
	ReasonWaitingForController = "WaitingForController"
	// ReasonIdle means that no build is queued or running. On Reconciling it means that the inputs are built, or that the
	// Image is stalled.
	ReasonIdle = "Idle"
	// ReasonProgressing means that nothing blocks the Image.
	ReasonProgressing = "Progressing"
	// ReasonSuspended means that the inputs have changed while the triggers are suspended or disabled. On ScheduleActive
	// it means that the Image is suspended.
	ReasonSuspended = "Suspended"
	// ReasonNoSchedule means that the Image has no schedule.
	ReasonNoSchedule = "NoSchedule"
	// ReasonInvalidSchedule means that the schedule cannot be read, because an earlier version accepted a value that this
	// version refuses. The message names the field.
	ReasonInvalidSchedule = "InvalidSchedule"
	// ReasonScheduled means that the schedule starts builds. On Reconciling it means that the inputs wait for the schedule.
	ReasonScheduled = "Scheduled"
	// ReasonTooManyFailures means that triggers.disableAfterFailures consecutive builds have failed.
	ReasonTooManyFailures = "TooManyFailures"
)

// Reasons of an ImageBuild's conditions, besides the reasons of failures. While a build waits they are what WHY shows.
const (
	// ReasonSucceeded means that the build made every artifact.
	ReasonSucceeded = "Succeeded"
	// ReasonInProgress means that the build has not finished.
	ReasonInProgress = "InProgress"
	// ReasonAdmitted means that the build was admitted.
	ReasonAdmitted = "Admitted"
	// ReasonContainerStarted means that the builder runs or has run.
	ReasonContainerStarted = "ContainerStarted"
	// ReasonWaitingForSlot means that an earlier build of the Image is unfinished, or that the namespace or the cluster
	// has reached its limit of builds. The message names the cause.
	ReasonWaitingForSlot = "WaitingForSlot"
	// ReasonWaitingForKueue means that Kueue has not admitted the Job, or has suspended it again.
	ReasonWaitingForKueue = "WaitingForKueue"
	// ReasonWaitingForWorker means that the pod waits for a worker of goldsmith up. The pod's condition PodScheduled has
	// the same reason.
	ReasonWaitingForWorker = "WaitingForWorker"
	// ReasonJobSuspended means that a user has suspended the Job.
	ReasonJobSuspended = "JobSuspended"
	// ReasonWaitingForPod means that the Job has no pod yet, or that the pod's container does not exist yet. The message
	// describes the known cause.
	ReasonWaitingForPod = "WaitingForPod"
	// ReasonUnschedulable means that no node can run the pod now.
	ReasonUnschedulable = "Unschedulable"
	// ReasonQuotaExceeded means that a ResourceQuota of the namespace has no room for the pod now.
	ReasonQuotaExceeded = "QuotaExceeded"
	// ReasonImagePulling means that the node pulls the builder's container image.
	ReasonImagePulling = "ImagePulling"
	// ReasonBackingOff means that the next attempt waits for its backoff.
	ReasonBackingOff = "BackingOff"
)

// Reasons of an ImageBuild's condition LogArchived.
const (
	// ReasonLogArchived means that the archive contains the complete log of each attempt.
	ReasonLogArchived = "Archived"
	// ReasonLogArchivedInPart means that the archive lacks a part of an attempt's log, or all of it. The pod was lost
	// before the controller had read that part, or the log is longer than its limit and lacks its middle.
	ReasonLogArchivedInPart = "ArchivedInPart"
	// ReasonNoLog means that no attempt has written a log.
	ReasonNoLog = "NoLog"
	// ReasonArchiveUnavailable means that the archive cannot be written to now. The message names the cause. The
	// controller tries again.
	ReasonArchiveUnavailable = "ArchiveUnavailable"
	// ReasonLogDamaged means that the archive has lost a part of an attempt's log, or that a part does not match its
	// checksum. The message names the bytes. The controller archives the part again if the pod still has the whole log.
	ReasonLogDamaged = "LogDamaged"
	// ReasonLogExpired means that the archived log was deleted according to history.logRetention.
	ReasonLogExpired = "LogExpired"
)

// Reasons of an ImageBuild's condition Recorded.
const (
	// ReasonRecorded means that the database contains the final state of the build.
	ReasonRecorded = "Recorded"
	// ReasonRecordsUnavailable means that the database cannot be written to now. The message names the cause. The
	// controller tries again.
	ReasonRecordsUnavailable = "RecordsUnavailable"
	// ReasonNotRecordable means that the database refuses the build. The message names the cause. The controller does
	// not try again until the build changes.
	ReasonNotRecordable = "NotRecordable"
)

// FailureClass groups the reasons of failures by who can correct them.
// +enum
type FailureClass string

const (
	// FailureUser is a failure of the content that is built.
	FailureUser FailureClass = "User"
	// FailureConfig is a failure of the configuration of the build.
	FailureConfig FailureClass = "Config"
	// FailureInfrastructure is a failure of the infrastructure that runs the build.
	FailureInfrastructure FailureClass = "Infrastructure"
	// FailureRegistry is a failure to pull the builder's container image.
	FailureRegistry FailureClass = "Registry"
	// FailureTimeout means that the build exceeded one of its timeouts.
	FailureTimeout FailureClass = "Timeout"
	// FailureCancelled means that the build was cancelled.
	FailureCancelled FailureClass = "Cancelled"
)

// FailureReason is the cause of a failure. Each reason belongs to one class.
type FailureReason string

// Reasons of class User.
const (
	// ReasonBuilderFailed means that the builder reported a failure, by its result or its exit code.
	ReasonBuilderFailed FailureReason = "BuilderFailed"
	// ReasonOOMKilled means that the builder ran out of memory.
	ReasonOOMKilled FailureReason = "OOMKilled"
)

// Reasons of class Config.
const (
	// ReasonBuilderNotFound means that no builder of this name is registered.
	ReasonBuilderNotFound FailureReason = "BuilderNotFound"
	// ReasonBuilderNotAllowed means that the operator does not allow builders that are set by image.
	ReasonBuilderNotAllowed FailureReason = "BuilderNotAllowed"
	// ReasonBuilderNotRunnable means that the builder's container could not be started, or that a Secret, ConfigMap or
	// key of its env is missing.
	ReasonBuilderNotRunnable FailureReason = "BuilderNotRunnable"
	// ReasonSourceNotFound means that the ConfigMap is missing, or contains data other than text.
	ReasonSourceNotFound FailureReason = "SourceNotFound"
	// ReasonSourceTooLarge means that the files have more than 64 KiB.
	ReasonSourceTooLarge FailureReason = "SourceTooLarge"
	// ReasonBaseNotFound means that the Image that base.imageRef names is missing, has no such channel, or was never
	// built.
	ReasonBaseNotFound FailureReason = "BaseNotFound"
	// ReasonNoResult means that the builder exited with code 0 without a result.
	ReasonNoResult FailureReason = "NoResult"
	// ReasonInvalidResult means that the builder's result violates the builder contract.
	ReasonInvalidResult FailureReason = "InvalidResult"
	// ReasonJobRejected means that the API server refused to create the Job, for a reason other than a quota.
	ReasonJobRejected FailureReason = "JobRejected"
	// ReasonPodForbidden means that the namespace forbids the Job's pod, or lacks an object that the pod names. Pod
	// Security, a LimitRange or another admission plugin can forbid a pod.
	ReasonPodForbidden FailureReason = "PodForbidden"
	// ReasonInvalidImageName means that the builder's image is not a valid reference.
	ReasonInvalidImageName FailureReason = "InvalidImageName"
)

// Reasons of class Infrastructure.
const (
	// ReasonBuilderTempFail means that the builder reported a temporary failure, by exit code 75 or by its result.
	ReasonBuilderTempFail FailureReason = "BuilderTempFail"
	// ReasonEvicted means that the pod was evicted. It is a disruption.
	ReasonEvicted FailureReason = "Evicted"
	// ReasonPreempted means that the pod was preempted by a pod of higher priority. It is a disruption.
	ReasonPreempted FailureReason = "Preempted"
	// ReasonNodeLost means that the pod's node was lost, or that the node lost the container, for example in a restart.
	// It is a disruption.
	ReasonNodeLost FailureReason = "NodeLost"
	// ReasonNodeShutdown means that the pod's node was shut down. It is a disruption.
	ReasonNodeShutdown FailureReason = "NodeShutdown"
	// ReasonNodeRejected means that the node rejected the pod.
	ReasonNodeRejected FailureReason = "NodeRejected"
	// ReasonPodDeleted means that the pod was deleted. It is a disruption.
	ReasonPodDeleted FailureReason = "PodDeleted"
	// ReasonJobDeleted means that the Job was deleted. It is a disruption.
	ReasonJobDeleted FailureReason = "JobDeleted"
	// ReasonJobConflict means that a Job of the attempt's name, or a pod of the attempt's Job, is not what the build
	// describes. Its result does not count. It is a disruption.
	ReasonJobConflict FailureReason = "JobConflict"
	// ReasonProcessLost means that the builder's process ended together with the server that ran it, or with the process that
	// supervises builders. It is a disruption.
	ReasonProcessLost FailureReason = "ProcessLost"
)

// Reasons of class Registry.
const (
	// ReasonImagePullFailed means that the builder's image could not be pulled within timeouts.start.
	ReasonImagePullFailed FailureReason = "ImagePullFailed"
)

// Reasons of class Timeout.
const (
	// ReasonQueueTimeout means that the build was not admitted within timeouts.queue.
	ReasonQueueTimeout FailureReason = "QueueTimeout"
	// ReasonStartTimeout means that no container started within timeouts.start.
	ReasonStartTimeout FailureReason = "StartTimeout"
	// ReasonRunTimeout means that the build ran longer than timeouts.run.
	ReasonRunTimeout FailureReason = "RunTimeout"
)

// Reasons of class Cancelled.
const (
	// ReasonCancelRequested means that a user cancelled the build, or deleted it while a finalizer kept it.
	ReasonCancelRequested FailureReason = "CancelRequested"
	// ReasonSuperseded means that a newer build of the Image made the build unnecessary while it waited (runPolicy
	// SerialLatestOnly).
	ReasonSuperseded FailureReason = "Superseded"
)

// Class is the class that a reason belongs to; empty if it is none of the reasons above.
func (r FailureReason) Class() FailureClass {
	switch r {
	case ReasonBuilderFailed, ReasonOOMKilled:
		return FailureUser
	case ReasonBuilderNotFound, ReasonBuilderNotAllowed, ReasonBuilderNotRunnable, ReasonSourceNotFound, ReasonSourceTooLarge, ReasonBaseNotFound,
		ReasonNoResult, ReasonInvalidResult, ReasonJobRejected, ReasonPodForbidden, ReasonInvalidImageName:
		return FailureConfig
	case ReasonBuilderTempFail, ReasonEvicted, ReasonPreempted, ReasonNodeLost, ReasonNodeShutdown, ReasonNodeRejected,
		ReasonPodDeleted, ReasonJobDeleted, ReasonJobConflict, ReasonProcessLost:
		return FailureInfrastructure
	case ReasonImagePullFailed:
		return FailureRegistry
	case ReasonQueueTimeout, ReasonStartTimeout, ReasonRunTimeout:
		return FailureTimeout
	case ReasonCancelRequested, ReasonSuperseded:
		return FailureCancelled
	}
	return ""
}

// Failure returns a failure with the reason, its class and a formatted message, which CutMessage makes fit.
func (r FailureReason) Failure(format string, args ...any) *BuildFailure {
	return &BuildFailure{Class: r.Class(), Reason: r, Message: CutMessage(fmt.Sprintf(format, args...))}
}

// Reasons of events, besides the reasons of failures.
const (
	// EventBuildCreated is recorded on an Image when a build of it is created.
	EventBuildCreated = "BuildCreated"
	// EventBuildRefused is recorded on an Image when the API server refuses a build of it, with the causes of
	// ReasonBuildRefused.
	EventBuildRefused = "BuildRefused"
	// EventSucceeded is recorded on an ImageBuild that succeeded.
	EventSucceeded = "Succeeded"
	// EventRetrying is recorded on an ImageBuild when an attempt has failed and is retried.
	EventRetrying = "Retrying"
	// EventScheduleDisabled is recorded on an Image when schedule and onBaseChange stop starting builds after too many
	// failures, or when the schedule is invalid.
	EventScheduleDisabled = "ScheduleDisabled"
	// EventStalled is recorded on an Image when its condition Stalled becomes True, or when its cause changes. The
	// message begins with the condition's reason.
	EventStalled = "Stalled"
	// EventInvalidAnnotation is recorded on a Namespace whose annotations AnnotationMaxBuilds and AnnotationQueueWeight
	// are invalid. The message names the values that count instead.
	EventInvalidAnnotation = "InvalidAnnotation"
)

// Labels and annotations of the objects that Goldsmith makes.
const (
	// LabelImage is the name of the Image, on builds, Jobs and pods.
	LabelImage = GroupName + "/image"
	// LabelBuild is the name of the ImageBuild, on Jobs and pods.
	LabelBuild = GroupName + "/build"
	// LabelAttempt is the number of the attempt, on Jobs and pods.
	LabelAttempt = GroupName + "/attempt"
	// LabelManagedBy is app.kubernetes.io/managed-by, on Jobs and pods.
	LabelManagedBy = "app.kubernetes.io/managed-by"
	// ManagedBy is the value of LabelManagedBy.
	ManagedBy = "goldsmith"
	// AnnotationInput is the builder's input, on pods.
	AnnotationInput = GroupName + "/input"
	// AnnotationQueueWeight is the weight of a Namespace's share of the queue, a whole number from 1 to 1000. Users with
	// permission to update the Namespace set it. Defaults to 1.
	AnnotationQueueWeight = GroupName + "/queue-weight"
	// AnnotationMaxBuilds is the maximum number of active builds of a Namespace, a whole number from 0 to 100000. Users
	// with permission to update the Namespace set it. Defaults to the limit that the operator set for all namespaces. An
	// invalid value counts as 0.
	AnnotationMaxBuilds = GroupName + "/max-builds"
	// AnnotationPromotion is the resource version of the Image that the last promotion to an ImageBuild has read. While
	// the Image has it, the controller does not prune the build. The server sets it.
	AnnotationPromotion = GroupName + "/promotion"
	// LabelKueueQueue is the label that assigns a Job to a queue of Kueue.
	LabelKueueQueue = "kueue.x-k8s.io/queue-name"
	// LabelLegalHold with the value "true" puts an ImageBuild, or all builds of an Image, under legal hold. Finished
	// builds under legal hold, their archived logs and their records are kept, whatever the Image's history sets. Users
	// can still delete the builds. The value "false" has the effect of no label. The server refuses other values.
	LabelLegalHold = GroupName + "/legal-hold"
	// LegalHold is the value of LabelLegalHold that sets a legal hold.
	LegalHold = "true"
	// NoLegalHold is the value of LabelLegalHold that sets no legal hold.
	NoLegalHold = "false"
)

// UnderLegalHold reports whether the label LabelLegalHold of an Image or an ImageBuild sets a legal hold. A stored value that the
// server refuses today does: a typing error must not delete what somebody wanted to keep.
func UnderLegalHold(object metav1.Object) bool {
	value, set := object.GetLabels()[LabelLegalHold]
	return set && value != NoLegalHold
}
