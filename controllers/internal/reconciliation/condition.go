// SPDX-License-Identifier: Apache-2.0

package reconciliation

import (
	"context"
	"fmt"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
)

// SetCondition writes a condition of a build, unless the build has it with the same status and reason. It ignores a changed message,
// because an unavailable service may return a new message for each request. A conflict is an error, because the condition is
// about the version of the build that was read.
func (o *Options) SetCondition(ctx context.Context, build *v1alpha1.ImageBuild, condition metav1.Condition) error {
	before := meta.FindStatusCondition(build.Status.Conditions, condition.Type)
	if before != nil && before.Status == condition.Status && before.Reason == condition.Reason {
		return nil
	}
	condition.ObservedGeneration = build.Generation
	condition.LastTransitionTime = metav1.NewTime(o.Clock.Now().Truncate(time.Second))
	condition.Message = v1alpha1.CutMessage(condition.Message)
	next := build.Status.DeepCopy()
	meta.SetStatusCondition(&next.Conditions, condition)
	if _, err := o.PatchBuild(ctx, build, next); err != nil {
		return fmt.Errorf("write condition %s: %w", condition.Type, err)
	}
	return nil
}
