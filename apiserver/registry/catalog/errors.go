// SPDX-License-Identifier: Apache-2.0

package catalog

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
)

// noField is the field of errors without one.
var noField = (*field.Path)(nil).String()

// invalid returns the errors of an object as one error. It leaves out the remark of the library that rules of an invalid object were not
// checked, which has no field.
func (r *REST) invalid(name string, errs field.ErrorList) error {
	if located := slices.DeleteFunc(slices.Clone(errs), func(err *field.Error) bool { return err.Field == noField }); len(located) > 0 {
		errs = located
	}
	return apierrors.NewInvalid(r.kind.GroupVersionKind().GroupKind(), name, errs)
}

// explain translates an error about an Image for users of the kind, who do not know the Image. It names the field of the kind in place of
// the field of the Image. If no field of the kind sets the field of the Image, it says that the author of the kind can correct it.
func (r *REST) explain(err error, image *v1alpha1.Image) error {
	var status *apierrors.StatusError
	if image == nil || !errors.As(err, &status) || status.ErrStatus.Details == nil || status.ErrStatus.Details.Group != v1alpha1.GroupName {
		return err
	}
	isLocated := func(cause metav1.StatusCause) bool { return cause.Field != "" }
	switch reason := status.ErrStatus.Reason; {
	case reason == metav1.StatusReasonInvalid && slices.ContainsFunc(status.ErrStatus.Details.Causes, isLocated):
		return r.explainInvalid(status, image)
	case reason == metav1.StatusReasonInvalid, reason == metav1.StatusReasonForbidden: // by admission
		explained := &apierrors.StatusError{ErrStatus: *status.ErrStatus.DeepCopy()}
		explained.ErrStatus.Details.Group, explained.ErrStatus.Details.Kind = v1alpha1.CatalogGroup, r.kind.Name()
		explained.ErrStatus.Message = strings.Replace(status.ErrStatus.Message, v1alpha1.SchemeGroupVersion.WithResource("images").GroupResource().String(), r.resource().String(), 1)
		return explained
	}
	return err
}

func (r *REST) explainInvalid(status *apierrors.StatusError, image *v1alpha1.Image) error {
	kind := r.kind.GroupVersionKind().GroupKind()
	explained := apierrors.NewInvalid(kind, image.Name, nil)
	messages := make([]string, 0, len(status.ErrStatus.Details.Causes))
	for _, cause := range status.ErrStatus.Details.Causes {
		if path, ok := r.kind.ViewPath(image, cause.Field); ok {
			cause.Field = path
		} else if !strings.HasPrefix(cause.Field, "metadata.") {
			cause.Message += fmt.Sprintf(" (kind %s sets this field of the Image: its author can correct it)", kind.Kind)
		}
		explained.ErrStatus.Details.Causes = append(explained.ErrStatus.Details.Causes, cause)
		messages = append(messages, cause.Field+": "+cause.Message)
	}
	text := strings.Join(messages, ", ")
	if len(messages) > 1 {
		text = "[" + text + "]" // as an aggregate prints it
	}
	explained.ErrStatus.Message = fmt.Sprintf("%s %q is invalid: %s", kind, image.Name, text)
	return explained
}
