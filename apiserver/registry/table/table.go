// SPDX-License-Identifier: Apache-2.0

// Package table has the common parts of the columns that kubectl get prints.
package table

import (
	"fmt"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/duration"
	"k8s.io/utils/clock"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/apiserver/resources"
)

// New returns a table like resources.NewTable, and escapes the text of its cells: a terminal shows texts of other users, and of
// Jobs and events that the server cannot refuse.
func New[T runtime.Object](columns []metav1.TableColumnDefinition, cells func(object T) []any) resources.Table[T] {
	return resources.NewTable(columns, func(object T) []any {
		escaped := cells(object)
		for i, cell := range escaped {
			if text, ok := cell.(string); ok {
				escaped[i] = v1alpha1.Escape(text)
			}
		}
		return escaped
	})
}

// Age is how long ago something was, as kubectl shows it.
func Age(now clock.PassiveClock, since metav1.Time) string {
	if since.IsZero() {
		return "<unknown>"
	}
	return duration.HumanDuration(now.Since(since.Time))
}

// Digest shows the beginning of the first artifact's digest, and how many more artifacts there are.
func Digest(artifacts []v1alpha1.Artifact) string {
	const shown = 12
	if len(artifacts) == 0 {
		return ""
	}
	digest := strings.TrimPrefix(artifacts[0].Digest, "sha256:")
	digest = digest[:min(shown, len(digest))]
	if more := len(artifacts) - 1; more > 0 {
		return fmt.Sprintf("%s+%d", digest, more)
	}
	return digest
}
