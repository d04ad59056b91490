// SPDX-License-Identifier: Apache-2.0

package catalog

import (
	"fmt"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/apiserver/registry/install"
	"goldsmith.dev/goldsmith/jobs/catalog/names"
)

// LogOptions are the query parameters of the subresource log of all kinds: the build, and those of the log of an ImageBuild.
type LogOptions struct {
	metav1.TypeMeta `json:",inline"`

	// Build is the number of the build. Defaults to the running build or, if none is running, the latest build.
	Build *int64 `json:"build,omitempty"`
	// Attempt is the number of the attempt, from 1. Defaults to the current attempt.
	Attempt *int32 `json:"attempt,omitempty"`
	// Follow keeps the log open until the build has finished.
	Follow bool `json:"follow,omitempty"`
	// TailLines is the number of lines to return, counted from the end. Defaults to all lines.
	TailLines *int64 `json:"tailLines,omitempty"`
	// SinceTime omits lines that begin before this time.
	SinceTime *metav1.Time `json:"sinceTime,omitempty"`
	// Timestamps adds a time to the beginning of each line.
	Timestamps bool `json:"timestamps,omitempty"`
	// LimitBytes is the maximum number of bytes to return, 1 or more. Defaults to no limit.
	LimitBytes *int64 `json:"limitBytes,omitempty"`
}

// DeepCopyObject returns a copy. Nothing changes the values that it shares.
func (o *LogOptions) DeepCopyObject() runtime.Object {
	out := *o
	return &out
}

// ofBuild returns the options for the log of the ImageBuild with a UID.
func (o *LogOptions) ofBuild(uid types.UID) *v1alpha1.ImageBuildLogOptions {
	return &v1alpha1.ImageBuildLogOptions{
		Attempt: o.Attempt, Follow: o.Follow, TailLines: o.TailLines, SinceTime: o.SinceTime, Timestamps: o.Timestamps, LimitBytes: o.LimitBytes, UID: string(uid),
	}
}

// BuildOptions are the query parameters of a get of the subresource build of all kinds.
type BuildOptions struct {
	metav1.TypeMeta `json:",inline"`

	// Build is the number of the build. Defaults to the running build or, if none is running, the latest build.
	Build *int64 `json:"build,omitempty"`
}

// DeepCopyObject returns a copy. Nothing changes the values that it shares.
func (o *BuildOptions) DeepCopyObject() runtime.Object {
	out := *o
	return &out
}

// Install registers the options with the scheme of a server.
func Install(scheme *runtime.Scheme) error {
	for kind, options := range map[string]runtime.Object{"LogOptions": &LogOptions{}, "BuildOptions": &BuildOptions{}} {
		scheme.AddKnownTypeWithName(schema.GroupVersionKind{Group: v1alpha1.CatalogGroup, Version: names.Versions()[0], Kind: kind}, options)
		if err := install.AddQueryParameters(scheme, options); err != nil {
			return fmt.Errorf("register the query parameters of %s: %w", kind, err)
		}
	}
	return nil
}
