// SPDX-License-Identifier: Apache-2.0

// Package applyset has the names by which clients find what `goldsmith up --apply` has recorded, without the server itself.
package applyset

const (
	// ParentLabel is on the parent of each ApplySet, a ConfigMap in the namespace default: see the ApplySet specification, KEP-3659.
	ParentLabel = "applyset.kubernetes.io/id"
	// FailuresAnnotation of a parent has a line for each file and object that could not be applied, the first MaxFailures of them.
	FailuresAnnotation = "apply.goldsmith.dev/failures"
	// MaxFailures is how many failures a parent has.
	MaxFailures = 16
)
