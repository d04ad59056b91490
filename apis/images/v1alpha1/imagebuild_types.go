// SPDX-License-Identifier: Apache-2.0

package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

// +genclient
// +genclient:method=Cancel,verb=create,subresource=cancel,input=CancelRequest,result=ImageBuild
// +genclient:method=Rerun,verb=create,subresource=rerun,input=RerunRequest,result=ImageBuild
// +genclient:method=Report,verb=create,subresource=report,input=BuildReport,result=BuildReport
// +k8s:deepcopy-gen:interfaces=k8s.io/apimachinery/pkg/runtime.Object

// ImageBuild is one build. The builds of an Image are named <image>-<number>. The instantiate subresource of the Image
// and the rerun subresource of a build create them. A build that a user creates directly belongs to no Image. Its name
// has at most 55 characters.
type ImageBuild struct {
	metav1.TypeMeta `json:",inline"`
	// Standard object's metadata.
	// +optional
	metav1.ObjectMeta `json:"metadata,omitempty" protobuf:"bytes,1,opt,name=metadata"`

	// spec records what the build was asked to make. It is immutable, except for cancelRequested.
	Spec ImageBuildSpec `json:"spec" protobuf:"bytes,2,opt,name=spec"`
	// status reports the progress and the result of the build. The controller sets it. The server ignores it in writes
	// to the build itself.
	// +optional
	Status ImageBuildStatus `json:"status,omitempty" protobuf:"bytes,3,opt,name=status"`
}

// +k8s:deepcopy-gen:interfaces=k8s.io/apimachinery/pkg/runtime.Object

// ImageBuildList is a list of builds.
type ImageBuildList struct {
	metav1.TypeMeta `json:",inline"`
	// Standard list metadata.
	// +optional
	metav1.ListMeta `json:"metadata,omitempty" protobuf:"bytes,1,opt,name=metadata"`

	// items lists the builds.
	Items []ImageBuild `json:"items" protobuf:"bytes,2,rep,name=items"`
}

// ImageBuildSpec records what the build was asked to make. It is immutable, except for cancelRequested, which only the
// cancel subresource sets.
type ImageBuildSpec struct {
	// imageRef is the Image that the build belongs to. The server sets it. It is empty for a build that was created
	// directly.
	// +optional
	ImageRef *ImageReference `json:"imageRef,omitempty" protobuf:"bytes,1,opt,name=imageRef"`
	// number is the number of the build among the builds of its Image, starting at 1. The server sets it. It is empty
	// for a build that was created directly.
	// +optional
	Number *int64 `json:"number,omitempty" protobuf:"varint,2,opt,name=number"`
	// imageGeneration is the generation of the Image whose spec was copied. The server sets it. It is empty for a build
	// that was created directly.
	// +optional
	ImageGeneration *int64 `json:"imageGeneration,omitempty" protobuf:"varint,3,opt,name=imageGeneration"`
	// trigger records why the build was started, and by whom. The server sets it.
	// +optional
	Trigger *BuildTrigger `json:"trigger,omitempty" protobuf:"bytes,4,opt,name=trigger"`
	// inputs describes what the image is built from. The server copies it from the spec of the Image.
	Inputs BuildInputs `json:"inputs" protobuf:"bytes,5,opt,name=inputs"`
	// timeouts limits the duration of each phase of the build. Defaults to the defaults of its fields.
	// +optional
	Timeouts *BuildTimeouts `json:"timeouts,omitempty" protobuf:"bytes,6,opt,name=timeouts"`
	// retry sets which failures are retried, how often, and after which delay. Defaults to the defaults of its fields.
	// +optional
	Retry *RetryPolicy `json:"retry,omitempty" protobuf:"bytes,7,opt,name=retry"`
	// cancelRequested records the request to cancel the build. Only the cancel subresource sets it. It is empty until
	// then.
	// +optional
	CancelRequested *CancelRequested `json:"cancelRequested,omitempty" protobuf:"bytes,8,opt,name=cancelRequested"`
	// pinned contains what the inputs of an earlier build resolved to. The build uses these values instead of resolving
	// its inputs. The server sets it for reruns. It is empty for all other builds.
	// +optional
	Pinned *PinnedInputs `json:"pinned,omitempty" protobuf:"bytes,9,opt,name=pinned"`
	// priority ranks the build among the waiting builds of the namespace; higher values go first. The server sets it to
	// the value of the PriorityClass that inputs.template names, when the build is created. Defaults to 0.
	// +optional
	Priority *int32 `json:"priority,omitempty" protobuf:"varint,10,opt,name=priority"`
	// runPolicy is the runPolicy of the Image when the build was created. It sets which builds of the Image this build
	// waits for. The server sets it. It is empty for a build that was created directly.
	// +optional
	RunPolicy RunPolicy `json:"runPolicy,omitempty" protobuf:"bytes,11,opt,name=runPolicy,casttype=RunPolicy"`
	// oneOff is true if the build uses other inputs than the Image's own. A one-off build never becomes
	// status.latestSuccessful of the Image, but a channel can name it. The server sets it at creation, for reruns and
	// for requests with parameters. It is empty for all other builds, which are not one-off.
	// +optional
	OneOff *bool `json:"oneOff,omitempty" protobuf:"varint,12,opt,name=oneOff"`
}

// PinnedInputs records what the inputs of an earlier build resolved to.
type PinnedInputs struct {
	// baseDigest is the digest of the base Image: "sha256:" and 64 hex digits. It is empty if the base is not an Image.
	// +optional
	BaseDigest string `json:"baseDigest,omitempty" protobuf:"bytes,1,opt,name=baseDigest"`
	// files maps the name of each file of the ConfigMap to its content. It is empty if the source is inline, or if there
	// is no source.
	// +optional
	Files map[string]string `json:"files,omitempty" protobuf:"bytes,2,rep,name=files"`
}

// ImageReference identifies an Image of the same namespace.
type ImageReference struct {
	// name is the name of the Image.
	Name string `json:"name" protobuf:"bytes,1,opt,name=name"`
	// uid is the UID of the Image. It distinguishes the Image from earlier and later Images of the same name.
	UID types.UID `json:"uid" protobuf:"bytes,2,opt,name=uid,casttype=k8s.io/apimachinery/pkg/types.UID"`
}

// TriggerReason is what started a build.
// +enum
type TriggerReason string

const (
	// TriggerCreated starts the first build of an Image.
	TriggerCreated TriggerReason = "Created"
	// TriggerSpecChange starts a build because the inputs differ from those of the last attempted build.
	TriggerSpecChange TriggerReason = "SpecChange"
	// TriggerManual starts a build because a user requested it.
	TriggerManual TriggerReason = "Manual"
	// TriggerBaseChange starts a build because the build that base.imageRef selects has changed.
	TriggerBaseChange TriggerReason = "BaseChange"
	// TriggerSchedule starts a build at a time of the schedule.
	TriggerSchedule TriggerReason = "Schedule"
	// TriggerRerun repeats an earlier build with the same resolved inputs.
	TriggerRerun TriggerReason = "Rerun"
)

// BuildTrigger records why a build was started.
type BuildTrigger struct {
	// reason is what started the build: Created, SpecChange, BaseChange, Schedule, Manual or Rerun.
	Reason TriggerReason `json:"reason" protobuf:"bytes,1,opt,name=reason,casttype=TriggerReason"`
	// message explains the reason for a human reader.
	// +optional
	Message string `json:"message,omitempty" protobuf:"bytes,2,opt,name=message"`
	// requestedBy is the authenticated user who requested the build.
	// +optional
	RequestedBy string `json:"requestedBy,omitempty" protobuf:"bytes,3,opt,name=requestedBy"`
	// requestID is the ID that the requester chose. It is empty for a build that was created directly.
	// +optional
	RequestID string `json:"requestID,omitempty" protobuf:"bytes,4,opt,name=requestID"`
	// changes lists how the inputs differ from those of the last attempted build, at most 32 differences.
	// +optional
	// +listType=atomic
	Changes []InputChange `json:"changes,omitempty" protobuf:"bytes,5,rep,name=changes"`
	// rerunOf is the name of the build that this build repeats. It is empty unless reason is Rerun.
	// +optional
	RerunOf string `json:"rerunOf,omitempty" protobuf:"bytes,6,opt,name=rerunOf"`
	// parameters lists the parameters that the request set for this build only. They are included in the build's inputs.
	// +optional
	// +listType=map
	// +listMapKey=name
	Parameters []Parameter `json:"parameters,omitempty" protobuf:"bytes,7,rep,name=parameters"`
}

// InputChange is one difference between the inputs of two builds.
type InputChange struct {
	// path is the path of the field, such as parameters[edition]. 1 to 512 characters.
	Path string `json:"path" protobuf:"bytes,1,opt,name=path"`
	// from is the old value, shortened to 128 characters. It is empty if the field was not set before.
	// +optional
	From string `json:"from,omitempty" protobuf:"bytes,2,opt,name=from"`
	// to is the new value, shortened to 128 characters. It is empty if the field is not set now.
	// +optional
	To string `json:"to,omitempty" protobuf:"bytes,3,opt,name=to"`
}

// CancelRequested records a request to cancel a build.
type CancelRequested struct {
	// time is when the server received the request.
	Time metav1.Time `json:"time" protobuf:"bytes,1,opt,name=time"`
	// by is the authenticated user who made the request.
	// +optional
	By string `json:"by,omitempty" protobuf:"bytes,2,opt,name=by"`
	// reason is the reason that this user gave.
	// +optional
	Reason string `json:"reason,omitempty" protobuf:"bytes,3,opt,name=reason"`
	// supersededBy is the name of the newer build of the Image that made this build unnecessary while it waited. It is
	// empty for every other cancellation.
	// +optional
	SupersededBy string `json:"supersededBy,omitempty" protobuf:"bytes,4,opt,name=supersededBy"`
}

// BuildPhase is the phase of a build. The server refuses transitions to phases that are not listed as next phases.
// +enum
type BuildPhase string

const (
	// BuildPending means that the controller has not processed the build yet. Next phases: Queued, Starting, Failed,
	// Cancelled.
	BuildPending BuildPhase = "Pending"
	// BuildQueued means that the build waits to be admitted. Next phases: Starting, Failed, Cancelled.
	BuildQueued BuildPhase = "Queued"
	// BuildStarting means that the container of the current attempt has not started. The attempt may not have a Job yet.
	// Next phases: Running, Queued, Succeeded, Failed, Retrying, Cancelling, Cancelled.
	BuildStarting BuildPhase = "Starting"
	// BuildRunning means that the container of the current attempt runs. Next phases: Queued, Succeeded, Failed,
	// Retrying, Cancelling, Cancelled.
	BuildRunning BuildPhase = "Running"
	// BuildRetrying means that the build waits between two attempts. Next phases: Starting, Failed, Cancelled.
	BuildRetrying BuildPhase = "Retrying"
	// BuildCancelling means that the controller stops the current attempt. Next phases: Cancelled, or Succeeded if the
	// attempt had already succeeded.
	BuildCancelling BuildPhase = "Cancelling"
	// BuildSucceeded means that the build made every artifact. This phase is final.
	BuildSucceeded BuildPhase = "Succeeded"
	// BuildFailed means that the build failed. This phase is final.
	BuildFailed BuildPhase = "Failed"
	// BuildCancelled means that the build was cancelled. This phase is final.
	BuildCancelled BuildPhase = "Cancelled"
)

// Finished says whether the phase is final.
func (p BuildPhase) Finished() bool {
	return p == BuildSucceeded || p == BuildFailed || p == BuildCancelled
}

// Active says whether a build in this phase holds a slot of its Image.
func (p BuildPhase) Active() bool {
	return p == BuildStarting || p == BuildRunning || p == BuildRetrying || p == BuildCancelling
}

// ImageBuildStatus reports the progress and the result of a build.
type ImageBuildStatus struct {
	// phase is the current phase of the build. The server sets Pending on creation. The controller sets all other
	// phases.
	// +optional
	Phase BuildPhase `json:"phase,omitempty" protobuf:"bytes,1,opt,name=phase,casttype=BuildPhase"`
	// finished is true when phase is Succeeded, Failed or Cancelled. Field selectors support it.
	// +optional
	Finished bool `json:"finished,omitempty" protobuf:"varint,2,opt,name=finished"`
	// conditions contains the types Admitted, PodReady, Succeeded and Finished. A finished build also has LogArchived if
	// there is a log archive, and Recorded if there is a records database. The controller sets them.
	// +optional
	// +patchMergeKey=type
	// +patchStrategy=merge
	// +listType=map
	// +listMapKey=type
	Conditions []metav1.Condition `json:"conditions,omitempty" patchStrategy:"merge" patchMergeKey:"type" protobuf:"bytes,3,rep,name=conditions"`
	// resolved records what the inputs resolved to. The controller sets it once.
	// +optional
	Resolved *ResolvedInputs `json:"resolved,omitempty" protobuf:"bytes,4,opt,name=resolved"`
	// queuedTime is when the build began to wait for admission.
	// +optional
	QueuedTime *metav1.Time `json:"queuedTime,omitempty" protobuf:"bytes,5,opt,name=queuedTime"`
	// startTime is when the controller decided to start the first attempt. Every successful build has a startTime.
	// +optional
	StartTime *metav1.Time `json:"startTime,omitempty" protobuf:"bytes,6,opt,name=startTime"`
	// completionTime is when the build finished. It is set if and only if the build is finished.
	// +optional
	CompletionTime *metav1.Time `json:"completionTime,omitempty" protobuf:"bytes,7,opt,name=completionTime"`
	// currentAttempt is the number of the newest attempt, starting at 1. That attempt is the last item of attempts. 0
	// before the first attempt.
	// +optional
	CurrentAttempt int32 `json:"currentAttempt,omitempty" protobuf:"varint,8,opt,name=currentAttempt"`
	// attempts lists the attempts at this build, oldest first, at most 20. A build that is Starting, Running, Retrying,
	// Cancelling or Succeeded has at least one attempt.
	// +optional
	// +listType=map
	// +listMapKey=number
	Attempts []BuildAttempt `json:"attempts,omitempty" protobuf:"bytes,9,rep,name=attempts"`
	// artifacts lists what the build made, one artifact for each target. It is empty until phase is Succeeded.
	// +optional
	// +listType=map
	// +listMapKey=target
	Artifacts []Artifact `json:"artifacts,omitempty" protobuf:"bytes,10,rep,name=artifacts"`
	// failure reports why the build failed or was cancelled. It is empty until phase is Failed or Cancelled.
	// +optional
	Failure *BuildFailure `json:"failure,omitempty" protobuf:"bytes,11,opt,name=failure"`
	// progress is the last report of the current attempt's builder. Only the report subresource sets it. It is cleared
	// when the next attempt starts, or when Kueue suspends the current attempt.
	// +optional
	Progress *BuildProgress `json:"progress,omitempty" protobuf:"bytes,12,opt,name=progress"`
	// stages lists the stages that the current attempt's builder reported, in the order of their start, at most 32. Only
	// the report subresource adds stages.
	// +optional
	// +listType=map
	// +listMapKey=name
	Stages []BuildStage `json:"stages,omitempty" protobuf:"bytes,13,rep,name=stages"`
}

// BuildProgress is a report of the builder about its progress.
type BuildProgress struct {
	// stage is the builder's name for its current stage.
	// +optional
	Stage string `json:"stage,omitempty" protobuf:"bytes,1,opt,name=stage"`
	// percent is the completed part of the whole build, 0 to 100. It is empty if the builder did not report a
	// percentage.
	// +optional
	Percent *int32 `json:"percent,omitempty" protobuf:"varint,2,opt,name=percent"`
	// message describes the progress for a human reader.
	// +optional
	Message string `json:"message,omitempty" protobuf:"bytes,3,opt,name=message"`
	// time is when the server stored the report.
	Time metav1.MicroTime `json:"time" protobuf:"bytes,4,opt,name=time"`
	// attempt is the number of the attempt whose builder sent the report.
	Attempt int32 `json:"attempt" protobuf:"varint,5,opt,name=attempt"`
}

// BuildStage is a stage of a build that the builder reported.
type BuildStage struct {
	// name is the name of the stage.
	Name string `json:"name" protobuf:"bytes,1,opt,name=name"`
	// startTime is when the builder reported the start of the stage.
	StartTime metav1.Time `json:"startTime" protobuf:"bytes,2,opt,name=startTime"`
	// completionTime is when the builder reported the next stage, or when the attempt ended. It is empty for the current
	// stage.
	// +optional
	CompletionTime *metav1.Time `json:"completionTime,omitempty" protobuf:"bytes,3,opt,name=completionTime"`
}

// ResolvedInputs records what the inputs of a build resolved to.
type ResolvedInputs struct {
	// inputsDigest is the digest of the resolved inputs: "sha256:" and 64 hex digits.
	InputsDigest string `json:"inputsDigest" protobuf:"bytes,1,opt,name=inputsDigest"`
	// files maps the name of each file of the ConfigMap to its content. It is empty if the source is inline, or if there
	// is no source.
	// +optional
	Files map[string]string `json:"files,omitempty" protobuf:"bytes,2,rep,name=files"`
	// baseDigest is the digest of the base Image: "sha256:" and 64 hex digits. It is empty if the base is not an Image.
	// +optional
	BaseDigest string `json:"baseDigest,omitempty" protobuf:"bytes,3,opt,name=baseDigest"`
}

// AttemptOutcome is the result of an attempt.
// +enum
type AttemptOutcome string

const (
	// AttemptSucceeded means that the attempt made every artifact.
	AttemptSucceeded AttemptOutcome = "Succeeded"
	// AttemptFailed means that the attempt failed.
	AttemptFailed AttemptOutcome = "Failed"
	// AttemptDisrupted means that the attempt's pod, Job or node was lost.
	AttemptDisrupted AttemptOutcome = "Disrupted"
	// AttemptCancelled means that the build was cancelled or deleted during the attempt.
	AttemptCancelled AttemptOutcome = "Cancelled"
)

// BuildAttempt is one attempt at a build: one Job with one pod.
type BuildAttempt struct {
	// number is the number of the attempt, starting at 1.
	Number int32 `json:"number" protobuf:"varint,1,opt,name=number"`
	// jobName is the name of the attempt's Job. The controller sets it before it creates the Job.
	JobName string `json:"jobName" protobuf:"bytes,2,opt,name=jobName"`
	// jobUID is the UID of the attempt's Job. A Job of the same name with another UID does not belong to this attempt.
	// It is empty until the controller has observed the Job.
	// +optional
	JobUID types.UID `json:"jobUID,omitempty" protobuf:"bytes,3,opt,name=jobUID,casttype=k8s.io/apimachinery/pkg/types.UID"`
	// podName is the name of the Job's pod. It is empty until the controller has observed the pod.
	// +optional
	PodName string `json:"podName,omitempty" protobuf:"bytes,4,opt,name=podName"`
	// podUID is the UID of the Job's pod. The report subresource refuses reports of any other pod. It is empty until the
	// controller has observed the pod.
	// +optional
	PodUID types.UID `json:"podUID,omitempty" protobuf:"bytes,5,opt,name=podUID,casttype=k8s.io/apimachinery/pkg/types.UID"`
	// nodeName is the name of the node that the pod runs on. It is empty until the pod is scheduled.
	// +optional
	NodeName string `json:"nodeName,omitempty" protobuf:"bytes,6,opt,name=nodeName"`
	// startTime is when the controller decided to start the attempt.
	StartTime metav1.Time `json:"startTime" protobuf:"bytes,7,opt,name=startTime"`
	// completionTime is when the controller decided the outcome. It is empty until then.
	// +optional
	CompletionTime *metav1.Time `json:"completionTime,omitempty" protobuf:"bytes,8,opt,name=completionTime"`
	// outcome is the result of the attempt: Succeeded, Failed, Disrupted or Cancelled. It is empty while the attempt
	// continues.
	// +optional
	Outcome AttemptOutcome `json:"outcome,omitempty" protobuf:"bytes,9,opt,name=outcome,casttype=AttemptOutcome"`
	// failure reports why the attempt did not succeed. It is set for the outcomes Failed and Disrupted.
	// +optional
	Failure *BuildFailure `json:"failure,omitempty" protobuf:"bytes,10,opt,name=failure"`
	// stopTime is when the controller decided to stop the attempt, because the build was cancelled or deleted. The
	// controller then waits up to 2 minutes and 30 seconds for the node to confirm the end of the pod. After that it
	// deletes the pod and its Job. It is empty for an attempt that was not stopped.
	// +optional
	StopTime *metav1.Time `json:"stopTime,omitempty" protobuf:"bytes,11,opt,name=stopTime"`
}

// BuildFailure reports why a build or an attempt failed.
type BuildFailure struct {
	// class is the class of the failure. It decides whether the failure is retried.
	Class FailureClass `json:"class" protobuf:"bytes,1,opt,name=class,casttype=FailureClass"`
	// reason is one of the documented reasons of the class.
	Reason FailureReason `json:"reason" protobuf:"bytes,2,opt,name=reason,casttype=FailureReason"`
	// message describes for a human reader what failed, for which object, and what to do next.
	// +optional
	Message string `json:"message,omitempty" protobuf:"bytes,3,opt,name=message"`
	// exitCode is the exit code of the builder. It is empty if the builder did not run, or did not exit.
	// +optional
	ExitCode *int32 `json:"exitCode,omitempty" protobuf:"varint,4,opt,name=exitCode"`
	// logTail is the end of the attempt's log, at most 2 KiB.
	// +optional
	LogTail string `json:"logTail,omitempty" protobuf:"bytes,5,opt,name=logTail"`
}
