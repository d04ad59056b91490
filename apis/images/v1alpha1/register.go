// SPDX-License-Identifier: Apache-2.0

package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// GroupName is the API group of Goldsmith.
const GroupName = "images.goldsmith.dev"

// SchemeGroupVersion is the group and version of this package's types.
var SchemeGroupVersion = schema.GroupVersion{Group: GroupName, Version: "v1alpha1"}

var (
	// SchemeBuilder collects the functions that AddToScheme runs.
	SchemeBuilder = runtime.NewSchemeBuilder(addKnownTypes, addDefaultingFuncs)
	// AddToScheme adds this package's types and their defaults to a scheme.
	AddToScheme = SchemeBuilder.AddToScheme
)

// Resource qualifies a resource name with the group.
func Resource(resource string) schema.GroupResource {
	return SchemeGroupVersion.WithResource(resource).GroupResource()
}

// Kind qualifies a kind with the group and version.
func Kind(kind string) schema.GroupVersionKind {
	return SchemeGroupVersion.WithKind(kind)
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
		&TestRequest{},
		&RevokedArtifact{},
		&RevokedArtifactList{},
		&RevokeRequest{},
		&RestoreRequest{},
		&BuildReport{},
		&ImageChannels{},
		&Builder{},
		&BuilderList{},
		&ImagePlan{},
		&QueuedBuild{},
		&QueuedBuildList{},
		&ImageBuildLogOptions{},
		&ImageBuildDiff{},
		&ImageBuildDiffOptions{},
		&ImageBuildPackages{},
		&ImageBuildPackagesOptions{},
		&ImageBuildVulnerabilities{},
		&ImageBuildVulnerabilitiesOptions{},
		&BuildAttestation{},
		&BuildSignatures{},
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
		&ImageKind{},
		&ImageKindList{},
		&SigningKey{},
		&SigningKeyList{},
		&Archive{},
		&ArchiveList{},
	)
	metav1.AddToGroupVersion(scheme, SchemeGroupVersion)
	return nil
}

func addDefaultingFuncs(scheme *runtime.Scheme) error {
	return RegisterDefaults(scheme)
}
