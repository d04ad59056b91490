// SPDX-License-Identifier: Apache-2.0

package v1alpha1

import (
	"fmt"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Condition types of an Image.
const (
	// ImageReady is True when there is an artifact and the last finished build succeeded.
	ImageReady = "Ready"
	// ImageUpToDate is True when the latest successful build was made from the inputs as they resolve now.
	ImageUpToDate = "UpToDate"
	// ImageBuilding is True when a build is queued or running.
	ImageBuilding = "Building"
	// ImageInputsResolved is False when something the Image refers to is missing; the message names it.
	ImageInputsResolved = "InputsResolved"
	// ImageStalled is True when the Image will not progress without a person (kstatus).
	ImageStalled = "Stalled"
	// ImageScheduleActive is True when the schedule starts builds, and False when there is none, it is suspended, or too
	// many builds in a row have failed.
	ImageScheduleActive = "ScheduleActive"
)

// Condition types of an ImageBuild.
const (
	// BuildAdmitted is True once it was the build's turn.
	BuildAdmitted = "Admitted"
	// BuildPodReady is True once the container of the current attempt has started. While False its reason says what
	// the build waits for.
	BuildPodReady = "PodReady"
	// BuildConditionSucceeded is True or False once the build has finished, and Unknown before.
	BuildConditionSucceeded = "Succeeded"
	// BuildConditionFinished is True once the build has finished.
	BuildConditionFinished = "Finished"
	// BuildLogArchived is there once the build has finished, if there is an archive of logs. It is True when what there was
	// to keep of the logs of all attempts is in the archive, and False while it is not, or is no more.
	BuildLogArchived = "LogArchived"
	// BuildRecorded is there once the build has finished, if there is a database of records. It is True when the database has
	// the build as it ended, and False while it has not.
	BuildRecorded = "Recorded"
)

// Reasons of an Image's conditions, besides the reasons of failures.
const (
	// ReasonBuildSucceeded : the last finished build succeeded.
	ReasonBuildSucceeded = "BuildSucceeded"
	// ReasonBuildFailed : the last finished build failed.
	ReasonBuildFailed = "BuildFailed"
	// ReasonBuildCancelled : the last finished build was cancelled.
	ReasonBuildCancelled = "BuildCancelled"
	// ReasonNeverBuilt : no build has finished.
	ReasonNeverBuilt = "NeverBuilt"
	// ReasonInputsChanged : the inputs differ from those of the latest successful build.
	ReasonInputsChanged = "InputsChanged"
	// ReasonInputsUnchanged : the inputs are those of the latest successful build.
	ReasonInputsUnchanged = "InputsUnchanged"
	// ReasonInputsNotResolved : the inputs cannot be resolved now; see InputsResolved.
	ReasonInputsNotResolved = "InputsNotResolved"
	// ReasonResolved : everything the Image refers to is there.
	ReasonResolved = "Resolved"
	// ReasonBuildActive : a build is starting, running, retrying or being cancelled.
	ReasonBuildActive = "BuildActive"
	// ReasonBuildQueued : a build waits for its turn.
	ReasonBuildQueued = "BuildQueued"
	// ReasonIdle : no build is queued or running.
	ReasonIdle = "Idle"
	// ReasonProgressing : nothing keeps the Image from progressing.
	ReasonProgressing = "Progressing"
	// ReasonSuspended : the inputs have changed, and the triggers are suspended or off.
	ReasonSuspended = "Suspended"
	// ReasonNoSchedule : the Image has no schedule.
	ReasonNoSchedule = "NoSchedule"
	// ReasonScheduled : the schedule starts builds.
	ReasonScheduled = "Scheduled"
	// ReasonTooManyFailures : triggers.disableAfterFailures builds in a row have failed.
	ReasonTooManyFailures = "TooManyFailures"
)

// Reasons of an ImageBuild's conditions, besides the reasons of failures. While a build waits they are what WHY shows.
const (
	// ReasonSucceeded : the build made every artifact.
	ReasonSucceeded = "Succeeded"
	// ReasonInProgress : the build has not finished.
	ReasonInProgress = "InProgress"
	// ReasonAdmitted : it was the build's turn.
	ReasonAdmitted = "Admitted"
	// ReasonContainerStarted : the builder runs or has run.
	ReasonContainerStarted = "ContainerStarted"
	// ReasonWaitingForSlot : an earlier build of the Image has not finished, or the namespace or the cluster runs as many
	// builds as it may. The message says which.
	ReasonWaitingForSlot = "WaitingForSlot"
	// ReasonWaitingForKueue : Kueue has not admitted the Job, or has suspended it again.
	ReasonWaitingForKueue = "WaitingForKueue"
	// ReasonWaitingForPod : the Job has no pod yet, or its container is not there yet; the message says what is known.
	ReasonWaitingForPod = "WaitingForPod"
	// ReasonUnschedulable : no node takes the pod now.
	ReasonUnschedulable = "Unschedulable"
	// ReasonQuotaExceeded : a ResourceQuota of the namespace has no room for the pod now.
	ReasonQuotaExceeded = "QuotaExceeded"
	// ReasonImagePulling : the builder's image is being pulled.
	ReasonImagePulling = "ImagePulling"
	// ReasonBackingOff : the next attempt waits for its backoff.
	ReasonBackingOff = "BackingOff"
)

// Reasons of an ImageBuild's condition LogArchived.
const (
	// ReasonLogArchived : the log of each attempt is in the archive.
	ReasonLogArchived = "Archived"
	// ReasonLogArchivedInPart : of some attempt's log only what was read before its pod went is in the archive, or none.
	ReasonLogArchivedInPart = "ArchivedInPart"
	// ReasonNoLog : no attempt has written a log.
	ReasonNoLog = "NoLog"
	// ReasonArchiveUnavailable : the archive cannot be written to now. The message says why; it is tried again.
	ReasonArchiveUnavailable = "ArchiveUnavailable"
	// ReasonLogExpired : the archived log was deleted, because of history.logRetention.
	ReasonLogExpired = "LogExpired"
)

// Reasons of an ImageBuild's condition Recorded.
const (
	// ReasonRecorded : the database has the build as it ended.
	ReasonRecorded = "Recorded"
	// ReasonRecordsUnavailable : the database cannot be written to now. The message says why; it is tried again.
	ReasonRecordsUnavailable = "RecordsUnavailable"
	// ReasonNotRecordable : the database does not take this build, whose message says why. It is not tried again.
	ReasonNotRecordable = "NotRecordable"
)

// FailureClass groups the reasons of failures by who can help.
// +enum
type FailureClass string

const (
	// FailureUser is a failure of what is being built.
	FailureUser FailureClass = "User"
	// FailureConfig is a failure of what the build was told to use.
	FailureConfig FailureClass = "Config"
	// FailureInfrastructure is a failure of the machinery.
	FailureInfrastructure FailureClass = "Infrastructure"
	// FailureRegistry is a failure to get the builder's image.
	FailureRegistry FailureClass = "Registry"
	// FailureTimeout is the end of one of the build's timeouts.
	FailureTimeout FailureClass = "Timeout"
	// FailureCancelled is a build that somebody cancelled.
	FailureCancelled FailureClass = "Cancelled"
)

// FailureReason says what went wrong. Each reason belongs to one class.
type FailureReason string

// Reasons of class User.
const (
	// ReasonBuilderFailed : the builder said so, by its result or its exit code.
	ReasonBuilderFailed FailureReason = "BuilderFailed"
	// ReasonOOMKilled : the builder ran out of memory.
	ReasonOOMKilled FailureReason = "OOMKilled"
)

// Reasons of class Config.
const (
	// ReasonBuilderNotFound : no builder of this name is registered.
	ReasonBuilderNotFound FailureReason = "BuilderNotFound"
	// ReasonBuilderNotAllowed : builders given by image are not allowed here.
	ReasonBuilderNotAllowed FailureReason = "BuilderNotAllowed"
	// ReasonBuilderNotRunnable : the builder's container could not be started, or a Secret, ConfigMap or key of its env is missing.
	ReasonBuilderNotRunnable FailureReason = "BuilderNotRunnable"
	// ReasonSourceNotFound : the ConfigMap is missing, or holds something other than text.
	ReasonSourceNotFound FailureReason = "SourceNotFound"
	// ReasonSourceTooLarge : the files are more than 64 KiB.
	ReasonSourceTooLarge FailureReason = "SourceTooLarge"
	// ReasonBaseNotFound : the Image that base.imageRef names is missing, has no such channel, or was never built.
	ReasonBaseNotFound FailureReason = "BaseNotFound"
	// ReasonNoResult : the builder ended with exit code 0 and left no result.
	ReasonNoResult FailureReason = "NoResult"
	// ReasonInvalidResult : the builder's result does not keep the contract.
	ReasonInvalidResult FailureReason = "InvalidResult"
	// ReasonJobConflict : a Job of the attempt's name exists and is not ours.
	ReasonJobConflict FailureReason = "JobConflict"
	// ReasonJobRejected : the Job was refused on creation, for another reason than a quota.
	ReasonJobRejected FailureReason = "JobRejected"
	// ReasonPodForbidden : the namespace forbids the Job's pod (Pod Security, LimitRange, another admission), or lacks what it names.
	ReasonPodForbidden FailureReason = "PodForbidden"
	// ReasonInvalidImageName : the builder's image is not a valid reference.
	ReasonInvalidImageName FailureReason = "InvalidImageName"
)

// Reasons of class Infrastructure.
const (
	// ReasonBuilderTempFail : the builder said that trying again may help (exit code 75, or by its result).
	ReasonBuilderTempFail FailureReason = "BuilderTempFail"
	// ReasonEvicted : the pod was evicted. A disruption.
	ReasonEvicted FailureReason = "Evicted"
	// ReasonPreempted : the pod gave way to a more important one. A disruption.
	ReasonPreempted FailureReason = "Preempted"
	// ReasonNodeLost : the pod's node went away, or lost the container, as when it is restarted. A disruption.
	ReasonNodeLost FailureReason = "NodeLost"
	// ReasonNodeShutdown : the pod's node was shut down. A disruption.
	ReasonNodeShutdown FailureReason = "NodeShutdown"
	// ReasonNodeRejected : the node did not take the pod.
	ReasonNodeRejected FailureReason = "NodeRejected"
	// ReasonPodDeleted : somebody deleted the pod. A disruption.
	ReasonPodDeleted FailureReason = "PodDeleted"
	// ReasonJobDeleted : somebody deleted the Job. A disruption.
	ReasonJobDeleted FailureReason = "JobDeleted"
	// ReasonProcessLost : the builder's process ended with the server that ran it. A disruption.
	ReasonProcessLost FailureReason = "ProcessLost"
)

// Reasons of class Registry.
const (
	// ReasonImagePullFailed : the builder's image could not be pulled in time.
	ReasonImagePullFailed FailureReason = "ImagePullFailed"
)

// Reasons of class Timeout.
const (
	// ReasonQueueTimeout : it was not the build's turn within timeouts.queue.
	ReasonQueueTimeout FailureReason = "QueueTimeout"
	// ReasonStartTimeout : no container started within timeouts.start.
	ReasonStartTimeout FailureReason = "StartTimeout"
	// ReasonRunTimeout : the build ran longer than timeouts.run.
	ReasonRunTimeout FailureReason = "RunTimeout"
)

// Reasons of class Cancelled.
const (
	// ReasonCancelRequested : somebody asked for it.
	ReasonCancelRequested FailureReason = "CancelRequested"
	// ReasonSuperseded : a newer build of the Image made it unnecessary while it waited (runPolicy SerialLatestOnly).
	ReasonSuperseded FailureReason = "Superseded"
)

// Class is the class that a reason belongs to; empty if it is none of the reasons above.
func (r FailureReason) Class() FailureClass {
	switch r {
	case ReasonBuilderFailed, ReasonOOMKilled:
		return FailureUser
	case ReasonBuilderNotFound, ReasonBuilderNotAllowed, ReasonBuilderNotRunnable, ReasonSourceNotFound, ReasonSourceTooLarge, ReasonBaseNotFound,
		ReasonNoResult, ReasonInvalidResult, ReasonJobConflict, ReasonJobRejected, ReasonPodForbidden, ReasonInvalidImageName:
		return FailureConfig
	case ReasonBuilderTempFail, ReasonEvicted, ReasonPreempted, ReasonNodeLost, ReasonNodeShutdown, ReasonNodeRejected,
		ReasonPodDeleted, ReasonJobDeleted, ReasonProcessLost:
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
	// EventBuildCreated is recorded on an Image when a build of it was started.
	EventBuildCreated = "BuildCreated"
	// EventBuildRefused is recorded on an Image when the API server refuses a build of it, for a quota or a limit of the operator.
	EventBuildRefused = "BuildRefused"
	// EventSucceeded is recorded on an ImageBuild that succeeded.
	EventSucceeded = "Succeeded"
	// EventRetrying is recorded on an ImageBuild whose attempt failed and gets another.
	EventRetrying = "Retrying"
	// EventScheduleDisabled is recorded on an Image whose schedule and base start no more builds after too many failures.
	EventScheduleDisabled = "ScheduleDisabled"
	// EventStalled is recorded on an Image when its condition Stalled becomes True, or is True for another cause. The message
	// begins with the condition's reason.
	EventStalled = "Stalled"
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
	// AnnotationQueueWeight is the weight of a Namespace's share of the queue, a whole number from 1 to 1000. On
	// Namespaces, by whoever may change them. Defaults to 1.
	AnnotationQueueWeight = GroupName + "/queue-weight"
	// AnnotationMaxBuilds is how many builds of a Namespace may be active at the same time, a whole number from 0 to
	// 100000. On Namespaces, by whoever may change them. Defaults to what the operator set for all of them.
	AnnotationMaxBuilds = GroupName + "/max-builds"
	// LabelKueueQueue is the label by which Kueue finds the Jobs of its queues.
	LabelKueueQueue = "kueue.x-k8s.io/queue-name"
	// LabelLegalHold with the value "true", on an ImageBuild or on an Image, keeps that finished build, or those of that
	// image, their archived logs and their records, whatever the image's history says. It does not keep anybody from deleting
	// the builds.
	LabelLegalHold = GroupName + "/legal-hold"
	// LegalHold is the value of LabelLegalHold that counts.
	LegalHold = "true"
)

// UnderLegalHold reports whether the label LabelLegalHold of an Image or an ImageBuild sets a legal hold.
func UnderLegalHold(object metav1.Object) bool {
	return object.GetLabels()[LabelLegalHold] == LegalHold
}
