// SPDX-License-Identifier: Apache-2.0

package reconciliation

import (
	"context"
	"encoding/json"
	"fmt"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/strategicpatch"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
)

// PatchBuild changes the status of a build, and returns the stored build.
func (o *Options) PatchBuild(ctx context.Context, build *v1alpha1.ImageBuild, status *v1alpha1.ImageBuildStatus) (*v1alpha1.ImageBuild, error) {
	patch, err := StatusPatch(build, v1alpha1.ImageBuild{}, &build.Status, status)
	if err != nil {
		return nil, err
	}
	return o.Client.ImagesV1alpha1().ImageBuilds(build.Namespace).Patch(ctx, build.Name, types.StrategicMergePatchType, patch, metav1.PatchOptions{}, "status")
}

// StatusPatch returns the strategic merge patch that changes a status from before to after, of the version of the object that was read.
// It has only what differs. So a status keeps what other writers own, and what a newer version of Goldsmith has added. kind is an empty
// object of the kind.
func StatusPatch(object metav1.Object, kind, before, after any) ([]byte, error) {
	type metadata struct {
		UID             string `json:"uid,omitempty"`
		ResourceVersion string `json:"resourceVersion,omitempty"`
	}
	type document struct {
		Metadata metadata `json:"metadata"`
		Status   any      `json:"status"`
	}
	original, err := json.Marshal(document{Status: before})
	if err != nil {
		return nil, fmt.Errorf("encode the status: %w", err)
	}
	modified, err := json.Marshal(document{metadata{string(object.GetUID()), object.GetResourceVersion()}, after})
	if err != nil {
		return nil, fmt.Errorf("encode the status: %w", err)
	}
	patch, err := strategicpatch.CreateTwoWayMergePatch(original, modified, kind)
	if err != nil {
		return nil, fmt.Errorf("compare the status: %w", err)
	}
	return patch, nil
}
