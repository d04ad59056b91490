// SPDX-License-Identifier: Apache-2.0

package explain

import "goldsmith.dev/goldsmith/apis/images/v1alpha1"

// report is a row about a reason that is not that of a failure: which condition or event reports it, what it means, and what to do.
// The texts are phrases in Markdown, whose links are relative to docs.
type report struct {
	by, reason, meaning, remedy string
}

// waits are the reasons of the conditions Admitted and PodReady while a build waits. A meaning is what the build waits for.
var waits = []report{
	{"", v1alpha1.ReasonWaitingForSlot, "an earlier build of the image, or room under a limit of the namespace or of all builds; the message says which",
		"wait, or [raise a limit](queueing.md#limits)"},
	{"", v1alpha1.ReasonWaitingForKueue, "Kueue",
		"see the LocalQueue and its ClusterQueue"},
	{"", v1alpha1.ReasonWaitingForWorker, "a worker of `goldsmith up`: other builds of its builder, or Jobs that are not builds, occupy them; the message says which",
		"wait; raise [`workers` of the builder](builders.md#registering-a-builder) or [`--workers`](running-locally.md#flags), or delete those Jobs"},
	{"", v1alpha1.ReasonJobSuspended, "a user, who has suspended the Job of the build",
		"resume the Job: set its `spec.suspend` to false"},
	{"", v1alpha1.ReasonWaitingForPod, "its pod, or the pod's volumes, network and container",
		"wait; the message says what is known"},
	{"", v1alpha1.ReasonQuotaExceeded, "room in a ResourceQuota of the namespace",
		"wait for other pods to end, or raise the quota"},
	{"", v1alpha1.ReasonUnschedulable, "a node that takes the pod",
		"change `spec.template`, or add a node; the message says what is missing"},
	{"", v1alpha1.ReasonImagePulling, "the builder's container image, also if it cannot be pulled now",
		"wait; if the message reports an error, correct the reference or `imagePullSecrets`"},
	{"", v1alpha1.ReasonFetchingSource, "the files of its source, which Goldsmith fetches from Git or a registry",
		"wait; `timeouts.run` counts the time"},
	{"", v1alpha1.ReasonFetchingBase, "the artifacts of its base, which Goldsmith fetches from their registry",
		"wait; `timeouts.run` counts the time"},
	{"", v1alpha1.ReasonWaitingForPublisher, "the container that publishes its artifacts, whose image is pulled or cannot be pulled",
		"wait; if the message reports an error, the operator corrects [`--publisher-image`](cluster.md#publishing)"},
	{"", v1alpha1.ReasonBackingOff, "the time of the next attempt, which is in the message",
		"nothing; or read the log of the last attempt"},
}

// buildConditions are the reasons of a build's other conditions.
var buildConditions = []report{
	{"`Admitted`: True", v1alpha1.ReasonAdmitted, "the build left the queue", ""},
	{"`PodReady`: True", v1alpha1.ReasonContainerStarted, "the builder runs or has run", ""},
	{"`Succeeded`: True, `Finished`: True", v1alpha1.ReasonSucceeded, "the build made every artifact", ""},
	{"`Succeeded`: Unknown, `Finished`: False", v1alpha1.ReasonInProgress, "the build has not finished", ""},
	{"`Tested`: True", v1alpha1.ReasonTestsPassed, "the required tests passed; the message names other tests that did not", ""},
	{"`Tested`: False", string(v1alpha1.ReasonTestsFailed), "a required test failed", "see which: `goldsmith show BUILD`"},
	{"`Tested`: Unknown", v1alpha1.ReasonTesting, "the tests have not ended", ""},
	{"`Tested`: Unknown", v1alpha1.ReasonTestsNotRun, "a required test could not be run to its end", "see why: `goldsmith show BUILD`; test again: `goldsmith test BUILD`"},
	{"`Attested`: True", v1alpha1.ReasonSigned, "each key has signed the statements about the artifacts", ""},
	{"`Attested`: False", v1alpha1.ReasonWaitingForSigner, "the signer has not signed all statements yet; the message names the keys",
		"if it lasts, see the key: `goldsmith keys list`; and in a cluster the log of the Deployment goldsmith-signer"},
}

// finishedConditions are the reasons of the conditions that only finished builds have.
var finishedConditions = []report{
	{"`LogArchived`: True", v1alpha1.ReasonLogArchived, "the archive has the whole log of each attempt", ""},
	{"`LogArchived`: True", v1alpha1.ReasonLogArchivedInPart, "a log lacks its end, or all of it, because its pod was lost; or its middle, because it exceeds its limit",
		"the message names the attempt and the missing bytes. For the middle, raise `history.logMaxBytes`"},
	{"`LogArchived`: True", v1alpha1.ReasonNoLog, "no attempt has written a log", ""},
	{"`LogArchived`: False", v1alpha1.ReasonArchiveUnavailable, "the archive cannot be written to; the controller tries again",
		"[make the archive available](troubleshooting.md#log-archive-unavailable)"},
	{"`LogArchived`: False", v1alpha1.ReasonLogDamaged, "the archive has lost or damaged a part of a log; the message names the bytes. The controller archives it again if the pod still has the whole log",
		"restore the archive's objects from a copy, and check its lifecycle rules"},
	{"`LogArchived`: False", v1alpha1.ReasonLogExpired, "`history.logRetention` has passed, so the archived log was deleted",
		"nothing; for later builds, [raise the retention](retries.md#what-is-kept)"},
	{"`Recorded`: True", v1alpha1.ReasonRecorded, "the database has the final state of the build", ""},
	{"`Recorded`: False", v1alpha1.ReasonRecordsUnavailable, "the database cannot be written to; the controller tries again",
		"[make the database available](troubleshooting.md#records-unavailable)"},
	{"`Recorded`: False", v1alpha1.ReasonNotRecordable, "the database refuses the build; the controller tries again only when the build changes",
		"read the cause in the message. The build is pruned as usual, without a record"},
	{"`Reproduced`: True", v1alpha1.ReasonSameContent, "another build made the same content; later results do not change this", ""},
	{"`Reproduced`: False", v1alpha1.ReasonContentDiffers, "another build made other content of the same inputs and packages",
		"compare the builds: `goldsmith diff`; find what the builder does at random"},
	{"`Reproduced`: Unknown", v1alpha1.ReasonPackagesDiffer, "another build made other content, of other packages", "see them: `goldsmith diff`"},
	{"`Reproduced`: Unknown", v1alpha1.ReasonBuilderDiffers, "another build made other content, and its builder, or what that reads from Secrets and ConfigMaps, may be others", "repeat it with the builder in the message"},
	{"`Reproduced`: Unknown", v1alpha1.ReasonRebuildFailed, "another build failed or was cancelled", "see why, and repeat it"},
	{"`Revoked`: True", string(v1alpha1.ReasonRevoked), "a user [revoked](recall.md) the build", "use another build"},
	{"`Revoked`: False", v1alpha1.ReasonRevocationScheduled, "the build will be revoked at the time in the message", "use another build from then on"},
	{"`Revoked`: False", v1alpha1.ReasonRestored, "a user took the revocation back", ""},
}

// kindConditions are the reasons of the conditions of an ImageKind.
var kindConditions = []report{
	{"`Accepted`: True", v1alpha1.ReasonValidSpec, "the spec is valid", ""},
	{"`Accepted`: False, `Established`: False", v1alpha1.ReasonInvalidSpec, "the server refuses the spec, which an earlier version accepted",
		"correct the fields that the message names"},
	{"`NamesAccepted`: True", v1alpha1.ReasonNoConflicts, "no other kind has one of the names", ""},
	{"`NamesAccepted`: False, `Established`: False", v1alpha1.ReasonNamesConflict, "an older ImageKind, or a kind of the configuration, has one of the names",
		"change the names, or delete the other kind"},
	{"`NamesAccepted`: False, `Established`: False", v1alpha1.ReasonConfigured, "the [configuration of the server](catalog.md) has a kind of this name, which is served instead",
		"remove the kind from the configuration, or delete the ImageKind"},
	{"`Established`: True", v1alpha1.ReasonServed, "the kind is served", ""},
	{"`Terminating`: True", v1alpha1.ReasonInstancesRemain, "the deletion waits until the objects of the kind are deleted",
		"delete the objects, or set `spec.onDelete` to `Release`"},
	{"`Terminating`: True", v1alpha1.ReasonReleasingInstances, "the deletion waits, because the controller cannot change Images of the kind",
		"correct what the message names, or remove the label `catalog.goldsmith.dev/kind` from these Images"},
}

// keyConditions are the reasons of the condition of a SigningKey.
var keyConditions = []report{
	{"`Ready`: True", v1alpha1.ReasonKeyRead, "the signer has read the private key", ""},
	{"`Ready`: False", v1alpha1.ReasonKeyExpired, "`spec.notAfter` has passed; earlier signatures stay valid",
		"[make the next key](proof.md#rotation)"},
	{"`Ready`: False", v1alpha1.ReasonSecretNotFound, "the Secret, or its key `signing.key`, does not exist in the namespace of the signer",
		"create the Secret, or make another key: `goldsmith keys create`"},
	{"`Ready`: False", v1alpha1.ReasonInvalidKey, "the Secret has no private key that the signer can use; the message says why",
		"store an ECDSA key on the curve P-256, in PEM, without a passphrase, or make another key: `goldsmith keys create`"},
	{"`Ready`: False", v1alpha1.ReasonKeyChanged, "the Secret has another private key than that of the published public key",
		"restore the Secret, or make another SigningKey for the other key"},
}

// imageConditions are the reasons of an image's conditions.
var imageConditions = []report{
	{"`Ready`: True", v1alpha1.ReasonBuildSucceeded, "the last finished build that [counts](images.md#which-build-does-a-line-of-kubectl-get-images-report-on) succeeded", ""},
	{"`Ready`: False", v1alpha1.ReasonBuildFailed, "the last finished build that counts failed. If `Stalled` is True, it has the reason of the failure",
		"see why: `goldsmith history IMAGE`"},
	{"`Ready`: False, `Stalled`: True", v1alpha1.ReasonArtifactMissing, "an artifact of the last build, which Goldsmith kept, is lost, for example after a restore without artifacts",
		"build again: `goldsmith build IMAGE`; or restore a backup with artifacts"},
	{"`Ready`: False, `Stalled`: True", string(v1alpha1.ReasonRevoked), "the last build is [revoked](recall.md)",
		"change the image, or build it again: `goldsmith build IMAGE`; or take that back: `goldsmith unrevoke BUILD`"},
	{"`Stalled`: True", v1alpha1.ReasonBuildCancelled, "the build of the current inputs was cancelled, or deleted before it finished, and no other build has these inputs",
		"build again: `goldsmith build IMAGE`; or change the inputs"},
	{"`Stalled`: True or False, `Reconciling`: True", v1alpha1.ReasonBuildRefused, "the API server refuses the build that is due, because of a quota, a limit of the operator, or a value of the image that only an earlier version of Goldsmith accepted. `Stalled` is False if a later request can succeed without a change of the image, as with a quota. The controller tries again",
		"correct the field that the message names, or raise the quota or the limit"},
	{"`Ready`: False, `UpToDate`: False", v1alpha1.ReasonNeverBuilt, "for `Ready`: no build that counts exists or has finished; for `UpToDate`: no build has succeeded",
		"see what would start a build: `goldsmith plan IMAGE`"},
	{"`UpToDate`: True", v1alpha1.ReasonInputsUnchanged, "the inputs are those of the latest successful build", ""},
	{"`UpToDate`: False", v1alpha1.ReasonInputsChanged, "the inputs differ from those of the latest successful build",
		"see whether a build is due: `goldsmith plan IMAGE`"},
	{"`UpToDate`: False, `Stalled`: True", v1alpha1.ReasonTestsChanged, "the inputs are those of the latest successful build, but its tests were others. For `Stalled`: no build has artifacts that could be tested",
		"see whether they are tested again: `goldsmith plan IMAGE`. If the image is stalled, build again: `goldsmith build IMAGE`"},
	{"`UpToDate`: False, `Reconciling`: True", string(v1alpha1.ReasonBaseRevoked), "the latest successful build is based on a [revoked](recall.md) build, directly or through others", "see `status.latestSuccessful.revokedBase`, and build the bases again"},
	{"`UpToDate`: Unknown", v1alpha1.ReasonInputsNotResolved, "the inputs cannot be resolved now",
		"see the condition `InputsResolved`"},
	{"`Building`: True, `Reconciling`: True, `Ready`: False, `UpToDate`: False", v1alpha1.ReasonBuildActive, "a build starts, runs, retries or is being cancelled. For `Ready` and `UpToDate`: it is the first build that counts", ""},
	{"`Building`: True, `Reconciling`: True, `Ready`: False, `UpToDate`: False", v1alpha1.ReasonBuildQueued, "a build waits to be admitted. For `Ready` and `UpToDate`: it is the first build that counts",
		"see the order: `goldsmith queue`"},
	{"`Building`: False, `Reconciling`: False", v1alpha1.ReasonIdle, "no build is queued or running. For `Reconciling`: the inputs are built, or the image is stalled", ""},
	{"`Reconciling`: True", v1alpha1.ReasonBuildDue, "the controller is about to create a build", ""},
	{"`Reconciling`: True", v1alpha1.ReasonWaitingForBase, "the base image is being built, or waits for its own base. A build follows if the artifacts of the base change",
		"see the base: `goldsmith show BASE`"},
	{"`Reconciling`: True, `Ready`: Unknown", v1alpha1.ReasonWaitingForController, "the controller has not observed the new image yet",
		"if it lasts, see whether the controller runs: `goldsmith status`"},
	{"`InputsResolved`: True", v1alpha1.ReasonResolved, "everything that the image refers to exists", ""},
	{"`Stalled`: True, `ScheduleActive`: False", v1alpha1.ReasonTooManyFailures, "`triggers.disableAfterFailures` consecutive builds failed",
		"correct the image, or start a build that succeeds: `goldsmith build IMAGE`"},
	{"`Stalled`: True, `ScheduleActive`: False", v1alpha1.ReasonInvalidSchedule, "an earlier version of Goldsmith accepted a schedule that this version refuses",
		"correct the field that the message names"},
	{"`Stalled`: False", v1alpha1.ReasonProgressing, "nothing keeps the image from progressing", ""},
	{"`Stalled`: False, `Reconciling`: True, `ScheduleActive`: False", v1alpha1.ReasonSuspended, "the image is suspended, or its inputs have changed and its triggers are off",
		"`goldsmith resume IMAGE`, or `goldsmith build IMAGE`"},
	{"`ScheduleActive`: True, `Reconciling`: True", v1alpha1.ReasonScheduled, "the schedule starts builds. For `Reconciling`: the inputs wait for the schedule", ""},
	{"`ScheduleActive`: False", v1alpha1.ReasonNoSchedule, "the image has no schedule", ""},
	{"`PackagesUpToDate`: True", v1alpha1.ReasonPackagesUnchanged, "no archive has a newer version of a package in the latest successful build", ""},
	{"`PackagesUpToDate`: False", v1alpha1.ReasonPackagesChanged, "an archive has a newer version of a package in the latest successful build. Another build starts, or waits for `minimumAge` or the window",
		"see the packages and the time: `goldsmith plan IMAGE`; to install them now: `goldsmith build IMAGE`"},
	{"`PackagesUpToDate`: False", v1alpha1.ReasonPackagesKept, "newer versions start no build: `mode` excludes them, or a build for them did not install them",
		"to build with them: `goldsmith build IMAGE`, or set `mode: Any`"},
	{"`PackagesUpToDate`: False", v1alpha1.ReasonRolloutPaused, "builds of other images for the same new packages failed alike, so this image is not built; the message names them",
		"correct one of those images and build it, or suspend it; or build this image: `goldsmith build IMAGE`"},
	{"`PackagesUpToDate`: Unknown", v1alpha1.ReasonPackagesUnknown, "the server has no lock of the latest successful build, or an archive in it was not checked",
		"see the archives: `goldsmith kubectl get archives`; and the lock: `goldsmith packages IMAGE`"},
	{"`PackagesUpToDate`: Unknown", v1alpha1.ReasonProbeNotSupported, "the builder checks no archives", "set a builder that does, or remove `triggers.onPackageChange`"},
	{"`Vulnerable`: True", v1alpha1.ReasonVulnerabilitiesOpen, "packages in the latest successful build have known vulnerabilities; the message counts them. The image stays `Ready`",
		"list them: `goldsmith vulnerabilities IMAGE`; to install newer packages: `goldsmith build IMAGE`"},
	{"`Vulnerable`: False", v1alpha1.ReasonNoVulnerabilities, "the advisories tell of no open vulnerability of a package in the latest successful build", ""},
	{"`Vulnerable`: Unknown", v1alpha1.ReasonVulnerabilitiesUnknown, "the server has no lock of the latest successful build, or cannot judge some of its packages",
		"see the message, and `--advisories` of the server"},
}

// archiveConditions are the reasons of the condition of an Archive.
var archiveConditions = []report{
	{"`Ready`: True", v1alpha1.ReasonArchiveChecked, "the last check succeeded", ""},
	{"`Ready`: False", v1alpha1.ReasonArchiveCheckFailed, "the last check failed; the message has its reason. The controller repeats it, and the earlier result stays",
		"correct the mirror, or the network from `goldsmith-archives` to it"},
}

// triggers are the reasons for which builds start. The table of docs/triggers.md has them, too.
var triggers = []report{
	{"", string(v1alpha1.TriggerCreated), "the image was never built", ""},
	{"", string(v1alpha1.TriggerSpecChange), "the inputs differ from those of the last attempted build", "see the changes: `goldsmith show BUILD`"},
	{"", string(v1alpha1.TriggerSourceChange), "`source.git` or `source.oci` names another commit or digest", "see what differs: `goldsmith diff BUILD`"},
	{"", string(v1alpha1.TriggerBaseChange), "the base image has another digest", "see what differs: `goldsmith diff BUILD`"},
	{"", string(v1alpha1.TriggerSchedule), "the schedule was due", ""},
	{"", string(v1alpha1.TriggerPackageChange), "an archive has newer versions of packages in the latest successful build", "see the versions and what they fix: `goldsmith show BUILD`"},
	{"", string(v1alpha1.TriggerTestsChange), "the tests differ, so the build runs them on the artifacts of the last build", ""},
	{"", string(v1alpha1.TriggerManual), "a user asked for the build", ""},
	{"", string(v1alpha1.TriggerRerun), "a user asked for an earlier build again", ""},
}

// events are the reasons of events, besides those of failures.
var events = []report{
	{"of an image", v1alpha1.EventBuildCreated, "a build of the image was created", ""},
	{"of an image", v1alpha1.EventBuildRefused, "Warning: the API server refuses the build that is due",
		"see the condition `Stalled`"},
	{"of an image", v1alpha1.EventPromoted, "a channel with `promote: Automatic` moved to a build that meets its rule", ""},
	{"of an image", v1alpha1.EventPromotionRefused, "Warning: the API server refuses to move a channel with `promote: Automatic`",
		"correct what the message names, such as a webhook, or more than 16 channels"},
	{"of an image", v1alpha1.EventSourceCheckFailed, "Warning: checks of the [source](sources.md) fail, and the last commit stays",
		"correct what the message names; `status.source.failure` has it until a check succeeds"},
	{"of an image", v1alpha1.EventScheduleDisabled, "Warning: schedule and base start no more builds after too many failures, or the schedule is invalid",
		"see the condition `ScheduleActive`"},
	{"of a build", v1alpha1.EventArtifactsRemoved, "Warning: the artifacts of the build were removed, because all artifacts exceeded `--artifacts-max`",
		"to have them again: `goldsmith rerun BUILD`; or raise `--artifacts-max`"},
	{"of an image", v1alpha1.EventStalled, "Warning: the condition `Stalled` became True, or its cause changed",
		"look up the reason with which the message begins"},
	{"of a namespace", v1alpha1.EventInvalidAnnotation, "Warning: an annotation [for the queue](queueing.md#order-of-the-queue) is invalid; the message names the value that counts instead",
		"correct or remove the annotation"},
	{"of a build", v1alpha1.EventSucceeded, "the build made every artifact", ""},
	{"of a build", v1alpha1.EventTesting, "the artifacts are made, and their tests begin", ""},
	{"of a build", v1alpha1.EventTestNotPassed, "Warning: a test that is not required did not pass",
		"read the log of the test: `goldsmith logs BUILD --test NAME`"},
	{"of a build", v1alpha1.EventRevoked, "Warning: the build is revoked", "see `status.revoked`"},
	{"of a build", v1alpha1.EventRestored, "the revocation of the build was taken back", ""},
	{"of a build", v1alpha1.EventRetrying, "an attempt failed, and the build gets another",
		"if it happens often: read the log"},
}
