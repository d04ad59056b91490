// SPDX-License-Identifier: Apache-2.0

package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

// +k8s:deepcopy-gen:interfaces=k8s.io/apimachinery/pkg/runtime.Object

// ImageHistory is a page of the builds of an Image, the newest first, whether they are still there or not. It is what the
// history subresource of an Image answers, and is read from the records database.
type ImageHistory struct {
	metav1.TypeMeta `json:",inline"`
	// Standard object's metadata: name, namespace and uid of the Image.
	// +optional
	metav1.ObjectMeta `json:"metadata,omitempty" protobuf:"bytes,1,opt,name=metadata"`

	// items are the builds, by the time of their creation. Empty where there are no records.
	// +listType=atomic
	Items []BuildRecord `json:"items" protobuf:"bytes,2,rep,name=items"`
	// continue is what to ask for the next page with. Empty if there is none. Builds that are created meanwhile are on none
	// of the following pages.
	// +optional
	Continue string `json:"continue,omitempty" protobuf:"bytes,3,opt,name=continue"`
}

// BuildRecord is what the records database keeps of a build.
type BuildRecord struct {
	// name of the build.
	Name string `json:"name" protobuf:"bytes,1,opt,name=name"`
	// uid of the build. With it the build's log and its difference to others can be asked for once it is deleted.
	UID types.UID `json:"uid" protobuf:"bytes,2,opt,name=uid,casttype=k8s.io/apimachinery/pkg/types.UID"`
	// number of the build among those of its Image.
	// +optional
	Number int64 `json:"number,omitempty" protobuf:"varint,3,opt,name=number"`
	// phase of the build as it was recorded last.
	// +optional
	Phase BuildPhase `json:"phase,omitempty" protobuf:"bytes,4,opt,name=phase,casttype=BuildPhase"`
	// trigger is what started the build.
	// +optional
	Trigger TriggerReason `json:"trigger,omitempty" protobuf:"bytes,5,opt,name=trigger,casttype=TriggerReason"`
	// message for people of what started it.
	// +optional
	Message string `json:"message,omitempty" protobuf:"bytes,6,opt,name=message"`
	// requestedBy is the user who asked for it.
	// +optional
	RequestedBy string `json:"requestedBy,omitempty" protobuf:"bytes,7,opt,name=requestedBy"`
	// attempts is how many it has had.
	// +optional
	Attempts int32 `json:"attempts,omitempty" protobuf:"varint,8,opt,name=attempts"`
	// failure is why it failed or was cancelled: class, reason and message.
	// +optional
	Failure *BuildFailure `json:"failure,omitempty" protobuf:"bytes,9,opt,name=failure"`
	// creationTime is when it was created.
	// +optional
	CreationTime *metav1.Time `json:"creationTime,omitempty" protobuf:"bytes,10,opt,name=creationTime"`
	// startTime is when its first attempt was decided on.
	// +optional
	StartTime *metav1.Time `json:"startTime,omitempty" protobuf:"bytes,11,opt,name=startTime"`
	// completionTime is when it finished.
	// +optional
	CompletionTime *metav1.Time `json:"completionTime,omitempty" protobuf:"bytes,12,opt,name=completionTime"`
	// duration from its start to its completion. None unless there are both.
	// +optional
	Duration *metav1.Duration `json:"duration,omitempty" protobuf:"bytes,13,opt,name=duration"`
	// queueTime is how long it waited for its start. None unless it has started.
	// +optional
	QueueTime *metav1.Duration `json:"queueTime,omitempty" protobuf:"bytes,14,opt,name=queueTime"`
	// deletionTime is when it was seen to be gone. None while it is there.
	// +optional
	DeletionTime *metav1.Time `json:"deletionTime,omitempty" protobuf:"bytes,15,opt,name=deletionTime"`
	// legalHold says that the build itself is under legal hold.
	// +optional
	LegalHold bool `json:"legalHold,omitempty" protobuf:"varint,16,opt,name=legalHold"`
	// oneOff is true if the build does not count for its Image: it was made from other inputs than the Image's own.
	// +optional
	OneOff bool `json:"oneOff,omitempty" protobuf:"varint,17,opt,name=oneOff"`
	// imageUID is the UID of the Image that the build belongs to. A build of an earlier Image of the same name has another one
	// than metadata.uid of the history.
	// +optional
	ImageUID types.UID `json:"imageUID,omitempty" protobuf:"bytes,18,opt,name=imageUID,casttype=k8s.io/apimachinery/pkg/types.UID"`
}

// +k8s:deepcopy-gen:interfaces=k8s.io/apimachinery/pkg/runtime.Object

// ImageStats are figures of the builds of an Image that finished in a window of time. They are what the stats subresource
// of an Image answers, and are computed from the records database.
type ImageStats struct {
	metav1.TypeMeta `json:",inline"`
	// Standard object's metadata: name, namespace and uid of the Image.
	// +optional
	metav1.ObjectMeta `json:"metadata,omitempty" protobuf:"bytes,1,opt,name=metadata"`

	// stats of the builds. None where there are no records of the Image.
	// +optional
	Stats *BuildStats `json:"stats,omitempty" protobuf:"bytes,2,opt,name=stats"`
	// health in one number, from these figures. None where no build has succeeded or failed in the window.
	// +optional
	Health *ImageHealth `json:"health,omitempty" protobuf:"bytes,3,opt,name=health"`
}

// BuildStats are figures of builds that finished in a window of time. Except for oneOffs, they are figures of the builds that
// count for the Image.
type BuildStats struct {
	// window is how long ago the builds have finished at most.
	Window metav1.Duration `json:"window" protobuf:"bytes,1,opt,name=window"`
	// builds is how many have finished: the sum of succeeded, failed and cancelled.
	Builds int64 `json:"builds" protobuf:"varint,2,opt,name=builds"`
	// succeeded is how many of them succeeded.
	Succeeded int64 `json:"succeeded" protobuf:"varint,3,opt,name=succeeded"`
	// failed is how many of them failed.
	Failed int64 `json:"failed" protobuf:"varint,4,opt,name=failed"`
	// cancelled is how many of them were cancelled.
	Cancelled int64 `json:"cancelled" protobuf:"varint,5,opt,name=cancelled"`
	// retried is how many of them had more than one attempt, whatever became of them.
	Retried int64 `json:"retried" protobuf:"varint,6,opt,name=retried"`
	// successRate is how many of each 100 that succeeded or failed succeeded, 0 to 100, rounded down. None if there were no
	// such builds.
	// +optional
	SuccessRate *int32 `json:"successRate,omitempty" protobuf:"varint,7,opt,name=successRate"`
	// durations of the builds that succeeded, from start to completion. None if there were none.
	// +optional
	Durations *DurationPercentiles `json:"durations,omitempty" protobuf:"bytes,8,opt,name=durations"`
	// queueTimes of the builds that started: how long each waited for it. None if there were none.
	// +optional
	QueueTimes *DurationPercentiles `json:"queueTimes,omitempty" protobuf:"bytes,9,opt,name=queueTimes"`
	// failures is how many have failed by the class of the failure. Classes without any are not in it.
	// +optional
	// +listType=map
	// +listMapKey=class
	Failures []FailureCount `json:"failures,omitempty" protobuf:"bytes,10,rep,name=failures"`
	// recoveries is how often a build succeeded after one or more had failed.
	Recoveries int64 `json:"recoveries" protobuf:"varint,11,opt,name=recoveries"`
	// meanTimeToRecovery is the mean of the times that this took, from the end of the first build that failed to the end of
	// the next one that succeeded. What failed before the window is not seen, and cancelled builds do not count. None if
	// there were no recoveries.
	// +optional
	MeanTimeToRecovery *metav1.Duration `json:"meanTimeToRecovery,omitempty" protobuf:"bytes,12,opt,name=meanTimeToRecovery"`
	// oneOffs is how many one-off builds have finished. No other figure counts them.
	OneOffs int64 `json:"oneOffs" protobuf:"varint,13,opt,name=oneOffs"`
}

// DurationPercentiles say how durations are spread. Each is one that there was.
type DurationPercentiles struct {
	// p50 is what half of them were not longer than.
	P50 metav1.Duration `json:"p50" protobuf:"bytes,1,opt,name=p50"`
	// p90 is what nine of ten were not longer than.
	P90 metav1.Duration `json:"p90" protobuf:"bytes,2,opt,name=p90"`
}

// FailureCount is how many builds failed with a class of failure.
type FailureCount struct {
	// class of the failure.
	Class FailureClass `json:"class" protobuf:"bytes,1,opt,name=class,casttype=FailureClass"`
	// builds is how many.
	Builds int64 `json:"builds" protobuf:"varint,2,opt,name=builds"`
}

// ImageHealth is how well an Image does, in one number. How it is computed is written in docs/history.md.
type ImageHealth struct {
	// score from 0, where every build fails, to 100, where every build succeeds at the first attempt.
	Score int32 `json:"score" protobuf:"varint,1,opt,name=score"`
	// message for people: what the score is made of.
	// +optional
	Message string `json:"message,omitempty" protobuf:"bytes,2,opt,name=message"`
}

// +k8s:deepcopy-gen:interfaces=k8s.io/apimachinery/pkg/runtime.Object

// ImageNote is what somebody noted about an Image. It is created at the Image's notes subresource, which answers with the
// note as it is recorded. Notes are kept in the records database only, at most 1000 of an Image, and cannot be changed.
type ImageNote struct {
	metav1.TypeMeta `json:",inline"`
	// Standard object's metadata. The name, if given, is the Image's.
	// +optional
	metav1.ObjectMeta `json:"metadata,omitempty" protobuf:"bytes,1,opt,name=metadata"`

	// What was noted.
	NoteRecord `json:",inline" protobuf:"bytes,2,opt,name=noteRecord"`
}

// NoteRecord is what the records database keeps of a note.
type NoteRecord struct {
	// id is the author's name for the note, 1 to 128 printable characters, unique for its Image. The same id again is
	// answered with the same note, as it was sent first. Defaults to a random one, with which a note that is sent twice is
	// there twice.
	// +optional
	ID string `json:"id,omitempty" protobuf:"bytes,1,opt,name=id"`
	// time of the note. Set by the server.
	// +optional
	Time *metav1.Time `json:"time,omitempty" protobuf:"bytes,2,opt,name=time"`
	// author is the authenticated user who wrote it. Set by the server.
	// +optional
	Author string `json:"author,omitempty" protobuf:"bytes,3,opt,name=author"`
	// text of the note, 1 to 4096 bytes: printable characters, tabs and line ends.
	Text string `json:"text" protobuf:"bytes,4,opt,name=text"`
}

// +k8s:deepcopy-gen:interfaces=k8s.io/apimachinery/pkg/runtime.Object

// ImageNoteList is a page of the notes about an Image, the newest first. It is what the notes subresource of an Image
// answers.
type ImageNoteList struct {
	metav1.TypeMeta `json:",inline"`
	// Standard list metadata. With its continue the next page is asked for.
	// +optional
	metav1.ListMeta `json:"metadata,omitempty" protobuf:"bytes,1,opt,name=metadata"`

	// items are the notes. Empty where there are no records.
	Items []ImageNote `json:"items" protobuf:"bytes,2,rep,name=items"`
}

// +k8s:deepcopy-gen:interfaces=k8s.io/apimachinery/pkg/runtime.Object

// ImageChanges is a page of what was changed in the spec of an Image, the newest first. It is what the changes subresource
// of an Image answers. Changes are recorded as well as may be: one that was made while the records database was away for
// long may be missing.
type ImageChanges struct {
	metav1.TypeMeta `json:",inline"`
	// Standard object's metadata: name, namespace and uid of the Image.
	// +optional
	metav1.ObjectMeta `json:"metadata,omitempty" protobuf:"bytes,1,opt,name=metadata"`

	// items are the changes, those of the newest generation first. Empty where there are no records.
	// +listType=atomic
	Items []ImageChange `json:"items" protobuf:"bytes,2,rep,name=items"`
	// continue is what to ask for the next page with. Empty if there is none.
	// +optional
	Continue string `json:"continue,omitempty" protobuf:"bytes,3,opt,name=continue"`
}

// ImageChange is one difference between a generation of an Image's spec and the one before.
type ImageChange struct {
	// generation of the Image that has it.
	Generation int64 `json:"generation" protobuf:"varint,1,opt,name=generation"`
	// time of the change.
	// +optional
	Time *metav1.Time `json:"time,omitempty" protobuf:"bytes,2,opt,name=time"`
	// user who made it.
	// +optional
	User string `json:"user,omitempty" protobuf:"bytes,3,opt,name=user"`
	// path of the field below spec, such as parameters[edition] or triggers.schedule.cron. At most 100 of a generation: the
	// last then says how many more there are.
	Path string `json:"path" protobuf:"bytes,4,opt,name=path"`
	// from is the value before, shortened to 128 characters, or a digest and a size of a file; empty if there was none.
	// +optional
	From string `json:"from,omitempty" protobuf:"bytes,5,opt,name=from"`
	// to is the value after, in the same way; empty if there is none.
	// +optional
	To string `json:"to,omitempty" protobuf:"bytes,6,opt,name=to"`
}

// +k8s:deepcopy-gen:interfaces=k8s.io/apimachinery/pkg/runtime.Object
// +k8s:conversion-gen:explicit-from=net/url.Values

// ImageHistoryOptions are the query parameters of an Image's history subresource. Builds that are wanted fit all of them.
type ImageHistoryOptions struct {
	metav1.TypeMeta `json:",inline"`

	// limit is how many builds are on a page, 1 to 500. Defaults to 100.
	// +optional
	Limit int64 `json:"limit,omitempty" protobuf:"varint,1,opt,name=limit"`
	// continue is that of the page before; the other parameters, but for limit, have to be those of that page. Defaults to the
	// first page.
	// +optional
	Continue string `json:"continue,omitempty" protobuf:"bytes,2,opt,name=continue"`
	// outcome is the phase of the builds, such as Succeeded, Failed or Cancelled. Defaults to all.
	// +optional
	Outcome string `json:"outcome,omitempty" protobuf:"bytes,3,opt,name=outcome"`
	// trigger is what started the builds: Created, SpecChange, BaseChange, Schedule, Manual or Rerun. Defaults to all.
	// +optional
	Trigger string `json:"trigger,omitempty" protobuf:"bytes,4,opt,name=trigger"`
	// user who asked for the builds, at most 256 characters. Defaults to all.
	// +optional
	User string `json:"user,omitempty" protobuf:"bytes,5,opt,name=user"`
	// since is the earliest creation of the builds: a duration before now, such as 7d or 36h, or a time (RFC 3339). Defaults
	// to no limit.
	// +optional
	Since string `json:"since,omitempty" protobuf:"bytes,6,opt,name=since"`
	// until is what the builds were created before: a duration before now, or a time (RFC 3339). Defaults to no limit.
	// +optional
	Until string `json:"until,omitempty" protobuf:"bytes,7,opt,name=until"`
	// uid of the Image, at most 63 letters, digits and hyphens. The history of an Image that is there no more is asked for by
	// its name together with this. Defaults to the Image of this name that is there now.
	// +optional
	UID string `json:"uid,omitempty" protobuf:"bytes,8,opt,name=uid"`
}

// +k8s:deepcopy-gen:interfaces=k8s.io/apimachinery/pkg/runtime.Object
// +k8s:conversion-gen:explicit-from=net/url.Values

// ImageStatsOptions are the query parameters of an Image's stats subresource.
type ImageStatsOptions struct {
	metav1.TypeMeta `json:",inline"`

	// since is how long ago the builds have finished at most, as a duration such as 7d or 36h: 1m to 3650d. Defaults to 30d.
	// +optional
	Since string `json:"since,omitempty" protobuf:"bytes,1,opt,name=since"`
	// uid of the Image, as that of ImageHistoryOptions.
	// +optional
	UID string `json:"uid,omitempty" protobuf:"bytes,2,opt,name=uid"`
}

// +k8s:deepcopy-gen:interfaces=k8s.io/apimachinery/pkg/runtime.Object
// +k8s:conversion-gen:explicit-from=net/url.Values

// ImageJournalOptions are the query parameters of an Image's subresources notes and changes.
type ImageJournalOptions struct {
	metav1.TypeMeta `json:",inline"`

	// limit is how many items are on a page, 1 to 500. Defaults to 100.
	// +optional
	Limit int64 `json:"limit,omitempty" protobuf:"varint,1,opt,name=limit"`
	// continue is that of the page before. Defaults to the first page.
	// +optional
	Continue string `json:"continue,omitempty" protobuf:"bytes,2,opt,name=continue"`
	// uid of the Image, as that of ImageHistoryOptions.
	// +optional
	UID string `json:"uid,omitempty" protobuf:"bytes,3,opt,name=uid"`
}
