// SPDX-License-Identifier: Apache-2.0

package install

import (
	"fmt"
	"maps"
	"slices"
	"strconv"

	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/utils/ptr"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
)

// ImageFields returns the fields by which an Image can be selected, besides its name and namespace.
func ImageFields(image *v1alpha1.Image) fields.Set {
	return fields.Set{
		"spec.suspend":      strconv.FormatBool(image.IsSuspended()),
		"spec.builder.name": image.Spec.Builder.Name,
	}
}

// ImageBuildFields returns the fields by which a build can be selected, besides its name and namespace.
func ImageBuildFields(build *v1alpha1.ImageBuild) fields.Set {
	image, trigger := ptr.Deref(build.Spec.ImageRef, v1alpha1.ImageReference{}), ptr.Deref(build.Spec.Trigger, v1alpha1.BuildTrigger{})
	return fields.Set{
		"spec.imageRef.name":  image.Name,
		"spec.imageRef.uid":   string(image.UID),
		"spec.trigger.reason": string(trigger.Reason),
		"status.phase":        string(build.Status.Phase),
		"status.revoked":      strconv.FormatBool(build.Status.Revoked != nil),
		"status.finished":     strconv.FormatBool(build.Status.Finished),
	}
}

// imageReportFields are the fields that a list of reports can have. Reports do not have them: since sets the time range of the figures,
// and deleted selects deleted Images.
var imageReportFields = fields.Set{"since": "", "deleted": ""}

func addFieldLabels(scheme *runtime.Scheme) error {
	for kind, selectable := range map[string]fields.Set{
		"Image": ImageFields(&v1alpha1.Image{}), "ImageBuild": ImageBuildFields(&v1alpha1.ImageBuild{}), "ImageReport": imageReportFields,
	} {
		supported := append([]string{"metadata.name", "metadata.namespace"}, slices.Sorted(maps.Keys(selectable))...)
		if err := scheme.AddFieldLabelConversionFunc(v1alpha1.Kind(kind), fieldLabels(supported)); err != nil {
			return fmt.Errorf("register field selectors of %s: %w", kind, err)
		}
	}
	return nil
}

func fieldLabels(supported []string) runtime.FieldLabelConversionFunc {
	return func(label, value string) (string, string, error) {
		if slices.Contains(supported, label) {
			return label, value, nil
		}
		return "", "", fmt.Errorf("field label %q is not supported: use one of %v", label, supported)
	}
}
