// SPDX-License-Identifier: Apache-2.0

package images

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
)

// +k8s:deepcopy-gen:interfaces=k8s.io/apimachinery/pkg/runtime.Object

// ImageHistory is a page of the builds of an Image, newest first, including deleted builds. The history subresource
// of an Image reads it from the records database.
type ImageHistory struct {
	metav1.TypeMeta
	metav1.ObjectMeta

	Items    []BuildRecord
	Continue string
}

// BuildRecord is the record of a build in the records database.
type BuildRecord struct {
	Name           string
	UID            types.UID
	Number         int64
	Phase          v1alpha1.BuildPhase
	Trigger        v1alpha1.TriggerReason
	Message        string
	RequestedBy    string
	Attempts       int32
	Failure        *BuildFailure
	CreationTime   *metav1.Time
	StartTime      *metav1.Time
	CompletionTime *metav1.Time
	Duration       *metav1.Duration
	QueueTime      *metav1.Duration
	DeletionTime   *metav1.Time
	LegalHold      bool
	OneOff         bool
	ImageUID       types.UID
}

// +k8s:deepcopy-gen:interfaces=k8s.io/apimachinery/pkg/runtime.Object

// ImageStats contains statistics of the builds of an Image that finished within a time window. The stats subresource
// of an Image computes it from the records database.
type ImageStats struct {
	metav1.TypeMeta
	metav1.ObjectMeta

	Stats  *BuildStats
	Health *ImageHealth
}

// BuildStats contains statistics of builds that finished within a time window. All fields except oneOffs leave out
// one-off builds.
type BuildStats struct {
	Window             metav1.Duration
	Builds             int64
	Succeeded          int64
	Failed             int64
	Cancelled          int64
	Retried            int64
	SuccessRate        *int32
	Durations          *DurationPercentiles
	QueueTimes         *DurationPercentiles
	Failures           []FailureCount
	Recoveries         int64
	MeanTimeToRecovery *metav1.Duration
	OneOffs            int64
}

// DurationPercentiles contains percentiles of durations. Each percentile is a measured duration: the server does not
// interpolate.
type DurationPercentiles struct {
	P50 metav1.Duration
	P90 metav1.Duration
}

// FailureCount is the number of builds that failed with one failure class.
type FailureCount struct {
	Class  v1alpha1.FailureClass
	Builds int64
}

// ImageHealth rates the builds of an Image in one number. docs/history.md describes the formula.
type ImageHealth struct {
	Score   int32
	Message string
}

// +k8s:deepcopy-gen:interfaces=k8s.io/apimachinery/pkg/runtime.Object

// ImageNote is a note that a user wrote about an Image. Users create it at the notes subresource of the Image, which
// returns the recorded note. The records database stores at most 1000 notes for each Image. Notes cannot be changed.
type ImageNote struct {
	metav1.TypeMeta
	metav1.ObjectMeta

	NoteRecord
}

// NoteRecord is the record of a note in the records database.
type NoteRecord struct {
	ID     string
	Time   *metav1.Time
	Author string
	Text   string
}

// +k8s:deepcopy-gen:interfaces=k8s.io/apimachinery/pkg/runtime.Object

// ImageNoteList is a page of the notes about an Image, newest first. The notes subresource of the Image returns it.
type ImageNoteList struct {
	metav1.TypeMeta
	metav1.ListMeta

	Items []ImageNote
}

// +k8s:deepcopy-gen:interfaces=k8s.io/apimachinery/pkg/runtime.Object

// ImageChanges is a page of the changes to the spec of an Image, newest first. The changes subresource of the Image
// returns it. It is no audit log: changes can be missing that were made while the records database was unavailable.
type ImageChanges struct {
	metav1.TypeMeta
	metav1.ObjectMeta

	Items    []ImageChange
	Continue string
}

// ImageChange is one difference between two successive generations of an Image's spec.
type ImageChange struct {
	Generation int64
	Time       *metav1.Time
	User       string
	Path       string
	From       string
	To         string
}

// +k8s:deepcopy-gen:interfaces=k8s.io/apimachinery/pkg/runtime.Object

// ImageHistoryOptions are the query parameters of an Image's history subresource. The history contains the builds
// that match all of them.
type ImageHistoryOptions struct {
	metav1.TypeMeta

	Limit    int64
	Continue string
	Outcome  string
	Trigger  string
	User     string
	Since    string
	Until    string
	UID      string
}

// +k8s:deepcopy-gen:interfaces=k8s.io/apimachinery/pkg/runtime.Object

// ImageStatsOptions are the query parameters of an Image's stats subresource.
type ImageStatsOptions struct {
	metav1.TypeMeta

	Since string
	UID   string
}

// +k8s:deepcopy-gen:interfaces=k8s.io/apimachinery/pkg/runtime.Object

// ImageJournalOptions are the query parameters of an Image's subresources notes and changes.
type ImageJournalOptions struct {
	metav1.TypeMeta

	Limit    int64
	Continue string
	UID      string
}

// +k8s:deepcopy-gen:interfaces=k8s.io/apimachinery/pkg/runtime.Object

// ImageReport reports how the builds of the Image of the same name have performed in a time window. The window is the
// last 30 days. The field selector since=DURATION of a list sets another window, of 1m to 87600h. The field selector
// deleted=true of a list returns the deleted Images with records instead, last deleted first.
type ImageReport struct {
	metav1.TypeMeta
	metav1.ObjectMeta

	Stats   *BuildStats
	Health  *ImageHealth
	History []BuildRecord
	Changes []ImageChange
	Notes   []NoteRecord
}

// +k8s:deepcopy-gen:interfaces=k8s.io/apimachinery/pkg/runtime.Object

// ImageReportList is a list of reports, one for each Image.
type ImageReportList struct {
	metav1.TypeMeta
	metav1.ListMeta

	Items []ImageReport
}
