// SPDX-License-Identifier: Apache-2.0

package v1alpha1

import (
	"fmt"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Condition types of an Image.
const (
	// ImageReady is True when the last finished build that counts succeeded and is not revoked, so that there is an artifact.
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
	// ImagePackagesUpToDate is True if no archive has a newer version of a package in the latest successful build. Only Images with
	// triggers.onPackageChange have it.
	ImagePackagesUpToDate = "PackagesUpToDate"
	// ImageVulnerable is True if a package in the latest successful build has a known vulnerability that is open. Only Images of a server with
	// advisories have it. It keeps nothing from being built, and an Image with it is Ready.
	ImageVulnerable = "Vulnerable"
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
	// BuildAttested exists on builds whose artifacts are to be signed. It is True when all keys have signed the statements about all
	// artifacts of the current attempt. A build that ends while it waits for the signer has no such condition: its failure reports the wait.
	BuildAttested = "Attested"
	// BuildReproduced exists on builds that another build was to reproduce. It is True when such a build has made artifacts with the same
	// content, False when one has made other content of the same packages with the same builder, and Unknown when that cannot be told. True
	// stays, and False becomes only True.
	BuildReproduced = "Reproduced"
	// BuildTested exists on builds with tests whose artifacts are made. It is True when all required tests passed, False when one failed, and
	// Unknown until then, or if one could not be run to its end.
	BuildTested = "Tested"
	// BuildRevoked exists on builds that are, will be or were revoked. It is True while the build is revoked.
	BuildRevoked = "Revoked"
)

// Reasons of the condition Revoked of an ImageBuild. The reason of True is ReasonRevoked.
const (
	// ReasonRevocationScheduled means that the build will be revoked at a time, which the message has.
	ReasonRevocationScheduled = "RevocationScheduled"
	// ReasonRestored means that the build was revoked, or was about to be, and is not any more.
	ReasonRestored = "Restored"
)

// Reasons of the condition Tested of an ImageBuild.
const (
	// ReasonTesting means that the tests have not ended.
	ReasonTesting = "Testing"
	// ReasonTestsPassed means that all required tests passed. The message names the other tests that did not pass.
	ReasonTestsPassed = "TestsPassed"
	// ReasonTestsNotRun means that a required test could not be run to its end.
	ReasonTestsNotRun = "TestsNotRun"
)

// Reasons of the condition Reproduced of an ImageBuild.
const (
	// ReasonSameContent means that another build made the same content.
	ReasonSameContent = "SameContent"
	// ReasonContentDiffers means that another build made other content.
	ReasonContentDiffers = "ContentDiffers"
	// ReasonPackagesDiffer means that another build made other content, of other packages.
	ReasonPackagesDiffer = "PackagesDiffer"
	// ReasonBuilderDiffers means that another build made other content, and its builder, or the Secrets and ConfigMaps that the builder reads, may be
	// others.
	ReasonBuilderDiffers = "BuilderDiffers"
	// ReasonRebuildFailed means that another build failed or was cancelled.
	ReasonRebuildFailed = "RebuildFailed"
)

// ArchiveReady is the condition type of an Archive. It is True if the last check succeeded.
const ArchiveReady = "Ready"

// Reasons of the conditions Ready of an Archive and PackagesUpToDate of an Image.
const (
	// ReasonArchiveChecked means that the last check of the Archive succeeded.
	ReasonArchiveChecked = "Checked"
	// ReasonArchiveCheckFailed means that the last check of the Archive failed.
	ReasonArchiveCheckFailed = "CheckFailed"
	// ReasonPackagesUnchanged means that no archive has a newer version of a package in the latest successful build.
	ReasonPackagesUnchanged = "PackagesUnchanged"
	// ReasonPackagesChanged means that an archive has a newer version of a package, and that a build starts or waits for its time.
	ReasonPackagesChanged = "PackagesChanged"
	// ReasonPackagesKept means that archives have newer versions of packages that start no build: mode excludes them, or a build was started
	// for them and did not install them.
	ReasonPackagesKept = "PackagesKept"
	// ReasonRolloutPaused means that a build because of new packages is due, and that builds of other Images for the same packages failed alike.
	ReasonRolloutPaused = "RolloutPaused"
	// ReasonPackagesUnknown means that the server has no lock of the latest successful build, or that an archive in it was not checked.
	ReasonPackagesUnknown = "PackagesUnknown"
	// ReasonProbeNotSupported means that the builder checks no archives.
	ReasonProbeNotSupported = "ProbeNotSupported"
)

// Reasons of the condition Vulnerable of an Image.
const (
	// ReasonVulnerabilitiesOpen means that a package in the latest successful build has a known vulnerability that is open.
	ReasonVulnerabilitiesOpen = "VulnerabilitiesOpen"
	// ReasonNoVulnerabilities means that the advisories tell of no open vulnerability of a package in the latest successful build.
	ReasonNoVulnerabilities = "NoVulnerabilities"
	// ReasonVulnerabilitiesUnknown means that the server has no lock of the latest successful build, could not read the advisories, or has none
	// about the distribution of its packages.
	ReasonVulnerabilitiesUnknown = "VulnerabilitiesUnknown"
)

// SigningKeyReady is the condition type of a SigningKey. It is True while the signer can sign with the key.
const SigningKeyReady = "Ready"

// Reasons of the conditions Attested of an ImageBuild and Ready of a SigningKey.
const (
	// ReasonSigned means that all keys have signed the statements about the artifacts.
	ReasonSigned = "Signed"
	// ReasonWaitingForSigner means that the signer has not signed all statements yet.
	ReasonWaitingForSigner = "WaitingForSigner"
	// ReasonKeyRead means that the signer has the private key.
	ReasonKeyRead = "KeyRead"
	// ReasonKeyExpired means that the time notAfter has passed.
	ReasonKeyExpired = "KeyExpired"
	// ReasonSecretNotFound means that the Secret, or its key signing.key, does not exist.
	ReasonSecretNotFound = "SecretNotFound"
	// ReasonInvalidKey means that the signer cannot sign with what is in the Secret.
	ReasonInvalidKey = "InvalidKey"
	// ReasonKeyChanged means that the Secret has another key than the one that the signer published.
	ReasonKeyChanged = "KeyChanged"
)

// Condition types of an ImageKind.
const (
	// ImageKindAccepted is True when the spec is valid. It is False when an earlier version of the server accepted a value that
	// this version refuses.
	ImageKindAccepted = "Accepted"
	// ImageKindNamesAccepted is True when no other kind has one of the names. Of two ImageKinds with a name, the older one has it.
	ImageKindNamesAccepted = "NamesAccepted"
	// ImageKindEstablished is True when the kind is served.
	ImageKindEstablished = "Established"
	// ImageKindTerminating is True while the ImageKind is being deleted and Images of the kind exist.
	ImageKindTerminating = "Terminating"
)

// Reasons of an ImageKind's conditions.
const (
	// ReasonValidSpec means that the spec is valid.
	ReasonValidSpec = "ValidSpec"
	// ReasonInvalidSpec means that this version of the server refuses the spec. The message names the fields.
	ReasonInvalidSpec = "InvalidSpec"
	// ReasonNoConflicts means that no other kind has one of the names.
	ReasonNoConflicts = "NoConflicts"
	// ReasonNamesConflict means that an older ImageKind, or a kind of the configuration, has one of the names. The message names both.
	ReasonNamesConflict = "NamesConflict"
	// ReasonConfigured means that the configuration of the server declares a kind of this name, which is served instead.
	ReasonConfigured = "Configured"
	// ReasonServed means that the kind is served.
	ReasonServed = "Served"
	// ReasonInstancesRemain means that the deletion waits until the objects of the kind are deleted. The message has their number.
	ReasonInstancesRemain = "InstancesRemain"
	// ReasonReleasingInstances means that the Images of the kind become Images of no kind. The message has their number, or why an Image
	// cannot be changed.
	ReasonReleasingInstances = "ReleasingInstances"
)

// Reasons of an Image's conditions, besides the reasons of failures.
const (
	// ReasonBuildSucceeded means that the last finished build that counts succeeded.
	ReasonBuildSucceeded = "BuildSucceeded"
	// ReasonBuildFailed means that the last finished build that counts failed.
	ReasonBuildFailed = "BuildFailed"
	// ReasonArtifactMissing means that the latest build succeeded, but an artifact that Goldsmith kept is lost. The message
	// names it.
	ReasonArtifactMissing = "ArtifactMissing"
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
	// ReasonTestsChanged means that the inputs are those of the latest successful build, and the tests differ from its tests.
	ReasonTestsChanged = "TestsChanged"
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
	// ReasonWaitingForBase means that the base image is being built, or waits for its own base. A build of the Image follows if the
	// artifacts of the base change.
	ReasonWaitingForBase = "WaitingForBase"
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
	// ReasonFetchingBase means that the artifacts of the base are fetched from their registry.
	ReasonFetchingBase = "FetchingBase"
	// ReasonFetchingSource means that the files of the source are fetched from Git or a registry, and the artifacts of the base, if there are any.
	ReasonFetchingSource = "FetchingSource"
	// ReasonWaitingForPublisher means that the builder has ended, and the container that publishes its artifacts has not
	// started. PodReady is True meanwhile.
	ReasonWaitingForPublisher = "WaitingForPublisher"
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
	// FailureRegistry is a failure to pull the builder's container image, or to publish artifacts in a registry that may work again.
	FailureRegistry FailureClass = "Registry"
	// FailureTimeout means that the build exceeded one of its timeouts.
	FailureTimeout FailureClass = "Timeout"
	// FailureTest means that the artifacts were made, and that a required test of them failed.
	FailureTest FailureClass = "Test"
	// FailureCancelled means that the build was cancelled.
	FailureCancelled FailureClass = "Cancelled"
)

// FailureReason is the cause of a failure. Each reason belongs to one class.
type FailureReason string

// Reasons of failures. FailureReason.Meaning returns what each means.
const (
	ReasonBuilderFailed        FailureReason = "BuilderFailed"
	ReasonOOMKilled            FailureReason = "OOMKilled"
	ReasonBuilderNotFound      FailureReason = "BuilderNotFound"
	ReasonBuilderNotAllowed    FailureReason = "BuilderNotAllowed"
	ReasonBuilderNotRunnable   FailureReason = "BuilderNotRunnable"
	ReasonInvalidParameters    FailureReason = "InvalidParameters"
	ReasonTargetNotSupported   FailureReason = "TargetNotSupported"
	ReasonBaseNotSupported     FailureReason = "BaseNotSupported"
	ReasonFileNotSupported     FailureReason = "FileNotSupported"
	ReasonSourceNotFound       FailureReason = "SourceNotFound"
	ReasonSourceTooLarge       FailureReason = "SourceTooLarge"
	ReasonSourceUnresolved     FailureReason = "SourceUnresolved"
	ReasonSourceDenied         FailureReason = "SourceDenied"
	ReasonSourceInvalid        FailureReason = "SourceInvalid"
	ReasonSourceUnavailable    FailureReason = "SourceUnavailable"
	ReasonBaseNotFound         FailureReason = "BaseNotFound"
	ReasonBaseRevoked          FailureReason = "BaseRevoked"
	ReasonBuilderMisconfigured FailureReason = "BuilderMisconfigured"
	ReasonNoResult             FailureReason = "NoResult"
	ReasonInvalidResult        FailureReason = "InvalidResult"
	ReasonJobRejected          FailureReason = "JobRejected"
	ReasonPodForbidden         FailureReason = "PodForbidden"
	ReasonInvalidImageName     FailureReason = "InvalidImageName"
	ReasonNoSigningKey         FailureReason = "NoSigningKey"
	ReasonSigningKeyExpired    FailureReason = "SigningKeyExpired"
	ReasonSigningKeyUnusable   FailureReason = "SigningKeyUnusable"
	ReasonBuilderTempFail      FailureReason = "BuilderTempFail"
	ReasonArtifactNotStored    FailureReason = "ArtifactNotStored"
	ReasonNodeRejected         FailureReason = "NodeRejected"
	ReasonEvicted              FailureReason = "Evicted"
	ReasonPreempted            FailureReason = "Preempted"
	ReasonNodeLost             FailureReason = "NodeLost"
	ReasonNodeShutdown         FailureReason = "NodeShutdown"
	ReasonPodDeleted           FailureReason = "PodDeleted"
	ReasonJobDeleted           FailureReason = "JobDeleted"
	ReasonJobConflict          FailureReason = "JobConflict"
	ReasonProcessLost          FailureReason = "ProcessLost"
	ReasonImagePullFailed      FailureReason = "ImagePullFailed"
	ReasonRegistryDenied       FailureReason = "RegistryDenied"
	ReasonRegistryRefused      FailureReason = "RegistryRefused"
	ReasonRegistryUnavailable  FailureReason = "RegistryUnavailable"
	ReasonTestsFailed          FailureReason = "TestsFailed"
	ReasonTestsNotPossible     FailureReason = "TestsNotPossible"
	ReasonTestMachineFailed    FailureReason = "TestMachineFailed"
	ReasonQueueTimeout         FailureReason = "QueueTimeout"
	ReasonStartTimeout         FailureReason = "StartTimeout"
	ReasonRunTimeout           FailureReason = "RunTimeout"
	ReasonCancelRequested      FailureReason = "CancelRequested"
	ReasonSuperseded           FailureReason = "Superseded"
	ReasonRevoked              FailureReason = "Revoked"
)

// explanation is everything about a reason of a failure. Meaning and remedy are phrases in Markdown.
// +k8s:openapi-gen=false
// +protobuf=false
type explanation struct {
	reason     FailureReason
	class      FailureClass
	disruption bool
	meaning    string
	remedy     string
}

// failureReasons is the only list of these reasons, in the order of docs/reasons.md, whose tables are generated from it.
var failureReasons = []explanation{
	{ReasonBuilderFailed, FailureUser, false,
		"the builder reported a failure, by its result or its exit code",
		"correct the image or the builder; the log shows the cause: `goldsmith logs BUILD`. If the message names a memory limit, raise `spec.template.resources.limits.memory`"},
	{ReasonOOMKilled, FailureUser, false,
		"the builder ran out of memory",
		"raise `spec.template.resources.limits.memory`"},
	{ReasonBuilderNotFound, FailureConfig, false,
		"no builder of this name is registered",
		"correct `spec.builder.name`: `goldsmith builders` lists the names; or register the builder with [`goldsmith up --builder`](builders.md#registering-a-builder) or in the ConfigMap [`goldsmith-builders`](cluster.md#which-builders-may-be-used)" + thenBuilt},
	{ReasonBuilderNotAllowed, FailureConfig, false,
		"this server allows no container images as builders",
		"use a registered builder" + thenBuilt},
	{ReasonBuilderNotRunnable, FailureConfig, false,
		"the container could not be started, or a Secret, ConfigMap or key of its `env` is missing",
		"create or correct what the message names"},
	{ReasonInvalidParameters, FailureConfig, false,
		"a parameter is unknown to the builder, is missing or has a wrong value",
		"correct `spec.parameters`, as `goldsmith builders NAME` shows" + thenBuilt},
	{ReasonTargetNotSupported, FailureConfig, false,
		"the builder does not make one of the targets",
		"correct `spec.targets`, as `goldsmith builders NAME` shows, or name another builder" + thenBuilt},
	{ReasonBaseNotSupported, FailureConfig, false,
		"the builder does not take the reference of the base",
		"correct `spec.base.reference`, as `goldsmith builders NAME` shows" + thenBuilt},
	{ReasonFileNotSupported, FailureConfig, false,
		"the builder takes no file of this name",
		"correct `spec.source`, as `goldsmith builders NAME` shows" + thenBuilt},
	{ReasonSourceNotFound, FailureConfig, false,
		"the ConfigMap is missing, or holds something other than text; or the repository, the ref, the commit or the path of `spec.source` does not exist",
		"create or correct what the message names" + thenBuilt},
	{ReasonSourceTooLarge, FailureConfig, false,
		"the files are larger than 64 KiB in all, or those of Git or a registry exceed [their limits](sources.md#limits)",
		"make the files smaller, or set `spec.source.git.path`" + thenBuilt},
	{ReasonSourceUnresolved, FailureConfig, false,
		"no check has found out yet which commit or digest `spec.source` names, or the image of the build was deleted",
		"wait some seconds; if it lasts, see whether the controller runs: `goldsmith status`"},
	{ReasonSourceDenied, FailureConfig, false,
		"the server of `spec.source` denies access, its host key or certificate is not the known one, or its address is not allowed",
		"correct the Secret of `spec.source`, or its address: [sources](sources.md#credentials)" + thenBuilt},
	{ReasonSourceInvalid, FailureConfig, false,
		"the files of `spec.source` cannot be used: a submodule, a file of Git LFS, a link that leads out of them, or a name of both a branch and a tag",
		"correct what the message names" + thenBuilt},
	{ReasonSourceUnavailable, FailureInfrastructure, false,
		"the server of `spec.source` does not answer, or fails",
		"see the message. The controller repeats the check, and a build waits for it; it repeats an attempt as `spec.retry` sets"},
	{ReasonBaseNotFound, FailureConfig, false,
		"the image that `spec.base.imageRef` names is missing, has no such channel, was never built, has no artifact for a platform of this image, or has lost an artifact that no registry has",
		"create, promote or build that image, or add a target to it" + thenBuilt + ". If an attempt could not fetch an artifact, and the base is built again as it was, build this image yourself: `goldsmith build`"},
	{ReasonBaseRevoked, FailureConfig, false,
		"the build that `spec.base.imageRef` selects [is revoked](recall.md)",
		"build the base again, promote another build of it, or take the revocation back: `goldsmith unrevoke`" + thenBuilt},
	{ReasonBuilderMisconfigured, FailureConfig, false,
		"the builder reported that its configuration has to change, such as the address or the key of a mirror",
		"correct what the message names, in `spec.parameters` or in [the document of builders](builders.md#registering-a-builder). Then build again: `goldsmith build`"},
	{ReasonNoResult, FailureConfig, false,
		"the builder ended with exit code 0 and left no result",
		"correct the builder: [the contract](builders.md)"},
	{ReasonInvalidResult, FailureConfig, false,
		"the result of the builder violates the contract",
		"correct the builder: [the contract](builders.md)"},
	{ReasonJobRejected, FailureConfig, false,
		"the API refused the Job, for a reason other than a quota",
		"read the message, which comes from the API server"},
	{ReasonPodForbidden, FailureConfig, false,
		"the namespace forbids the pod, for example by Pod Security or a LimitRange, or lacks an object that the pod names",
		"change `spec.template`, or the namespace"},
	{ReasonInvalidImageName, FailureConfig, false,
		"the builder's image is not a valid reference",
		"correct the reference"},
	{ReasonRegistryDenied, FailureConfig, false,
		"the registry of `spec.output`, or that of the base, denies access, or its Secret is missing or cannot be read",
		"correct the Secret of `spec.output.secretRef`, or let its user push, and pull the base: [publishing](publishing.md#credentials)"},
	{ReasonRegistryRefused, FailureConfig, false,
		"the registry of `spec.output` refuses what is published, or Goldsmith does not trust the certificate of a registry",
		"read the answer of the registry in the message, and correct `spec.output`: [publishing](publishing.md)"},
	{ReasonNoSigningKey, FailureConfig, false,
		"`spec.output.attest` is Required, and no SigningKey selects the namespace",
		"make a key, `goldsmith keys create`, or let a SigningKey select the namespace: [proof](proof.md#keys). Then build again: `goldsmith build`"},
	{ReasonSigningKeyExpired, FailureConfig, false,
		"every SigningKey that selects the namespace has expired",
		"[make the next key](proof.md#rotation), or correct the clock that the message tells. Then build again: `goldsmith build`"},
	{ReasonSigningKeyUnusable, FailureConfig, false,
		"the signer cannot sign with any SigningKey that selects the namespace",
		"correct the Secret that the message names: [proof](proof.md#keys). Then build again: `goldsmith build`"},
	{ReasonTestsNotPossible, FailureConfig, false,
		"a test of `spec.tests` cannot be run here: its runner is not registered, or lacks what the message names, or nobody can read the artifact",
		"correct what the message names: [tests](tests.md#where-tests-run). Then build again: `goldsmith build`"},
	{ReasonBuilderTempFail, FailureInfrastructure, false,
		"the builder reported that another attempt may help",
		"build again; if it happens often, read the log: `goldsmith logs BUILD`"},
	{ReasonArtifactNotStored, FailureInfrastructure, false,
		"the artifacts could not be stored, for example because the disk is full",
		"read the message: free space on the disk of the data directory, or [raise `--artifacts-max`](artifacts.md#what-is-kept)"},
	{ReasonTestMachineFailed, FailureInfrastructure, false,
		"the virtual machine of a test failed, or was too slow to tell anything about the image",
		"test again: `goldsmith test BUILD`; if it happens often, give tests a machine with KVM: [tests](tests.md#where-tests-run)"},
	{ReasonNodeRejected, FailureInfrastructure, false,
		"the node rejected the pod",
		"usually nothing"},
	{ReasonEvicted, FailureInfrastructure, true,
		"the pod was evicted",
		afterDeletion},
	{ReasonPreempted, FailureInfrastructure, true,
		"a pod of higher priority preempted the pod",
		afterDisruption},
	{ReasonNodeLost, FailureInfrastructure, true,
		"the pod's node was lost, or lost the container, for example in a restart",
		afterDisruption},
	{ReasonNodeShutdown, FailureInfrastructure, true,
		"the pod's node was shut down",
		afterDisruption},
	{ReasonPodDeleted, FailureInfrastructure, true,
		"the pod was deleted",
		afterDeletion},
	{ReasonJobDeleted, FailureInfrastructure, true,
		"the Job was deleted",
		afterDeletion},
	{ReasonJobConflict, FailureInfrastructure, true,
		"a Job with the attempt's name, or a pod of its Job, is not what the build describes, or cannot be compared with it",
		"find the user or webhook that the message points to; the next attempt starts at once. Instead of the image or the command of a pod, let a webhook change Jobs, or register the builder with what it sets: [who can write a result](cluster.md#who-can-write-a-result)"},
	{ReasonProcessLost, FailureInfrastructure, true,
		"the builder's process ended with the server that ran it, or with the process that supervises builders",
		"nothing, unless it happens often: see `DATA-DIR/up.log`. The tenth disruption fails the build"},
	{ReasonImagePullFailed, FailureRegistry, false,
		"the builder's image could not be pulled within `timeouts.start`",
		"read the kubelet's message: a wrong reference, missing `imagePullSecrets`, or an unavailable registry"},
	{ReasonRegistryUnavailable, FailureRegistry, false,
		"the registry of `spec.output` cannot be reached, is overloaded, or broke the connection",
		"usually nothing. If it goes on, check the registry, and the address in `spec.output.repository`"},
	{ReasonTestsFailed, FailureTest, false,
		"the artifacts were made, and a required test of them failed",
		"read the message, and the log of the test: `goldsmith logs BUILD --test NAME`; correct the image or the test"},
	{ReasonQueueTimeout, FailureTimeout, false,
		"the build was not admitted within `timeouts.queue`",
		"read in the message what it waited for; [raise a limit](queueing.md), or the timeout"},
	{ReasonStartTimeout, FailureTimeout, false,
		"no container started within `timeouts.start`",
		"read the cause in the message: no node, no quota, or a volume"},
	{ReasonRunTimeout, FailureTimeout, false,
		"the build ran longer than `timeouts.run`",
		"raise the timeout, or make the build faster. If the message names a node that did not confirm the end, check it"},
	{ReasonCancelRequested, FailureCancelled, false,
		"a user cancelled the build (`spec.cancelRequested` tells who, and why), or deleted it, and a finalizer keeps it",
		""},
	{ReasonSuperseded, FailureCancelled, false,
		"a newer build of the image replaced it while it waited (`runPolicy: SerialLatestOnly`), or the image has another source by now",
		""},
	{ReasonRevoked, FailureCancelled, false,
		"a user [revoked](recall.md) the build before it had finished, or a build with the same artifacts (the message tells who, and why)",
		""},
}

const (
	// thenBuilt is true of each reason for which inputs do not resolve: a build that failed so has attempted nothing.
	thenBuilt       = "; the image is then built"
	afterDisruption = "nothing: the next attempt starts at once. The tenth disruption fails the build"
	afterDeletion   = afterDisruption + ": find out who deletes its pods"
)

// FailureReasons returns all reasons of failures, by class.
func FailureReasons() []FailureReason {
	reasons := make([]FailureReason, len(failureReasons))
	for i := range failureReasons {
		reasons[i] = failureReasons[i].reason
	}
	return reasons
}

// Class is the class that a reason belongs to; empty for an unknown reason.
func (r FailureReason) Class() FailureClass { return r.explain().class }

// Disruption reports whether the attempt lost its pod, Job or node, or the name of its Job. The next attempt then starts at once, and
// the disrupted attempt does not count against the retry limit.
func (r FailureReason) Disruption() bool { return r.explain().disruption }

// Meaning is what the reason means, as a phrase in Markdown; empty for an unknown reason. Its links are relative to the folder docs.
func (r FailureReason) Meaning() string { return r.explain().meaning }

// Remedy is what to do about a failure, as a phrase in Markdown; empty for an unknown reason, and if there is nothing to do.
func (r FailureReason) Remedy() string { return r.explain().remedy }

func (r FailureReason) explain() explanation {
	for i := range failureReasons {
		if failureReasons[i].reason == r {
			return failureReasons[i]
		}
	}
	return explanation{}
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
	// EventRetrying is recorded on an ImageBuild when an attempt has failed, and the build goes on.
	EventRetrying = "Retrying"
	// EventTesting is recorded on an ImageBuild when its artifacts are made, and its tests begin.
	EventTesting = "Testing"
	// EventTestNotPassed is recorded on an ImageBuild that succeeded for each test that is not required and did not pass.
	EventTestNotPassed = "TestNotPassed"
	// EventArtifactsRemoved is recorded on an ImageBuild when its artifacts are removed, because all artifacts together
	// occupied more than the limit of the server.
	EventArtifactsRemoved = "ArtifactsRemoved"
	// EventPromoted is recorded on an Image when the controller moves a channel of it to a build.
	EventPromoted = "Promoted"
	// EventPromotionRefused is recorded on an Image when the API server refuses to move a channel that the controller promotes.
	EventPromotionRefused = "PromotionRefused"
	// EventSourceCheckFailed is recorded on an Image when a check of its source is refused, or fails for the second time in a row.
	EventSourceCheckFailed = "SourceCheckFailed"
	// EventRevoked is recorded on an ImageBuild when it is revoked.
	EventRevoked = "Revoked"
	// EventRestored is recorded on an ImageBuild when its revocation is removed.
	EventRestored = "Restored"
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
	// LabelArchive is the label of the Job of a check with the name of its Archive.
	LabelArchive = GroupName + "/archive"
	// LabelResolve is the label of the Job of a resolve with the name of its Image.
	LabelResolve = GroupName + "/resolve"
	// LabelSource is the label of the Job of a check of a source with the name of its Image.
	LabelSource = GroupName + "/source"
	// LabelAttempt is the number of the attempt, on Jobs and pods.
	LabelAttempt = GroupName + "/attempt"
	// LabelManagedBy is app.kubernetes.io/managed-by, on Jobs and pods.
	LabelManagedBy = "app.kubernetes.io/managed-by"
	// ManagedBy is the value of LabelManagedBy.
	ManagedBy = "goldsmith"
	// AnnotationInput is the builder's input, on pods.
	AnnotationInput = GroupName + "/input"
	// AnnotationOutput is where the artifacts of a build are published, on pods.
	AnnotationOutput = GroupName + "/output"
	// AnnotationResult is the result of the builder, on pods that publish artifacts. The controller sets it when the builder has ended,
	// and the pod's publisher reads it.
	AnnotationResult = GroupName + "/result"
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
