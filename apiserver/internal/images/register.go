// SPDX-License-Identifier: Apache-2.0

package images

import (
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
)

// SchemeGroupVersion is the hub's group and version.
var SchemeGroupVersion = schema.GroupVersion{Group: v1alpha1.GroupName, Version: runtime.APIVersionInternal}

var (
	// SchemeBuilder collects what AddToScheme does.
	SchemeBuilder = runtime.NewSchemeBuilder(addKnownTypes)
	// AddToScheme adds the hub's types to a scheme.
	AddToScheme = SchemeBuilder.AddToScheme
)

// Resource qualifies a resource name with the group.
func Resource(resource string) schema.GroupResource {
	return SchemeGroupVersion.WithResource(resource).GroupResource()
}

// Kind qualifies a kind with the group.
func Kind(kind string) schema.GroupKind {
	return SchemeGroupVersion.WithKind(kind).GroupKind()
}

func addKnownTypes(scheme *runtime.Scheme) error {
	scheme.AddKnownTypes(SchemeGroupVersion,
		&Image{},
		&ImageList{},
		&ImageBuild{},
		&ImageBuildList{},
		&BuildRequest{},
		&CancelRequest{},
		&RerunRequest{},
		&BuildReport{},
		&ImageChannels{},
		&ImagePlan{},
		&QueuedBuild{},
		&QueuedBuildList{},
		&ImageBuildLogOptions{},
		&ImageBuildDiff{},
		&ImageBuildDiffOptions{},
		&ImageReport{},
		&ImageReportList{},
		&ImageHistory{},
		&ImageHistoryOptions{},
		&ImageStats{},
		&ImageStatsOptions{},
		&ImageNote{},
		&ImageNoteList{},
		&ImageChanges{},
		&ImageJournalOptions{},
	)
	return nil
}
