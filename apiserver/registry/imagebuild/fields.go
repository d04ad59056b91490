// SPDX-License-Identifier: Apache-2.0

package imagebuild

import (
	"strconv"

	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apiserver/pkg/registry/generic"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/apiserver/registry/store"
)

// attributes are what builds can be selected by.
func attributes(object runtime.Object) (labels.Set, fields.Set, error) {
	build, err := store.As[*v1alpha1.ImageBuild](object)
	if err != nil {
		return nil, nil, err
	}
	selectable := fields.Set{
		"spec.imageRef.name":  "",
		"spec.imageRef.uid":   "",
		"spec.trigger.reason": "",
		"status.phase":        string(build.Status.Phase),
		"status.finished":     strconv.FormatBool(build.Status.Finished),
	}
	if ref := build.Spec.ImageRef; ref != nil {
		selectable["spec.imageRef.name"] = ref.Name
		selectable["spec.imageRef.uid"] = string(ref.UID)
	}
	if trigger := build.Spec.Trigger; trigger != nil {
		selectable["spec.trigger.reason"] = string(trigger.Reason)
	}
	return build.Labels, generic.AddObjectMetaFieldsSet(selectable, &build.ObjectMeta, true), nil
}
