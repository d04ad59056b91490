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

// ImageBuild is one build. Builds of an Image are named <image>-<number> and come from its instantiate
// subresource; one created directly is a build of its own, with a name of at most 55 characters.
type ImageBuild struct {
	metav1.TypeMeta `json:",inline"`
	// Standard object's metadata.
	// +optional
	metav1.ObjectMeta `json:"metadata,omitempty" protobuf:"bytes,1,opt,name=metadata"`

	// spec is the record of what was asked for. It cannot be changed.
	Spec ImageBuildSpec `json:"spec" protobuf:"bytes,2,opt,name=spec"`
	// status is how the build goes. It is written by the controller and ignored on writes to the build itself.
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

	// items is the list of builds.
	Items []ImageBuild `json:"items" protobuf:"bytes,2,rep,name=items"`
}

// ImageBuildSpec is the record of what was asked for. It cannot be changed but for cancelRequested, which only the
// cancel subresource sets.
type ImageBuildSpec struct {
	// imageRef is the Image that this is a build of. Set by the server; a build created directly has none.
	// +optional
	ImageRef *ImageReference `json:"imageRef,omitempty" protobuf:"bytes,1,opt,name=imageRef"`
	// number of the build among those of its Image, from 1. Set by the server; a build created directly has none.
	// +optional
	Number *int64 `json:"number,omitempty" protobuf:"varint,2,opt,name=number"`
	// imageGeneration is the generation of the Image whose spec was taken. Set by the server.
	// +optional
	ImageGeneration *int64 `json:"imageGeneration,omitempty" protobuf:"varint,3,opt,name=imageGeneration"`
	// trigger says why there is this build and who asked for it. Set by the server.
	// +optional
	Trigger *BuildTrigger `json:"trigger,omitempty" protobuf:"bytes,4,opt,name=trigger"`
	// inputs are what goes into the image: the Image's spec as it was.
	Inputs BuildInputs `json:"inputs" protobuf:"bytes,5,opt,name=inputs"`
	// timeouts bound the phases of the build. Defaults to the defaults of its fields.
	// +optional
	Timeouts *BuildTimeouts `json:"timeouts,omitempty" protobuf:"bytes,6,opt,name=timeouts"`
	// retry says which failures get another attempt, how many, and when. Defaults to the defaults of its fields.
	// +optional
	Retry *RetryPolicy `json:"retry,omitempty" protobuf:"bytes,7,opt,name=retry"`
	// cancelRequested is set once the cancel subresource was called.
	// +optional
	CancelRequested *CancelRequested `json:"cancelRequested,omitempty" protobuf:"bytes,8,opt,name=cancelRequested"`
	// pinned is what the inputs resolve to, whatever they would resolve to now: that of the build that this is a rerun
	// of. Set by the server; only a rerun has it.
	// +optional
	Pinned *PinnedInputs `json:"pinned,omitempty" protobuf:"bytes,9,opt,name=pinned"`
	// priority among the builds of the namespace that wait: the value of the PriorityClass that inputs.template names, as
	// it was when the build was created. Set by the server. Defaults to 0.
	// +optional
	Priority *int32 `json:"priority,omitempty" protobuf:"varint,10,opt,name=priority"`
	// runPolicy of the Image as it was: which builds of the Image this one waits for. Set by the server; a build created
	// directly has none.
	// +optional
	RunPolicy RunPolicy `json:"runPolicy,omitempty" protobuf:"bytes,11,opt,name=runPolicy,casttype=RunPolicy"`
	// oneOff is true if the build is made from other inputs than the Image's own. Such a build does not count for its Image:
	// it never becomes status.latestSuccessful, but a channel can name it. The server decides it when the build is created,
	// for a rerun and for a request with parameters; other builds have none. Defaults to false.
	// +optional
	OneOff *bool `json:"oneOff,omitempty" protobuf:"varint,12,opt,name=oneOff"`
}

// PinnedInputs is what the inputs of an earlier build resolved to.
type PinnedInputs struct {
	// baseDigest is the digest of the base Image: "sha256:" and 64 hex digits. Empty if the base is none.
	// +optional
	BaseDigest string `json:"baseDigest,omitempty" protobuf:"bytes,1,opt,name=baseDigest"`
	// files by name, as they were in the ConfigMap. Empty where the source is inline or there is none.
	// +optional
	Files map[string]string `json:"files,omitempty" protobuf:"bytes,2,rep,name=files"`
}

// ImageReference names an Image of the same namespace.
type ImageReference struct {
	// name of the Image.
	Name string `json:"name" protobuf:"bytes,1,opt,name=name"`
	// uid of the Image. An Image of the same name with another uid is another Image.
	UID types.UID `json:"uid" protobuf:"bytes,2,opt,name=uid,casttype=k8s.io/apimachinery/pkg/types.UID"`
}

// TriggerReason says what started a build.
// +enum
type TriggerReason string

const (
	// TriggerCreated is the first build of an Image.
	TriggerCreated TriggerReason = "Created"
	// TriggerSpecChange is a build for inputs that differ from those of the last attempted build.
	TriggerSpecChange TriggerReason = "SpecChange"
	// TriggerManual is a build that somebody asked for.
	TriggerManual TriggerReason = "Manual"
	// TriggerBaseChange is a build for another base: the Image that this one is based on has moved.
	TriggerBaseChange TriggerReason = "BaseChange"
	// TriggerSchedule is a build at a time of the schedule.
	TriggerSchedule TriggerReason = "Schedule"
	// TriggerRerun is a build of what an earlier build was made from.
	TriggerRerun TriggerReason = "Rerun"
)

// BuildTrigger says why there is a build.
type BuildTrigger struct {
	// reason is what started the build: Created, SpecChange, BaseChange, Schedule, Manual or Rerun.
	Reason TriggerReason `json:"reason" protobuf:"bytes,1,opt,name=reason,casttype=TriggerReason"`
	// message for people.
	// +optional
	Message string `json:"message,omitempty" protobuf:"bytes,2,opt,name=message"`
	// requestedBy is the authenticated user who made the request.
	// +optional
	RequestedBy string `json:"requestedBy,omitempty" protobuf:"bytes,3,opt,name=requestedBy"`
	// requestID is the requester's name for the request. Empty for builds created directly.
	// +optional
	RequestID string `json:"requestID,omitempty" protobuf:"bytes,4,opt,name=requestID"`
	// changes since the last attempted build.
	// +optional
	// +listType=atomic
	Changes []InputChange `json:"changes,omitempty" protobuf:"bytes,5,rep,name=changes"`
	// rerunOf is the name of the build that this is a rerun of.
	// +optional
	RerunOf string `json:"rerunOf,omitempty" protobuf:"bytes,6,opt,name=rerunOf"`
	// parameters are those that the request set for this build only. They are among the build's inputs.
	// +optional
	// +listType=map
	// +listMapKey=name
	Parameters []Parameter `json:"parameters,omitempty" protobuf:"bytes,7,rep,name=parameters"`
}

// InputChange is one difference between the inputs of two builds.
type InputChange struct {
	// path of the field, such as parameters[edition]. 1 to 512 characters.
	Path string `json:"path" protobuf:"bytes,1,opt,name=path"`
	// from is the value before, shortened to 128 characters; empty if there was none.
	// +optional
	From string `json:"from,omitempty" protobuf:"bytes,2,opt,name=from"`
	// to is the value after, shortened to 128 characters; empty if there is none.
	// +optional
	To string `json:"to,omitempty" protobuf:"bytes,3,opt,name=to"`
}

// CancelRequested records a request to cancel a build.
type CancelRequested struct {
	// time of the request.
	Time metav1.Time `json:"time" protobuf:"bytes,1,opt,name=time"`
	// by is the authenticated user who made it.
	// +optional
	By string `json:"by,omitempty" protobuf:"bytes,2,opt,name=by"`
	// reason given by that user.
	// +optional
	Reason string `json:"reason,omitempty" protobuf:"bytes,3,opt,name=reason"`
	// supersededBy is the name of the newer build of the Image for whose sake this one was cancelled while it waited.
	// +optional
	SupersededBy string `json:"supersededBy,omitempty" protobuf:"bytes,4,opt,name=supersededBy"`
}

// BuildPhase is where a build stands. The server refuses transitions that are not listed at each phase.
// +enum
type BuildPhase string

const (
	// BuildPending is a build that no controller has looked at. Next: Queued, Starting, Failed, Cancelled.
	BuildPending BuildPhase = "Pending"
	// BuildQueued is a build that waits for its turn. Next: Starting, Failed, Cancelled.
	BuildQueued BuildPhase = "Queued"
	// BuildStarting is a build whose attempt has a Job, or is about to have one, and no running container.
	// Next: Running, Queued, Succeeded, Failed, Retrying, Cancelling, Cancelled.
	BuildStarting BuildPhase = "Starting"
	// BuildRunning is a build whose container runs. Next: Queued, Succeeded, Failed, Retrying, Cancelling, Cancelled.
	BuildRunning BuildPhase = "Running"
	// BuildRetrying is a build between two attempts. Next: Starting, Failed, Cancelled.
	BuildRetrying BuildPhase = "Retrying"
	// BuildCancelling is a build that was told to end. Next: Cancelled, or Succeeded if it had finished first.
	BuildCancelling BuildPhase = "Cancelling"
	// BuildSucceeded is final.
	BuildSucceeded BuildPhase = "Succeeded"
	// BuildFailed is final.
	BuildFailed BuildPhase = "Failed"
	// BuildCancelled is final.
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

// ImageBuildStatus is how a build goes.
type ImageBuildStatus struct {
	// phase is where the build stands. The server sets Pending on creation.
	// +optional
	Phase BuildPhase `json:"phase,omitempty" protobuf:"bytes,1,opt,name=phase,casttype=BuildPhase"`
	// finished is true once phase is Succeeded, Failed or Cancelled. It can be selected by.
	// +optional
	Finished bool `json:"finished,omitempty" protobuf:"varint,2,opt,name=finished"`
	// conditions: Admitted, PodReady, Succeeded and Finished; after the end also LogArchived and Recorded, where there is an archive and a database.
	// +optional
	// +patchMergeKey=type
	// +patchStrategy=merge
	// +listType=map
	// +listMapKey=type
	Conditions []metav1.Condition `json:"conditions,omitempty" patchStrategy:"merge" patchMergeKey:"type" protobuf:"bytes,3,rep,name=conditions"`
	// resolved is what the inputs resolved to. Written once.
	// +optional
	Resolved *ResolvedInputs `json:"resolved,omitempty" protobuf:"bytes,4,opt,name=resolved"`
	// queuedTime is when the build began to wait for its turn.
	// +optional
	QueuedTime *metav1.Time `json:"queuedTime,omitempty" protobuf:"bytes,5,opt,name=queuedTime"`
	// startTime is when the first attempt was decided on. Every successful build has one.
	// +optional
	StartTime *metav1.Time `json:"startTime,omitempty" protobuf:"bytes,6,opt,name=startTime"`
	// completionTime is when the build finished. Every finished build has one, and no other.
	// +optional
	CompletionTime *metav1.Time `json:"completionTime,omitempty" protobuf:"bytes,7,opt,name=completionTime"`
	// currentAttempt is the number of the newest attempt, from 1; 0 before the first. The last of attempts has it.
	// +optional
	CurrentAttempt int32 `json:"currentAttempt,omitempty" protobuf:"varint,8,opt,name=currentAttempt"`
	// attempts at this build, oldest first. At most 20; at least one while the phase is Starting, Running, Retrying or
	// Cancelling, and of a build that succeeded.
	// +optional
	// +listType=map
	// +listMapKey=number
	Attempts []BuildAttempt `json:"attempts,omitempty" protobuf:"bytes,9,rep,name=attempts"`
	// artifacts are what the build made, one for each target. Set once the phase is Succeeded.
	// +optional
	// +listType=map
	// +listMapKey=target
	Artifacts []Artifact `json:"artifacts,omitempty" protobuf:"bytes,10,rep,name=artifacts"`
	// failure says why the build failed or was cancelled. Set once the phase is Failed or Cancelled.
	// +optional
	Failure *BuildFailure `json:"failure,omitempty" protobuf:"bytes,11,opt,name=failure"`
	// progress is what the builder of the current attempt reported last. Only the report subresource sets it; the next
	// attempt begins without.
	// +optional
	Progress *BuildProgress `json:"progress,omitempty" protobuf:"bytes,12,opt,name=progress"`
	// stages that the builder of the current attempt reported, in the order of their beginnings. At most 32.
	// +optional
	// +listType=map
	// +listMapKey=name
	Stages []BuildStage `json:"stages,omitempty" protobuf:"bytes,13,rep,name=stages"`
}

// BuildProgress is how far the builder says it is.
type BuildProgress struct {
	// stage that the builder is in, as it calls it.
	// +optional
	Stage string `json:"stage,omitempty" protobuf:"bytes,1,opt,name=stage"`
	// percent of the whole build that is done, 0 to 100.
	// +optional
	Percent *int32 `json:"percent,omitempty" protobuf:"varint,2,opt,name=percent"`
	// message for people.
	// +optional
	Message string `json:"message,omitempty" protobuf:"bytes,3,opt,name=message"`
	// time is when the server stored this.
	Time metav1.MicroTime `json:"time" protobuf:"bytes,4,opt,name=time"`
	// attempt whose builder said so.
	Attempt int32 `json:"attempt" protobuf:"varint,5,opt,name=attempt"`
}

// BuildStage is a stage of a build that its builder told of.
type BuildStage struct {
	// name of the stage.
	Name string `json:"name" protobuf:"bytes,1,opt,name=name"`
	// startTime is when the builder said that it is in this stage.
	StartTime metav1.Time `json:"startTime" protobuf:"bytes,2,opt,name=startTime"`
	// completionTime is when it said that it is in the next one, or when the attempt ended.
	// +optional
	CompletionTime *metav1.Time `json:"completionTime,omitempty" protobuf:"bytes,3,opt,name=completionTime"`
}

// ResolvedInputs is what the inputs of a build resolved to.
type ResolvedInputs struct {
	// inputsDigest is the digest of the resolved inputs: "sha256:" and 64 hex digits.
	InputsDigest string `json:"inputsDigest" protobuf:"bytes,1,opt,name=inputsDigest"`
	// files by name, as they were in the ConfigMap. Empty where the source is inline or there is none.
	// +optional
	Files map[string]string `json:"files,omitempty" protobuf:"bytes,2,rep,name=files"`
	// baseDigest is the digest of the base Image: "sha256:" and 64 hex digits. Empty where the base is a reference.
	// +optional
	BaseDigest string `json:"baseDigest,omitempty" protobuf:"bytes,3,opt,name=baseDigest"`
}

// AttemptOutcome is how an attempt ended.
// +enum
type AttemptOutcome string

const (
	// AttemptSucceeded is an attempt that made every artifact.
	AttemptSucceeded AttemptOutcome = "Succeeded"
	// AttemptFailed is an attempt that failed by itself.
	AttemptFailed AttemptOutcome = "Failed"
	// AttemptDisrupted is an attempt whose pod or node went away.
	AttemptDisrupted AttemptOutcome = "Disrupted"
	// AttemptCancelled is an attempt that was told to end.
	AttemptCancelled AttemptOutcome = "Cancelled"
)

// BuildAttempt is one attempt at a build: one Job with one pod.
type BuildAttempt struct {
	// number of the attempt, from 1.
	Number int32 `json:"number" protobuf:"varint,1,opt,name=number"`
	// jobName is the name of the attempt's Job. It is recorded before the Job is created.
	JobName string `json:"jobName" protobuf:"bytes,2,opt,name=jobName"`
	// jobUID is the UID of that Job. A Job of the same name with another UID is not this attempt's.
	// +optional
	JobUID types.UID `json:"jobUID,omitempty" protobuf:"bytes,3,opt,name=jobUID,casttype=k8s.io/apimachinery/pkg/types.UID"`
	// podName is the name of the Job's pod.
	// +optional
	PodName string `json:"podName,omitempty" protobuf:"bytes,4,opt,name=podName"`
	// podUID is the UID of that pod. What another pod says is refused.
	// +optional
	PodUID types.UID `json:"podUID,omitempty" protobuf:"bytes,5,opt,name=podUID,casttype=k8s.io/apimachinery/pkg/types.UID"`
	// nodeName is where the pod runs.
	// +optional
	NodeName string `json:"nodeName,omitempty" protobuf:"bytes,6,opt,name=nodeName"`
	// startTime is when the attempt was decided on.
	StartTime metav1.Time `json:"startTime" protobuf:"bytes,7,opt,name=startTime"`
	// completionTime is when its outcome was decided.
	// +optional
	CompletionTime *metav1.Time `json:"completionTime,omitempty" protobuf:"bytes,8,opt,name=completionTime"`
	// outcome is how the attempt ended: Succeeded, Failed, Disrupted or Cancelled. Empty while it goes on.
	// +optional
	Outcome AttemptOutcome `json:"outcome,omitempty" protobuf:"bytes,9,opt,name=outcome,casttype=AttemptOutcome"`
	// failure says why it did not succeed. Set with the outcomes Failed and Disrupted.
	// +optional
	Failure *BuildFailure `json:"failure,omitempty" protobuf:"bytes,10,opt,name=failure"`
	// stopTime is when the controller decided to stop the attempt, because the build was cancelled or deleted. A node that does not
	// confirm the end of the pod within 2 minutes and 30 seconds is waited for no longer: the pod and its Job are deleted. Empty for
	// an attempt that was not stopped.
	// +optional
	StopTime *metav1.Time `json:"stopTime,omitempty" protobuf:"bytes,11,opt,name=stopTime"`
}

// BuildFailure says why a build or an attempt failed.
type BuildFailure struct {
	// class of the failure. It decides whether there is another attempt.
	Class FailureClass `json:"class" protobuf:"bytes,1,opt,name=class,casttype=FailureClass"`
	// reason is one of the documented reasons of the class.
	Reason FailureReason `json:"reason" protobuf:"bytes,2,opt,name=reason,casttype=FailureReason"`
	// message for people: what happened to which object and what to do.
	// +optional
	Message string `json:"message,omitempty" protobuf:"bytes,3,opt,name=message"`
	// exitCode of the builder, if it ran and ended.
	// +optional
	ExitCode *int32 `json:"exitCode,omitempty" protobuf:"varint,4,opt,name=exitCode"`
	// logTail is the end of the attempt's log, at most 2 KiB.
	// +optional
	LogTail string `json:"logTail,omitempty" protobuf:"bytes,5,opt,name=logTail"`
}
