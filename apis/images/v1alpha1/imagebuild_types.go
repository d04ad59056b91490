// SPDX-License-Identifier: Apache-2.0

package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

// +genclient
// +genclient:method=Cancel,verb=create,subresource=cancel,input=CancelRequest,result=ImageBuild
// +genclient:method=Rerun,verb=create,subresource=rerun,input=RerunRequest,result=ImageBuild
// +genclient:method=Test,verb=create,subresource=tests,input=TestRequest,result=ImageBuild
// +genclient:method=Revoke,verb=create,subresource=revoke,input=RevokeRequest,result=ImageBuild
// +genclient:method=Restore,verb=create,subresource=restore,input=RestoreRequest,result=ImageBuild
// +genclient:method=Report,verb=create,subresource=report,input=BuildReport,result=BuildReport
// +genclient:method=Attest,verb=create,subresource=attest,input=BuildAttestation,result=BuildAttestation
// +genclient:method=GetPackages,verb=get,subresource=packages,result=ImageBuildPackages
// +genclient:method=GetVulnerabilities,verb=get,subresource=vulnerabilities,result=ImageBuildVulnerabilities
// +genclient:method=Sign,verb=create,subresource=signatures,input=BuildSignatures,result=BuildSignatures
// +k8s:deepcopy-gen:interfaces=k8s.io/apimachinery/pkg/runtime.Object

// ImageBuild is one build. Users create a build of an Image at the instantiate subresource of the Image, or at the rerun or the tests
// subresource of an earlier build. The name of such a build is <image>-<number>. A build that a user creates directly
// belongs to no Image. Its name has at most 55 characters.
//
// A client that cannot use subresources creates an ImageBuild with imageRef.name, with generateName <image>- and without a
// name. The server answers it as a request at the instantiate subresource or, with trigger.rerunOf, at the rerun
// subresource, and with the permissions for that subresource. In such a request, only trigger has further fields:
// requestID, message and parameters.
type ImageBuild struct {
	metav1.TypeMeta `json:",inline"`
	// Standard object's metadata.
	// +optional
	metav1.ObjectMeta `json:"metadata,omitempty" protobuf:"bytes,1,opt,name=metadata"`

	// spec records the requested inputs and settings of the build. spec is immutable, except that cancelRequested can be
	// set once.
	// +required
	Spec ImageBuildSpec `json:"spec" protobuf:"bytes,2,opt,name=spec"`
	// status reports the progress and the result of the build. The controller and the report subresource set status. The
	// server ignores status in requests that create or update the build.
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

// ImageBuildSpec records the requested inputs and settings of the build. The spec is immutable, except that
// cancelRequested can be set once.
type ImageBuildSpec struct {
	// imageRef identifies the Image that the build belongs to. The server sets it. imageRef is empty for a build that
	// was created directly.
	// +optional
	ImageRef *ImageReference `json:"imageRef,omitempty" protobuf:"bytes,1,opt,name=imageRef"`
	// number is the number of the build among the builds of its Image, starting at 1. The server sets it. number is
	// empty for a build that was created directly.
	// +optional
	Number *int64 `json:"number,omitempty" protobuf:"varint,2,opt,name=number"`
	// imageGeneration is the generation of the Image that the inputs were copied from. The server sets it.
	// imageGeneration is empty for a build that was created directly.
	// +optional
	ImageGeneration *int64 `json:"imageGeneration,omitempty" protobuf:"varint,3,opt,name=imageGeneration"`
	// trigger records why the build was created, and by whom. The server sets it.
	// +optional
	// +k8s:optional
	Trigger *BuildTrigger `json:"trigger,omitempty" protobuf:"bytes,4,opt,name=trigger"`
	// inputs contains the inputs of the build. The server copies the inputs from the spec of the Image or, for a rerun,
	// from the earlier build. For a build that is created directly, the user sets the inputs.
	// +optional
	Inputs BuildInputs `json:"inputs" protobuf:"bytes,5,opt,name=inputs"`
	// timeouts limits the wait, the start and the run of the build. If timeouts is empty, the defaults of its fields
	// apply.
	// +optional
	// +k8s:optional
	Timeouts *BuildTimeouts `json:"timeouts,omitempty" protobuf:"bytes,6,opt,name=timeouts"`
	// retry configures retries: the failure classes that are retried, the number of retries and the delay. If retry is
	// empty, the defaults of its fields apply.
	// +optional
	// +k8s:optional
	Retry *RetryPolicy `json:"retry,omitempty" protobuf:"bytes,7,opt,name=retry"`
	// cancelRequested records the request to cancel the build. The cancel subresource sets it once. So does an update of a
	// build that has not finished, with the permission to create at the cancel subresource: it sets the reason, and the
	// server sets time and by. cancelRequested is empty if there was no such request.
	// +optional
	// +k8s:optional
	CancelRequested *CancelRequested `json:"cancelRequested,omitempty" protobuf:"bytes,8,opt,name=cancelRequested"`
	// pinned contains the resolved inputs of an earlier build. The build uses these values instead of resolving its
	// inputs. The server sets it for reruns. pinned is empty for all other builds, and if the earlier build had not
	// resolved its inputs.
	// +optional
	Pinned *PinnedInputs `json:"pinned,omitempty" protobuf:"bytes,9,opt,name=pinned"`
	// priority ranks the build among the waiting builds of the namespace; higher values go first. When the build is
	// created, the server sets priority to the value of the PriorityClass that inputs.template names. Defaults to 0.
	// +optional
	Priority *int32 `json:"priority,omitempty" protobuf:"varint,10,opt,name=priority"`
	// runPolicy is the runPolicy of the Image when the build was created. runPolicy decides whether the build waits for
	// earlier builds of the Image. The server sets it. runPolicy is empty for a build that was created directly.
	// +optional
	// +k8s:optional
	RunPolicy RunPolicy `json:"runPolicy,omitempty" protobuf:"bytes,11,opt,name=runPolicy,casttype=RunPolicy"`
	// oneOff is true if the inputs of the build differed from the inputs of its Image when the build was created. A
	// one-off build does not change latestSuccessful, lastAttempted and consecutiveFailures in the status of the Image.
	// A channel can refer to a one-off build. The server sets oneOff, to true or false, for reruns and for requests with parameters.
	// For other builds, oneOff is empty: they are not one-off.
	// +optional
	OneOff *bool `json:"oneOff,omitempty" protobuf:"varint,12,opt,name=oneOff"`
	// reproduces identifies an earlier build whose artifacts this build is to make again. The server sets it for a rerun that
	// asks for it, which is one-off. For a build that is created directly, the user may set it. It is empty for all other
	// builds.
	// +optional
	// +k8s:optional
	Reproduces *Reproduction `json:"reproduces,omitempty" protobuf:"bytes,13,opt,name=reproduces"`
	// tests lists the tests of the artifacts. The server copies them from the spec of the Image. A build that reproduces another build has
	// none. For a build that is created directly, the user may set them. At most 16.
	// +optional
	// +patchMergeKey=name
	// +patchStrategy=merge
	// +listType=map
	// +listMapKey=name
	// +k8s:optional
	// +k8s:maxItems=16
	Tests []ImageTest `json:"tests,omitempty" patchStrategy:"merge" patchMergeKey:"name" protobuf:"bytes,14,rep,name=tests"`
	// retests identifies an earlier build of the Image whose artifacts this build tests, instead of making artifacts. The server sets it. It is
	// empty for all other builds.
	// +optional
	// +k8s:optional
	Retests *TestedBuild `json:"retests,omitempty" protobuf:"bytes,15,opt,name=retests"`
}

// Reproduction identifies a build whose artifacts another build is to make again.
type Reproduction struct {
	// name is the name of the build, a DNS label of at most 63 characters.
	// +required
	// +k8s:required
	Name string `json:"name" protobuf:"bytes,1,opt,name=name"`
	// uid is the UID of the build. At most 128 characters.
	// +required
	// +k8s:required
	// +k8s:maxLength=128
	UID types.UID `json:"uid" protobuf:"bytes,2,opt,name=uid,casttype=k8s.io/apimachinery/pkg/types.UID"`
	// builderImage is the container image of the builder that made the artifacts, REFERENCE@DIGEST. At most 1024 characters.
	// builderImage is empty if it is not known.
	// +optional
	// +k8s:optional
	// +k8s:maxLength=1024
	BuilderImage string `json:"builderImage,omitempty" protobuf:"bytes,3,opt,name=builderImage"`
	// artifacts lists the artifacts, 1 to 16.
	// +required
	// +patchMergeKey=target
	// +patchStrategy=merge
	// +listType=map
	// +listMapKey=target
	// +k8s:required
	// +k8s:maxItems=16
	Artifacts []ReproducedArtifact `json:"artifacts" patchStrategy:"merge" patchMergeKey:"target" protobuf:"bytes,4,rep,name=artifacts"`
}

// ReproducedArtifact is an artifact that another build is to make again.
type ReproducedArtifact struct {
	// target is the platform and the format of the artifact, joined by a slash.
	// +required
	// +k8s:required
	Target string `json:"target" protobuf:"bytes,1,opt,name=target"`
	// digest is the digest of the artifact's content: "sha256:" and 64 hex digits.
	// +required
	// +k8s:required
	Digest string `json:"digest" protobuf:"bytes,2,opt,name=digest"`
	// lock is the digest of the artifact's lock. If it differs, other packages explain other content. lock is empty if the
	// artifact has no lock.
	// +optional
	// +k8s:optional
	Lock string `json:"lock,omitempty" protobuf:"bytes,3,opt,name=lock"`
}

// PinnedInputs contains the resolved inputs of an earlier build.
type PinnedInputs struct {
	// baseDigest is the digest that base.imageRef resolved to: "sha256:" and 64 hex digits. baseDigest is empty if the
	// base is not an Image.
	// +optional
	BaseDigest string `json:"baseDigest,omitempty" protobuf:"bytes,1,opt,name=baseDigest"`
	// files maps the name of each file of the ConfigMap to its content. files is empty if the source is inline, or if
	// there is no source.
	// +optional
	Files map[string]string `json:"files,omitempty" protobuf:"bytes,2,rep,name=files"`
	// base is the build of the Image that base.imageRef resolved to. base is empty if the base is not an Image.
	// +optional
	Base *BaseBuild `json:"base,omitempty" protobuf:"bytes,3,opt,name=base"`
	// source is what source.git or source.oci resolved to. source is empty for other sources.
	// +optional
	Source *SourceRevision `json:"source,omitempty" protobuf:"bytes,4,opt,name=source"`
}

// BaseBuild is a build of the base Image, with the artifacts that another build starts from.
type BaseBuild struct {
	// name is the name of the build.
	// +required
	Name string `json:"name" protobuf:"bytes,1,opt,name=name"`
	// artifacts lists the artifacts that the targets of the other build start from: for each target the artifact of the
	// same target, or else the first artifact of the same platform.
	// +patchMergeKey=target
	// +patchStrategy=merge
	// +listType=map
	// +listMapKey=target
	// +required
	Artifacts []Artifact `json:"artifacts" patchStrategy:"merge" patchMergeKey:"target" protobuf:"bytes,2,rep,name=artifacts"`
}

// ImageReference identifies an Image of the same namespace.
type ImageReference struct {
	// name is the name of the Image.
	// +required
	Name string `json:"name" protobuf:"bytes,1,opt,name=name"`
	// uid is the UID of the Image. The UID distinguishes the Image from earlier and later Images of the same name.
	// +optional
	UID types.UID `json:"uid,omitempty" protobuf:"bytes,2,opt,name=uid,casttype=k8s.io/apimachinery/pkg/types.UID"`
}

// TriggerReason is the kind of event that started a build.
// +enum
type TriggerReason string

const (
	// TriggerCreated starts the first build of an Image.
	TriggerCreated TriggerReason = "Created"
	// TriggerSpecChange starts a build because the inputs differ from those of the last attempted build, or because the
	// last build attempted nothing.
	TriggerSpecChange TriggerReason = "SpecChange"
	// TriggerManual starts a build because a user requested it.
	TriggerManual TriggerReason = "Manual"
	// TriggerBaseChange starts a build because base.imageRef resolves to a new digest.
	TriggerBaseChange TriggerReason = "BaseChange"
	// TriggerSchedule starts a build at a time of the schedule.
	TriggerSchedule TriggerReason = "Schedule"
	// TriggerRerun repeats an earlier build with the same resolved inputs.
	TriggerRerun TriggerReason = "Rerun"
	// TriggerTestsChange tests the artifacts of the last build again, because the tests differ from those of that build.
	TriggerTestsChange TriggerReason = "TestsChange"
	// TriggerPackageChange starts a build because an archive has newer versions of packages in the latest successful build.
	TriggerPackageChange TriggerReason = "PackageChange"
	// TriggerSourceChange starts a build because source.git or source.oci resolves to another commit or digest.
	TriggerSourceChange TriggerReason = "SourceChange"
)

// BuildTrigger records why a build was created, and by whom.
type BuildTrigger struct {
	// reason is the trigger reason of the build: Created, SpecChange, BaseChange, Schedule, Manual, Rerun, TestsChange, PackageChange or SourceChange.
	// +optional
	Reason TriggerReason `json:"reason,omitempty" protobuf:"bytes,1,opt,name=reason,casttype=TriggerReason"`
	// message explains the reason for a human reader.
	// +optional
	Message string `json:"message,omitempty" protobuf:"bytes,2,opt,name=message"`
	// requestedBy is the authenticated user who requested the build.
	// +optional
	RequestedBy string `json:"requestedBy,omitempty" protobuf:"bytes,3,opt,name=requestedBy"`
	// requestID is the ID of the request. requestID is empty for a build that was created directly.
	// +optional
	RequestID string `json:"requestID,omitempty" protobuf:"bytes,4,opt,name=requestID"`
	// changes lists the inputs that differ from those of the last attempted build, at most 32.
	// +optional
	// +listType=atomic
	// +k8s:optional
	Changes []InputChange `json:"changes,omitempty" protobuf:"bytes,5,rep,name=changes"`
	// rerunOf is the name of the build that this build repeats. rerunOf is set only if reason is Rerun.
	// +optional
	RerunOf string `json:"rerunOf,omitempty" protobuf:"bytes,6,opt,name=rerunOf"`
	// parameters lists the parameters that the request set for this build only. inputs.parameters of the build includes
	// these parameters.
	// +optional
	// +patchMergeKey=name
	// +patchStrategy=merge
	// +listType=map
	// +listMapKey=name
	// +k8s:optional
	Parameters []Parameter `json:"parameters,omitempty" patchStrategy:"merge" patchMergeKey:"name" protobuf:"bytes,7,rep,name=parameters"`
	// packages is why the build was started, if reason is PackageChange: status.packages of the Image at that time.
	// +optional
	Packages *ImagePackages `json:"packages,omitempty" protobuf:"bytes,8,opt,name=packages"`
}

// InputChange is one difference between the inputs of two builds.
type InputChange struct {
	// path is the path of the field, such as parameters[edition]. 1 to 512 characters.
	// +required
	// +k8s:required
	// +k8s:maxLength=512
	Path string `json:"path" protobuf:"bytes,1,opt,name=path"`
	// from is the old value, shortened to 128 characters: ellipses replace parts that from and to have in common, so that
	// they always differ. from is empty if the field was not set before.
	// +optional
	// +k8s:optional
	// +k8s:maxLength=128
	From string `json:"from,omitempty" protobuf:"bytes,2,opt,name=from"`
	// to is the new value, shortened as from is. to is empty if the field is not set now.
	// +optional
	// +k8s:optional
	// +k8s:maxLength=128
	To string `json:"to,omitempty" protobuf:"bytes,3,opt,name=to"`
}

// CancelRequested records a request to cancel a build.
type CancelRequested struct {
	// time is the time at which the server received the request.
	// +required
	Time metav1.Time `json:"time" protobuf:"bytes,1,opt,name=time"`
	// by is the authenticated user who made the request.
	// +optional
	By string `json:"by,omitempty" protobuf:"bytes,2,opt,name=by"`
	// reason is the reason that this user gave.
	// +optional
	// +k8s:optional
	// +k8s:maxLength=1024
	Reason string `json:"reason,omitempty" protobuf:"bytes,3,opt,name=reason"`
	// supersededBy is the name of the newer build of the Image that made this waiting build unnecessary. supersededBy
	// is empty for every other cancellation.
	// +optional
	SupersededBy string `json:"supersededBy,omitempty" protobuf:"bytes,4,opt,name=supersededBy"`
}

// BuildPhase is the phase of a build. The server refuses transitions to phases that are not listed as next phases.
// +enum
type BuildPhase string

const (
	// BuildPending means that the controller has not processed the build yet. Next phases: Queued, Starting, Testing,
	// Failed, Cancelled.
	BuildPending BuildPhase = "Pending"
	// BuildQueued means that the build waits to be admitted. Next phases: Starting, Testing, Failed, Cancelled.
	BuildQueued BuildPhase = "Queued"
	// BuildStarting means that the container of the current attempt has not started. It is possible that the attempt
	// has no Job yet. Next phases: Running, Queued, Testing, Succeeded, Failed, Retrying, Cancelling,
	// Cancelled.
	BuildStarting BuildPhase = "Starting"
	// BuildRunning means that the container of the current attempt runs. Next phases: Queued, Testing, Succeeded,
	// Failed, Retrying, Cancelling, Cancelled.
	BuildRunning BuildPhase = "Running"
	// BuildRetrying means that the build waits between two attempts. Next phases: Starting, Failed, Cancelled.
	BuildRetrying BuildPhase = "Retrying"
	// BuildTesting means that the artifacts are made, and that their tests are due, run, or wait between two attempts. Next phases:
	// Succeeded, Failed, Cancelling, Cancelled.
	BuildTesting BuildPhase = "Testing"
	// BuildCancelling means that the controller stops the current attempt. Next phases: Cancelled, or Succeeded if the
	// attempt had already succeeded.
	BuildCancelling BuildPhase = "Cancelling"
	// BuildSucceeded means that the build made every artifact, and that the required tests passed. This phase is final.
	BuildSucceeded BuildPhase = "Succeeded"
	// BuildFailed means that the build failed. This phase is final.
	BuildFailed BuildPhase = "Failed"
	// BuildCancelled means that the build was cancelled. This phase is final.
	BuildCancelled BuildPhase = "Cancelled"
)

// Finished reports whether the phase is final.
func (p BuildPhase) Finished() bool {
	return p == BuildSucceeded || p == BuildFailed || p == BuildCancelled
}

// Active reports whether a build in this phase counts towards the limits on active builds.
func (p BuildPhase) Active() bool {
	return p == BuildStarting || p == BuildRunning || p == BuildRetrying || p == BuildTesting || p == BuildCancelling
}

// ImageBuildStatus reports the progress and the result of a build. The controller sets each field, unless the
// description of the field names another writer.
type ImageBuildStatus struct {
	// phase is the current phase of the build. The server sets Pending on creation. The controller sets all other
	// phases.
	// +optional
	Phase BuildPhase `json:"phase,omitempty" protobuf:"bytes,1,opt,name=phase,casttype=BuildPhase"`
	// finished is true when phase is Succeeded, Failed or Cancelled. Field selectors support it.
	// +optional
	Finished bool `json:"finished,omitempty" protobuf:"varint,2,opt,name=finished"`
	// conditions contains the types Admitted, PodReady, Succeeded, Finished and Reconciling. A finished build also has
	// Stalled, LogArchived if there is a log archive, and Recorded if there is a records database. A build whose artifacts are
	// signed has Attested. A build with tests has Tested once it is Testing. A build that another build was to reproduce has Reproduced. A build that is or
	// was revoked has Revoked. The server sets Attested, and Succeeded,
	// Finished and Reconciling when the build is created. The controller sets all but Attested.
	// +optional
	// +patchMergeKey=type
	// +patchStrategy=merge
	// +listType=map
	// +listMapKey=type
	Conditions []metav1.Condition `json:"conditions,omitempty" patchStrategy:"merge" patchMergeKey:"type" protobuf:"bytes,3,rep,name=conditions"`
	// resolved contains the resolved inputs of the build. The controller sets it once.
	// +optional
	Resolved *ResolvedInputs `json:"resolved,omitempty" protobuf:"bytes,4,opt,name=resolved"`
	// queuedTime is the time at which the build began to wait for admission. queuedTime is empty if the build did not wait
	// before its startTime.
	// +optional
	QueuedTime *metav1.Time `json:"queuedTime,omitempty" protobuf:"bytes,5,opt,name=queuedTime"`
	// startTime is the time from which the first attempt could run: the controller had decided to start the attempt, and
	// neither Kueue nor a missing worker held it back. Every successful build has a startTime.
	// +optional
	StartTime *metav1.Time `json:"startTime,omitempty" protobuf:"bytes,6,opt,name=startTime"`
	// completionTime is the time at which the build finished. completionTime is empty until then.
	// +optional
	CompletionTime *metav1.Time `json:"completionTime,omitempty" protobuf:"bytes,7,opt,name=completionTime"`
	// currentAttempt is the number of the newest attempt, starting at 1. That attempt is the last item of attempts.
	// currentAttempt is 0 before the first attempt.
	// +optional
	CurrentAttempt int32 `json:"currentAttempt,omitempty" protobuf:"varint,8,opt,name=currentAttempt"`
	// attempts lists the attempts at this build, oldest first, at most 64. A build that is Starting, Running, Retrying,
	// Testing, Cancelling or Succeeded has at least one attempt, except a build that tests the artifacts of another build.
	// +optional
	// +patchMergeKey=number
	// +patchStrategy=merge
	// +listType=map
	// +listMapKey=number
	Attempts []BuildAttempt `json:"attempts,omitempty" patchStrategy:"merge" patchMergeKey:"number" protobuf:"bytes,9,rep,name=attempts"`
	// artifacts lists the artifacts of the build, one for each target. artifacts is empty until phase is Testing or Succeeded. A build whose
	// tests failed keeps them.
	// +optional
	// +patchMergeKey=target
	// +patchStrategy=merge
	// +listType=map
	// +listMapKey=target
	Artifacts []Artifact `json:"artifacts,omitempty" patchStrategy:"merge" patchMergeKey:"target" protobuf:"bytes,10,rep,name=artifacts"`
	// failure describes the failure or cancellation of the build. failure is empty until phase is Failed or Cancelled.
	// +optional
	Failure *BuildFailure `json:"failure,omitempty" protobuf:"bytes,11,opt,name=failure"`
	// progress is the last report of the current attempt's builder. Only the report subresource sets progress. The
	// controller clears progress when the next attempt starts, or when Kueue suspends the current attempt.
	// +optional
	Progress *BuildProgress `json:"progress,omitempty" protobuf:"bytes,12,opt,name=progress"`
	// stages lists the stages that the current attempt's builder reported, in the order of their start, at most 32. Only
	// the report subresource adds stages.
	// +optional
	// +patchMergeKey=name
	// +patchStrategy=merge
	// +listType=map
	// +listMapKey=name
	Stages []BuildStage `json:"stages,omitempty" patchStrategy:"merge" patchMergeKey:"name" protobuf:"bytes,13,rep,name=stages"`
	// requeuedDuration is the total time that the build waited again after startTime: its Job was suspended after a
	// container had run, or a later attempt waited for Kueue or for a worker. requeuedDuration counts as time in the queue
	// and not as duration of the build. A wait is added when it ends. requeuedDuration is empty if there was no such wait.
	// +optional
	RequeuedDuration *metav1.Duration `json:"requeuedDuration,omitempty" protobuf:"bytes,14,opt,name=requeuedDuration"`
	// attestation records what Goldsmith states about the artifacts of the current attempt, and the signatures of that. Only the attest and
	// the signatures subresource set it. The controller clears attestation when the next attempt starts.
	// +optional
	Attestation *Attestation `json:"attestation,omitempty" protobuf:"bytes,15,opt,name=attestation"`
	// tests lists the tests of the build with their results, in the order of spec.tests. It is empty until the phase is Testing.
	// +optional
	// +patchMergeKey=name
	// +patchStrategy=merge
	// +listType=map
	// +listMapKey=name
	Tests []TestStatus `json:"tests,omitempty" patchStrategy:"merge" patchMergeKey:"name" protobuf:"bytes,16,rep,name=tests"`
	// revoked records that the artifacts of the build must not be used any more, or from its effectiveTime on. Only the revoke subresource sets
	// it, and the restore subresource removes it, also after the build has finished. revoked is empty for a build that is not revoked.
	// +optional
	Revoked *Revocation `json:"revoked,omitempty" protobuf:"bytes,17,opt,name=revoked"`
}

// BuildProgress is a report of the builder about its progress.
type BuildProgress struct {
	// stage is the builder's name for its current stage.
	// +optional
	Stage string `json:"stage,omitempty" protobuf:"bytes,1,opt,name=stage"`
	// percent is the completed part of the whole build, 0 to 100 percent. percent is empty if the builder did not report
	// a percentage.
	// +optional
	Percent *int32 `json:"percent,omitempty" protobuf:"varint,2,opt,name=percent"`
	// message describes the progress for a human reader.
	// +optional
	Message string `json:"message,omitempty" protobuf:"bytes,3,opt,name=message"`
	// time is the time at which the server stored the report.
	// +required
	Time metav1.MicroTime `json:"time" protobuf:"bytes,4,opt,name=time"`
	// attempt is the number of the attempt whose builder sent the report.
	// +required
	Attempt int32 `json:"attempt" protobuf:"varint,5,opt,name=attempt"`
}

// BuildStage is a stage of a build that the builder reported.
type BuildStage struct {
	// name is the name of the stage.
	// +required
	Name string `json:"name" protobuf:"bytes,1,opt,name=name"`
	// startTime is the time at which the builder reported the start of the stage.
	// +required
	StartTime metav1.Time `json:"startTime" protobuf:"bytes,2,opt,name=startTime"`
	// completionTime is the time at which the builder reported the next stage, or the attempt ended. completionTime is
	// empty for the current stage.
	// +optional
	CompletionTime *metav1.Time `json:"completionTime,omitempty" protobuf:"bytes,3,opt,name=completionTime"`
}

// ResolvedInputs contains the resolved inputs of a build. To resolve the inputs, the controller reads the ConfigMap and
// the base Image that the inputs refer to.
type ResolvedInputs struct {
	// inputsDigest is the digest of the resolved inputs: "sha256:" and 64 hex digits.
	// +required
	InputsDigest string `json:"inputsDigest" protobuf:"bytes,1,opt,name=inputsDigest"`
	// files maps the name of each file of the ConfigMap to its content. files is empty if the source is inline, or if
	// there is no source.
	// +optional
	Files map[string]string `json:"files,omitempty" protobuf:"bytes,2,rep,name=files"`
	// baseDigest is the digest that base.imageRef resolved to: "sha256:" and 64 hex digits. It is the digest of the artifact
	// in base, or one digest over all of them if there are several. baseDigest is empty if the base is not an Image.
	// +optional
	BaseDigest string `json:"baseDigest,omitempty" protobuf:"bytes,3,opt,name=baseDigest"`
	// base is the build of the Image that base.imageRef resolved to. base is empty if the base is not an Image.
	// +optional
	Base *BaseBuild `json:"base,omitempty" protobuf:"bytes,4,opt,name=base"`
	// source is what source.git or source.oci resolved to. source is empty for other sources.
	// +optional
	Source *SourceRevision `json:"source,omitempty" protobuf:"bytes,5,opt,name=source"`
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

// BuildAttempt is one attempt at a build: one Job with one pod. The controller sets all fields.
type BuildAttempt struct {
	// number is the number of the attempt, starting at 1.
	// +required
	Number int32 `json:"number" protobuf:"varint,1,opt,name=number"`
	// jobName is the name of the attempt's Job. The controller sets jobName before creating the Job.
	// +required
	JobName string `json:"jobName" protobuf:"bytes,2,opt,name=jobName"`
	// jobUID is the UID of the attempt's Job. A Job of the same name with another UID does not belong to this attempt.
	// jobUID is empty until the controller has observed the Job.
	// +optional
	JobUID types.UID `json:"jobUID,omitempty" protobuf:"bytes,3,opt,name=jobUID,casttype=k8s.io/apimachinery/pkg/types.UID"`
	// podName is the name of the Job's pod. podName is empty until the controller has observed the pod.
	// +optional
	PodName string `json:"podName,omitempty" protobuf:"bytes,4,opt,name=podName"`
	// podUID is the UID of the Job's pod. The report subresource refuses reports of any other pod. podUID is empty until
	// the controller has observed the pod.
	// +optional
	PodUID types.UID `json:"podUID,omitempty" protobuf:"bytes,5,opt,name=podUID,casttype=k8s.io/apimachinery/pkg/types.UID"`
	// nodeName is the name of the node that the pod runs on. nodeName is empty until the pod is scheduled.
	// +optional
	NodeName string `json:"nodeName,omitempty" protobuf:"bytes,6,opt,name=nodeName"`
	// startTime is the time at which the controller decided to start the attempt. If the attempt then waits for Kueue or
	// for a worker, startTime becomes the end of that wait, unless a container of the attempt has run before.
	// +required
	StartTime metav1.Time `json:"startTime" protobuf:"bytes,7,opt,name=startTime"`
	// completionTime is the time at which the controller decided the outcome. completionTime is empty until then.
	// +optional
	CompletionTime *metav1.Time `json:"completionTime,omitempty" protobuf:"bytes,8,opt,name=completionTime"`
	// outcome is the result of the attempt: Succeeded, Failed, Disrupted or Cancelled. outcome is empty while the
	// attempt continues.
	// +optional
	Outcome AttemptOutcome `json:"outcome,omitempty" protobuf:"bytes,9,opt,name=outcome,casttype=AttemptOutcome"`
	// failure describes the failure or the disruption of the attempt. failure is empty if outcome is neither Failed nor
	// Disrupted. If the build failed, only status.failure has the message and the logTail of the last attempt.
	// +optional
	Failure *BuildFailure `json:"failure,omitempty" protobuf:"bytes,10,opt,name=failure"`
	// stopTime is the time at which the controller decided to stop the attempt, because the build was cancelled or
	// deleted. The controller waits up to 2 minutes and 30 seconds for the node to confirm the end of the pod. If the
	// node does not confirm the end in this time, the controller deletes the pod and the Job. stopTime is empty if the
	// attempt was not stopped.
	// +optional
	StopTime *metav1.Time `json:"stopTime,omitempty" protobuf:"bytes,11,opt,name=stopTime"`
	// builderImage is the container image of the builder with its digest, as the node reports it. For a program on the host, it is
	// goldsmith.local/builders/NAME with the digest of the program, but not of what the program loads. builderImage is empty until the
	// container has run.
	// +optional
	BuilderImage string `json:"builderImage,omitempty" protobuf:"bytes,12,opt,name=builderImage"`
	// tests lists the names of the tests that the attempt runs. It is empty for an attempt that makes artifacts.
	// +optional
	// +listType=set
	Tests []string `json:"tests,omitempty" protobuf:"bytes,13,rep,name=tests"`
}

// BuildFailure describes the failure of a build or an attempt.
type BuildFailure struct {
	// class is the class of the failure. The retry policy lists the classes that are retried.
	// +required
	Class FailureClass `json:"class" protobuf:"bytes,1,opt,name=class,casttype=FailureClass"`
	// reason is one of the documented reasons of the class.
	// +required
	Reason FailureReason `json:"reason" protobuf:"bytes,2,opt,name=reason,casttype=FailureReason"`
	// message describes the failure for a human reader: the failed operation, the object and the next step.
	// +optional
	Message string `json:"message,omitempty" protobuf:"bytes,3,opt,name=message"`
	// exitCode is the exit code of the builder. exitCode is empty if the builder did not run, or did not exit.
	// +optional
	ExitCode *int32 `json:"exitCode,omitempty" protobuf:"varint,4,opt,name=exitCode"`
	// logTail is the end of the attempt's log, at most 2 KiB.
	// +optional
	LogTail string `json:"logTail,omitempty" protobuf:"bytes,5,opt,name=logTail"`
}

// +k8s:deepcopy-gen:interfaces=k8s.io/apimachinery/pkg/runtime.Object

// RerunRequest requests a new build with the resolved inputs of an earlier build. Users create a RerunRequest at the
// rerun subresource of the earlier build, which returns the new ImageBuild. The Image must still exist.
type RerunRequest struct {
	metav1.TypeMeta `json:",inline"`
	// Standard object's metadata. The name and the uid are optional. If they are set, they must be those of the build.
	// With a records database, the uid also finds a deleted build. With a uid, the server never uses another build
	// of the same name.
	// +optional
	// +k8s:opaqueType
	metav1.ObjectMeta `json:"metadata,omitempty" protobuf:"bytes,1,opt,name=metadata"`

	// requestID is the requester's ID for this request. It has the form and the effect of requestID of a BuildRequest.
	// +optional
	// +k8s:optional
	// +k8s:maxLength=128
	RequestID string `json:"requestID,omitempty" protobuf:"bytes,2,opt,name=requestID"`
	// message explains the request for a human reader. One line of at most 1024 printable characters.
	// +optional
	// +k8s:optional
	// +k8s:maxLength=1024
	Message string `json:"message,omitempty" protobuf:"bytes,3,opt,name=message"`
	// reproduce asks for a build that makes the artifacts of the earlier build again, to compare them. The build is one-off and
	// waits for no other build. The earlier build must have succeeded. When the new build has finished, the condition Reproduced
	// of the earlier build has the result. Defaults to false.
	// +optional
	Reproduce bool `json:"reproduce,omitempty" protobuf:"varint,4,opt,name=reproduce"`
}

// +k8s:deepcopy-gen:interfaces=k8s.io/apimachinery/pkg/runtime.Object

// CancelRequest requests the cancellation of a build. Users create a CancelRequest at the cancel subresource of the
// build, which returns the ImageBuild. A CancelRequest does not change a finished build.
type CancelRequest struct {
	metav1.TypeMeta `json:",inline"`
	// Standard object's metadata. The name is optional. If it is set, it must be the name of the build.
	// +optional
	// +k8s:opaqueType
	metav1.ObjectMeta `json:"metadata,omitempty" protobuf:"bytes,1,opt,name=metadata"`

	// reason explains the cancellation for a human reader. One line of at most 1024 printable characters.
	// +optional
	// +k8s:optional
	// +k8s:maxLength=1024
	Reason string `json:"reason,omitempty" protobuf:"bytes,2,opt,name=reason"`
	// supersededBy is the name of a newer build of the same Image that makes this build unnecessary. With supersededBy,
	// the server cancels this build only while its phase is Pending or Queued. The reason of the cancellation is
	// Superseded.
	// +optional
	// +k8s:optional
	// +k8s:format=k8s-short-name
	SupersededBy string `json:"supersededBy,omitempty" protobuf:"bytes,3,opt,name=supersededBy"`
}

// +k8s:deepcopy-gen:interfaces=k8s.io/apimachinery/pkg/runtime.Object

// BuildReport reports the progress of a builder. The builder creates a BuildReport at the report subresource of the
// build, which returns the stored report. The request must use the token that is mounted in the pod of the current
// attempt. The server stores at most one report of a build each second, and at most one in N seconds if the build has N
// times 16 KiB as JSON.
//
// If a report arrives too soon after the stored report, the server answers 429 with Retry-After. Until the
// controller has recorded the pod of the current attempt, the server answers 503 with Retry-After. After the attempt has
// ended, the server answers 409. If the token belongs to another pod, the server answers 403.
// +k8s:validation-gen=true
type BuildReport struct {
	metav1.TypeMeta `json:",inline"`
	// Standard object's metadata. The name is optional. If it is set, it must be the name of the build.
	// +optional
	// +k8s:opaqueType
	metav1.ObjectMeta `json:"metadata,omitempty" protobuf:"bytes,1,opt,name=metadata"`

	// stage is the current stage of the builder, at most 63 printable characters. A new stage completes the previous
	// stage. A builder cannot enter a completed stage again. Defaults to the stage of the previous report.
	// +optional
	// +k8s:optional
	// +k8s:maxLength=63
	Stage string `json:"stage,omitempty" protobuf:"bytes,2,opt,name=stage"`
	// percent is the completed part of the whole build, 0 to 100 percent.
	// +optional
	// +k8s:optional
	// +k8s:minimum=0
	// +k8s:maximum=100
	Percent *int32 `json:"percent,omitempty" protobuf:"varint,3,opt,name=percent"`
	// message describes the progress for a human reader. One line of at most 1024 printable characters.
	// +optional
	// +k8s:optional
	// +k8s:maxLength=1024
	Message string `json:"message,omitempty" protobuf:"bytes,4,opt,name=message"`
}

// +k8s:deepcopy-gen:interfaces=k8s.io/apimachinery/pkg/runtime.Object

// ImageBuildLogOptions are the query parameters of a build's log subresource.
type ImageBuildLogOptions struct {
	metav1.TypeMeta `json:",inline"`

	// attempt is the number of the attempt whose log is returned, starting at 1. Defaults to the current attempt. With
	// follow and without attempt, the server returns the logs of the current and all later attempts, one after the
	// other.
	// +optional
	// +k8s:optional
	// +k8s:minimum=1
	Attempt *int32 `json:"attempt,omitempty" protobuf:"varint,1,opt,name=attempt"`
	// follow keeps the log open until the build has finished. If attempt is set, follow keeps the log open until that
	// attempt has ended. Defaults to false.
	// +optional
	Follow bool `json:"follow,omitempty" protobuf:"varint,2,opt,name=follow"`
	// tailLines is the number of lines to return, counted from the end of the log. With follow, tailLines applies only
	// to the first returned attempt. The server returns the logs of later attempts in full. 0 or more. Defaults to all
	// lines.
	// +optional
	// +k8s:optional
	// +k8s:minimum=0
	TailLines *int64 `json:"tailLines,omitempty" protobuf:"varint,3,opt,name=tailLines"`
	// sinceTime omits lines that begin before this RFC 3339 time, to the nanosecond. Defaults to no limit.
	// +optional
	SinceTime *metav1.Time `json:"sinceTime,omitempty" protobuf:"bytes,4,opt,name=sinceTime"`
	// timestamps adds an RFC 3339 time to the beginning of each line. Defaults to false.
	// +optional
	Timestamps bool `json:"timestamps,omitempty" protobuf:"varint,5,opt,name=timestamps"`
	// limitBytes is the maximum number of bytes of the log to return. Timestamps do not count. 1 or more. Defaults to no
	// limit.
	// +optional
	// +k8s:optional
	// +k8s:minimum=1
	LimitBytes *int64 `json:"limitBytes,omitempty" protobuf:"varint,6,opt,name=limitBytes"`
	// uid is the UID of the build, at most 63 letters, digits and hyphens. With a log archive, name and UID also find
	// the log of a deleted build. With a UID, the server never uses another build of the same name. Defaults to
	// the UID of the existing build of this name.
	// +optional
	UID string `json:"uid,omitempty" protobuf:"bytes,7,opt,name=uid"`
}
