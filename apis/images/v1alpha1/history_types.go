// SPDX-License-Identifier: Apache-2.0

package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

// +k8s:deepcopy-gen:interfaces=k8s.io/apimachinery/pkg/runtime.Object

// ImageHistory is a page of the builds of an Image, newest first, including deleted builds. The history subresource of
// an Image reads the builds from the records database.
type ImageHistory struct {
	metav1.TypeMeta `json:",inline"`
	// Standard object's metadata: name, namespace and uid of the Image.
	// +optional
	metav1.ObjectMeta `json:"metadata,omitempty" protobuf:"bytes,1,opt,name=metadata"`

	// items lists the builds, sorted by creation time, newest first. items is empty if the database has no records of
	// the Image.
	// +listType=atomic
	// +required
	Items []BuildRecord `json:"items" protobuf:"bytes,2,rep,name=items"`
	// continue is the token for the request of the next page. continue is empty on the last page. The next pages do not
	// include builds that were created after the first page was returned.
	// +optional
	Continue string `json:"continue,omitempty" protobuf:"bytes,3,opt,name=continue"`
}

// BuildRecord is the record of a build in the records database.
type BuildRecord struct {
	// name is the name of the build.
	// +required
	Name string `json:"name" protobuf:"bytes,1,opt,name=name"`
	// uid is the UID of the build. After the build is deleted, users can still get its log, and its differences to
	// other builds, by name and UID.
	// +required
	UID types.UID `json:"uid" protobuf:"bytes,2,opt,name=uid,casttype=k8s.io/apimachinery/pkg/types.UID"`
	// number is the number of the build among the builds of its Image.
	// +optional
	Number int64 `json:"number,omitempty" protobuf:"varint,3,opt,name=number"`
	// phase is the last recorded phase of the build.
	// +optional
	Phase BuildPhase `json:"phase,omitempty" protobuf:"bytes,4,opt,name=phase,casttype=BuildPhase"`
	// trigger is the trigger reason of the build: Created, SpecChange, BaseChange, Schedule, Manual, Rerun, TestsChange, PackageChange or SourceChange.
	// +optional
	Trigger TriggerReason `json:"trigger,omitempty" protobuf:"bytes,5,opt,name=trigger,casttype=TriggerReason"`
	// message explains the trigger for a human reader.
	// +optional
	Message string `json:"message,omitempty" protobuf:"bytes,6,opt,name=message"`
	// requestedBy is the user who requested the build.
	// +optional
	RequestedBy string `json:"requestedBy,omitempty" protobuf:"bytes,7,opt,name=requestedBy"`
	// attempts is the number of attempts at the build.
	// +optional
	Attempts int32 `json:"attempts,omitempty" protobuf:"varint,8,opt,name=attempts"`
	// failure contains class, reason and message of the failure or cancellation. failure is empty if the build neither
	// failed nor was cancelled.
	// +optional
	Failure *BuildFailure `json:"failure,omitempty" protobuf:"bytes,9,opt,name=failure"`
	// creationTime is the time at which the build was created.
	// +optional
	CreationTime *metav1.Time `json:"creationTime,omitempty" protobuf:"bytes,10,opt,name=creationTime"`
	// startTime is the time from which the first attempt could run. startTime is empty if the
	// controller started no attempt.
	// +optional
	StartTime *metav1.Time `json:"startTime,omitempty" protobuf:"bytes,11,opt,name=startTime"`
	// completionTime is the time at which the build finished. completionTime is empty if the build has not finished.
	// +optional
	CompletionTime *metav1.Time `json:"completionTime,omitempty" protobuf:"bytes,12,opt,name=completionTime"`
	// duration is the time from startTime to completionTime, without the time that the build was queued again. duration is
	// empty if startTime or completionTime is empty.
	// +optional
	Duration *metav1.Duration `json:"duration,omitempty" protobuf:"bytes,13,opt,name=duration"`
	// queueTime is the time that the build waited in the queue: before it started, and each time that it was queued again.
	// queueTime is empty if the build has not started.
	// +optional
	QueueTime *metav1.Duration `json:"queueTime,omitempty" protobuf:"bytes,14,opt,name=queueTime"`
	// deletionTime is the time at which the controller recorded the deletion of the build. deletionTime is empty while
	// the build exists.
	// +optional
	DeletionTime *metav1.Time `json:"deletionTime,omitempty" protobuf:"bytes,15,opt,name=deletionTime"`
	// legalHold is true if the build has the label images.goldsmith.dev/legal-hold=true. Goldsmith keeps such a build,
	// its archived logs and its record, regardless of spec.history of the Image. Users can still delete the build. The
	// same label of the Image has this effect on all its builds, but does not set legalHold.
	// +optional
	LegalHold bool `json:"legalHold,omitempty" protobuf:"varint,16,opt,name=legalHold"`
	// oneOff is true if the inputs of the build differed from the inputs of its Image when the build was created. A
	// one-off build does not change latestSuccessful, lastAttempted and consecutiveFailures in the status of the Image.
	// Statistics count one-off builds separately.
	// +optional
	OneOff bool `json:"oneOff,omitempty" protobuf:"varint,17,opt,name=oneOff"`
	// imageUID is the UID of the Image that the build belongs to. imageUID differs from metadata.uid of the history if
	// the build belongs to an earlier Image of the same name.
	// +optional
	ImageUID types.UID `json:"imageUID,omitempty" protobuf:"bytes,18,opt,name=imageUID,casttype=k8s.io/apimachinery/pkg/types.UID"`
	// revoked is the revocation of the build, in effect or scheduled. revoked is empty if the build is not revoked.
	// +optional
	Revoked *Revocation `json:"revoked,omitempty" protobuf:"bytes,19,opt,name=revoked"`
	// failedTests lists the names of the tests that the build needed and that failed or could not be run, sorted by name.
	// +optional
	// +listType=set
	FailedTests []string `json:"failedTests,omitempty" protobuf:"bytes,20,rep,name=failedTests"`
	// source is what source.git or source.oci of the build resolved to. It is empty for other sources, and if the inputs were not resolved.
	// +optional
	Source *SourceRevision `json:"source,omitempty" protobuf:"bytes,21,opt,name=source"`
}

// +k8s:deepcopy-gen:interfaces=k8s.io/apimachinery/pkg/runtime.Object

// ImageStats contains statistics of the builds of an Image that finished within a time window. The stats subresource of
// an Image computes the statistics from the records database.
type ImageStats struct {
	metav1.TypeMeta `json:",inline"`
	// Standard object's metadata: name, namespace and uid of the Image.
	// +optional
	metav1.ObjectMeta `json:"metadata,omitempty" protobuf:"bytes,1,opt,name=metadata"`

	// stats contains the statistics of the builds. stats is empty if the database has no records of the Image.
	// +optional
	Stats *BuildStats `json:"stats,omitempty" protobuf:"bytes,2,opt,name=stats"`
	// health rates the builds in one number. health is empty if no build succeeded or failed in the window.
	// +optional
	Health *ImageHealth `json:"health,omitempty" protobuf:"bytes,3,opt,name=health"`
}

// BuildStats contains statistics of builds that finished within a time window. The field
// oneOffs counts one-off builds; all other fields ignore them.
type BuildStats struct {
	// window is the length of the time window, which ends now.
	// +required
	Window metav1.Duration `json:"window" protobuf:"bytes,1,opt,name=window"`
	// builds is the number of finished builds: the sum of succeeded, failed and cancelled.
	// +required
	Builds int64 `json:"builds" protobuf:"varint,2,opt,name=builds"`
	// succeeded is the number of builds that succeeded.
	// +required
	Succeeded int64 `json:"succeeded" protobuf:"varint,3,opt,name=succeeded"`
	// failed is the number of builds that failed.
	// +required
	Failed int64 `json:"failed" protobuf:"varint,4,opt,name=failed"`
	// cancelled is the number of builds that were cancelled.
	// +required
	Cancelled int64 `json:"cancelled" protobuf:"varint,5,opt,name=cancelled"`
	// retried is the number of succeeded and failed builds with more than one attempt.
	// +required
	Retried int64 `json:"retried" protobuf:"varint,6,opt,name=retried"`
	// successRate is the percentage of successful builds among the builds that succeeded or failed: 0 to 100 percent,
	// rounded down. successRate is empty if no build succeeded or failed.
	// +optional
	SuccessRate *int32 `json:"successRate,omitempty" protobuf:"varint,7,opt,name=successRate"`
	// durations contains percentiles of the duration of successful builds. durations is empty if no build succeeded.
	// +optional
	Durations *DurationPercentiles `json:"durations,omitempty" protobuf:"bytes,8,opt,name=durations"`
	// queueTimes contains percentiles of the time that builds waited in the queue. queueTimes is empty if no build
	// started.
	// +optional
	QueueTimes *DurationPercentiles `json:"queueTimes,omitempty" protobuf:"bytes,9,opt,name=queueTimes"`
	// failures lists the number of failed builds by failure class. Classes without failures are omitted.
	// +optional
	// +patchMergeKey=class
	// +patchStrategy=merge
	// +listType=map
	// +listMapKey=class
	Failures []FailureCount `json:"failures,omitempty" patchStrategy:"merge" patchMergeKey:"class" protobuf:"bytes,10,rep,name=failures"`
	// recoveries is the number of times that a build succeeded after one or more failed builds.
	// +required
	Recoveries int64 `json:"recoveries" protobuf:"varint,11,opt,name=recoveries"`
	// meanTimeToRecovery is the mean duration of the recoveries. Each recovery lasts from the end of the first failed
	// build to the end of the next successful build. The server ignores cancelled builds, and failures before the
	// window. meanTimeToRecovery is empty if recoveries is 0.
	// +optional
	MeanTimeToRecovery *metav1.Duration `json:"meanTimeToRecovery,omitempty" protobuf:"bytes,12,opt,name=meanTimeToRecovery"`
	// oneOffs is the number of one-off builds that finished. The other fields do not count one-off builds.
	// +required
	OneOffs int64 `json:"oneOffs" protobuf:"varint,13,opt,name=oneOffs"`
	// tests lists the outcomes of each test that ended in one of the builds, sorted by name. The list has at most 64 items: the tests that
	// ended last. tests is empty in lists of ImageReports.
	// +optional
	// +patchMergeKey=name
	// +patchStrategy=merge
	// +listType=map
	// +listMapKey=name
	Tests []TestCount `json:"tests,omitempty" patchStrategy:"merge" patchMergeKey:"name" protobuf:"bytes,14,rep,name=tests"`
	// fixes tells how long the fixes of archives took until a build with them succeeded, and until each channel had it. It counts the fixes that
	// reached it in the window. fixes is empty if none did.
	// +optional
	// +patchMergeKey=reached
	// +patchStrategy=merge
	// +listType=map
	// +listMapKey=reached
	Fixes []FixCount `json:"fixes,omitempty" patchStrategy:"merge" patchMergeKey:"reached" protobuf:"bytes,15,rep,name=fixes"`
}

// FixCount tells how long fixes took until they reached users.
type FixCount struct {
	// reached is Ready, when a build with the fix has succeeded, or the name of a channel that has such a build.
	// +required
	Reached string `json:"reached" protobuf:"bytes,1,opt,name=reached"`
	// count is the number of fixes that reached it in the window. A build with several new versions is one fix.
	// +required
	Count int64 `json:"count" protobuf:"varint,2,opt,name=count"`
	// times are the percentiles of the time from the date of the archive's release file with the oldest of the versions.
	// +required
	Times DurationPercentiles `json:"times" protobuf:"bytes,3,opt,name=times"`
}

// TestCount contains the number of builds by the outcome of one test.
type TestCount struct {
	// name is the name of the test.
	// +required
	Name string `json:"name" protobuf:"bytes,1,opt,name=name"`
	// builds is the number of builds in which the test ended: the sum of passed, flaky, failed and errors.
	// +required
	Builds int64 `json:"builds" protobuf:"varint,2,opt,name=builds"`
	// passed is the number of builds in which the test passed at its first run.
	// +required
	Passed int64 `json:"passed" protobuf:"varint,3,opt,name=passed"`
	// flaky is the number of builds in which the test passed after at least one run had failed.
	// +required
	Flaky int64 `json:"flaky" protobuf:"varint,4,opt,name=flaky"`
	// failed is the number of builds in which the test failed.
	// +required
	Failed int64 `json:"failed" protobuf:"varint,5,opt,name=failed"`
	// errors is the number of builds in which the test could not be run to its end.
	// +required
	Errors int64 `json:"errors" protobuf:"varint,6,opt,name=errors"`
	// duration is the median of how long the test ran in the builds that passed counts. duration is empty if passed is 0.
	// +optional
	Duration *metav1.Duration `json:"duration,omitempty" protobuf:"bytes,7,opt,name=duration"`
}

// DurationPercentiles contains percentiles of durations. Each percentile is one of the measured durations: the server
// does not interpolate.
type DurationPercentiles struct {
	// p50 is the median: half of the durations are at most p50.
	// +required
	P50 metav1.Duration `json:"p50" protobuf:"bytes,1,opt,name=p50"`
	// p90 is the 90th percentile: nine of ten durations are at most p90.
	// +required
	P90 metav1.Duration `json:"p90" protobuf:"bytes,2,opt,name=p90"`
}

// FailureCount is the number of builds that failed with one failure class.
type FailureCount struct {
	// class is the failure class.
	// +required
	Class FailureClass `json:"class" protobuf:"bytes,1,opt,name=class,casttype=FailureClass"`
	// builds is the number of builds.
	// +required
	Builds int64 `json:"builds" protobuf:"varint,2,opt,name=builds"`
}

// ImageHealth rates the builds of an Image in one number.
type ImageHealth struct {
	// score is 60*R + 10*R*F + 30*L, rounded down: 0 to 100. R is the share of successful builds among the builds that
	// succeeded or failed. F is the share of builds with only one attempt among the
	// finished builds. L is 1 if the last build succeeded, 0 if
	// it failed, and R otherwise. A score of 100 means that every build succeeds at the first attempt. A score of 0
	// means that every build fails.
	// +required
	Score int32 `json:"score" protobuf:"varint,1,opt,name=score"`
	// message explains the score for a human reader.
	// +optional
	Message string `json:"message,omitempty" protobuf:"bytes,2,opt,name=message"`
}

// +k8s:deepcopy-gen:interfaces=k8s.io/apimachinery/pkg/runtime.Object

// ImageNote is a note that a user wrote about an Image. Users create notes at the notes subresource of the Image, which
// returns the recorded note. The records database stores at most 1000 notes for each Image. Notes cannot be changed.
type ImageNote struct {
	metav1.TypeMeta `json:",inline"`
	// Standard object's metadata. The name is optional. If it is set, it must be the name of the Image.
	// +optional
	metav1.ObjectMeta `json:"metadata,omitempty" protobuf:"bytes,1,opt,name=metadata"`

	// The content of the note.
	NoteRecord `json:",inline" protobuf:"bytes,2,opt,name=noteRecord"`
}

// NoteRecord is the record of a note in the records database.
// +k8s:validation-gen=true
type NoteRecord struct {
	// id is the author's ID for the note, unique for its Image. 1 to 128 printable characters. If a note with this id
	// exists, the server returns that note unchanged. Defaults to a random ID. A repeated request without an id records
	// a second note.
	// +optional
	// +k8s:optional
	// +k8s:maxLength=128
	ID string `json:"id,omitempty" protobuf:"bytes,1,opt,name=id"`
	// time is the time at which the note was recorded. The server sets it.
	// +optional
	Time *metav1.Time `json:"time,omitempty" protobuf:"bytes,2,opt,name=time"`
	// author is the authenticated user who wrote the note. The server sets it.
	// +optional
	Author string `json:"author,omitempty" protobuf:"bytes,3,opt,name=author"`
	// text is the text of the note. 1 to 4096 bytes: printable characters, tabs and line ends.
	// +required
	// +k8s:maxBytes=4096
	// +k8s:required
	Text string `json:"text" protobuf:"bytes,4,opt,name=text"`
}

// +k8s:deepcopy-gen:interfaces=k8s.io/apimachinery/pkg/runtime.Object

// ImageNoteList is a page of the notes about an Image, newest first. The notes subresource of the Image returns it.
type ImageNoteList struct {
	metav1.TypeMeta `json:",inline"`
	// Standard list metadata. The continue token requests the next page.
	// +optional
	metav1.ListMeta `json:"metadata,omitempty" protobuf:"bytes,1,opt,name=metadata"`

	// items lists the notes. items is empty if the database has no notes about the Image.
	Items []ImageNote `json:"items" protobuf:"bytes,2,rep,name=items"`
}

// +k8s:deepcopy-gen:interfaces=k8s.io/apimachinery/pkg/runtime.Object

// ImageChanges is a page of the changes to the spec of an Image, newest first. The changes subresource of the Image
// returns the page. ImageChanges is not an audit log: changes that were made while the records database was unavailable
// can be missing.
type ImageChanges struct {
	metav1.TypeMeta `json:",inline"`
	// Standard object's metadata: name, namespace and uid of the Image.
	// +optional
	metav1.ObjectMeta `json:"metadata,omitempty" protobuf:"bytes,1,opt,name=metadata"`

	// items lists the changes, newest generation first. items is empty if the database has no changes of the Image.
	// +listType=atomic
	// +required
	Items []ImageChange `json:"items" protobuf:"bytes,2,rep,name=items"`
	// continue is the token for the request of the next page. continue is empty on the last page.
	// +optional
	Continue string `json:"continue,omitempty" protobuf:"bytes,3,opt,name=continue"`
}

// ImageChange is one difference between two successive generations of an Image's spec.
type ImageChange struct {
	// generation is the newer of the two generations.
	// +required
	Generation int64 `json:"generation" protobuf:"varint,1,opt,name=generation"`
	// time is the time at which the change was made.
	// +optional
	Time *metav1.Time `json:"time,omitempty" protobuf:"bytes,2,opt,name=time"`
	// user is the user who made the change.
	// +optional
	User string `json:"user,omitempty" protobuf:"bytes,3,opt,name=user"`
	// path is the path of the field below spec, such as parameters[edition] or triggers.schedule.cron. The database
	// records at most 100 paths for each generation. If there are more differences, the last path reports the number of
	// omitted differences.
	// +required
	Path string `json:"path" protobuf:"bytes,4,opt,name=path"`
	// from is the old value, shortened to 128 characters, or the digest and size of a file. Ellipses replace parts that
	// from and to have in common, so that they always differ. from is empty if the field was not set before.
	// +optional
	From string `json:"from,omitempty" protobuf:"bytes,5,opt,name=from"`
	// to is the new value, in the same form as from. to is empty if the field is not set now.
	// +optional
	To string `json:"to,omitempty" protobuf:"bytes,6,opt,name=to"`
}

// +k8s:deepcopy-gen:interfaces=k8s.io/apimachinery/pkg/runtime.Object

// ImageHistoryOptions are the query parameters of an Image's history subresource. The history contains the builds that
// match all parameters.
type ImageHistoryOptions struct {
	metav1.TypeMeta `json:",inline"`

	// limit is the number of builds on a page, 1 to 500. Defaults to 100.
	// +optional
	// +k8s:optional
	// +k8s:minimum=0
	// +k8s:maximum=500
	Limit int64 `json:"limit,omitempty" protobuf:"varint,1,opt,name=limit"`
	// continue is the continue token of the previous page. All other parameters except limit must be the same as for
	// that page. Defaults to the first page.
	// +optional
	Continue string `json:"continue,omitempty" protobuf:"bytes,2,opt,name=continue"`
	// outcome selects builds by phase, such as Succeeded, Failed or Cancelled. Defaults to all phases.
	// +optional
	Outcome string `json:"outcome,omitempty" protobuf:"bytes,3,opt,name=outcome"`
	// trigger selects builds by trigger reason: Created, SpecChange, BaseChange, Schedule, Manual, Rerun, TestsChange, PackageChange or SourceChange. Defaults to
	// all reasons.
	// +optional
	Trigger string `json:"trigger,omitempty" protobuf:"bytes,4,opt,name=trigger"`
	// user selects builds by the user who requested them, at most 256 characters. Defaults to all users.
	// +optional
	// +k8s:optional
	// +k8s:maxLength=256
	User string `json:"user,omitempty" protobuf:"bytes,5,opt,name=user"`
	// since selects builds that were created at this time or later. The value is a duration before now, such as 7d or
	// 36h, or an RFC 3339 time. Defaults to no limit.
	// +optional
	Since string `json:"since,omitempty" protobuf:"bytes,6,opt,name=since"`
	// until selects builds that were created before this time. The value is a duration before now, such as 7d or 36h, or
	// an RFC 3339 time. Defaults to no limit.
	// +optional
	Until string `json:"until,omitempty" protobuf:"bytes,7,opt,name=until"`
	// uid is the UID of the Image, at most 63 letters, digits and hyphens. Name and UID together also find a deleted
	// Image. Defaults to the UID of the existing Image of this name.
	// +optional
	UID string `json:"uid,omitempty" protobuf:"bytes,8,opt,name=uid"`
}

// +k8s:deepcopy-gen:interfaces=k8s.io/apimachinery/pkg/runtime.Object

// ImageStatsOptions are the query parameters of an Image's stats subresource.
type ImageStatsOptions struct {
	metav1.TypeMeta `json:",inline"`

	// since is the length of the time window before now, a duration such as 7d or 36h. 1m to 3650d. Defaults to 30d.
	// +optional
	Since string `json:"since,omitempty" protobuf:"bytes,1,opt,name=since"`
	// uid is the UID of the Image, at most 63 letters, digits and hyphens. Name and UID together also find a deleted
	// Image. Defaults to the UID of the existing Image of this name.
	// +optional
	UID string `json:"uid,omitempty" protobuf:"bytes,2,opt,name=uid"`
}

// +k8s:deepcopy-gen:interfaces=k8s.io/apimachinery/pkg/runtime.Object

// ImageJournalOptions are the query parameters of an Image's subresources notes and changes.
type ImageJournalOptions struct {
	metav1.TypeMeta `json:",inline"`

	// limit is the number of items on a page, 1 to 500. Defaults to 100.
	// +optional
	// +k8s:optional
	// +k8s:minimum=0
	// +k8s:maximum=500
	Limit int64 `json:"limit,omitempty" protobuf:"varint,1,opt,name=limit"`
	// continue is the continue token of the previous page. Defaults to the first page.
	// +optional
	Continue string `json:"continue,omitempty" protobuf:"bytes,2,opt,name=continue"`
	// uid is the UID of the Image, at most 63 letters, digits and hyphens. Name and UID together also find a deleted
	// Image. Defaults to the UID of the existing Image of this name.
	// +optional
	UID string `json:"uid,omitempty" protobuf:"bytes,3,opt,name=uid"`
}
