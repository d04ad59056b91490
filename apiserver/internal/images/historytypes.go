// SPDX-License-Identifier: Apache-2.0

package images

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
)

// +k8s:deepcopy-gen:interfaces=k8s.io/apimachinery/pkg/runtime.Object

// ImageHistory is a page of the builds of an Image, the newest first, whether they are still there or not.
type ImageHistory struct {
	metav1.TypeMeta
	metav1.ObjectMeta

	Items    []BuildRecord
	Continue string
}

// BuildRecord is what the records database keeps of a build.
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

// ImageStats are figures of the builds of an Image that finished in a window of time.
type ImageStats struct {
	metav1.TypeMeta
	metav1.ObjectMeta

	Stats  *BuildStats
	Health *ImageHealth
}

// BuildStats are figures of builds that finished in a window of time.
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

// DurationPercentiles say how durations are spread.
type DurationPercentiles struct {
	P50 metav1.Duration
	P90 metav1.Duration
}

// FailureCount is how many builds failed with a class of failure.
type FailureCount struct {
	Class  v1alpha1.FailureClass
	Builds int64
}

// ImageHealth is how well an Image does, in one number.
type ImageHealth struct {
	Score   int32
	Message string
}

// +k8s:deepcopy-gen:interfaces=k8s.io/apimachinery/pkg/runtime.Object

// ImageNote is what somebody noted about an Image.
type ImageNote struct {
	metav1.TypeMeta
	metav1.ObjectMeta

	NoteRecord
}

// NoteRecord is what the records database keeps of a note.
type NoteRecord struct {
	ID     string
	Time   *metav1.Time
	Author string
	Text   string
}

// +k8s:deepcopy-gen:interfaces=k8s.io/apimachinery/pkg/runtime.Object

// ImageNoteList is a page of the notes about an Image, the newest first.
type ImageNoteList struct {
	metav1.TypeMeta
	metav1.ListMeta

	Items []ImageNote
}

// +k8s:deepcopy-gen:interfaces=k8s.io/apimachinery/pkg/runtime.Object

// ImageChanges is a page of what was changed in the spec of an Image, the newest first.
type ImageChanges struct {
	metav1.TypeMeta
	metav1.ObjectMeta

	Items    []ImageChange
	Continue string
}

// ImageChange is one difference between a generation of an Image's spec and the one before.
type ImageChange struct {
	Generation int64
	Time       *metav1.Time
	User       string
	Path       string
	From       string
	To         string
}

// +k8s:deepcopy-gen:interfaces=k8s.io/apimachinery/pkg/runtime.Object

// ImageHistoryOptions are the query parameters of an Image's history subresource.
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

// ImageReport is how the Image of the same name has done in a window of time.
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
