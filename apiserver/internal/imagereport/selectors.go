// SPDX-License-Identifier: Apache-2.0

package imagereport

import (
	"fmt"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metainternalversion "k8s.io/apimachinery/pkg/apis/meta/internalversion"
	"k8s.io/apimachinery/pkg/selection"

	"goldsmith.dev/goldsmith/apiserver/internal/images/validation"
)

// sinceField is a field selector that selects no reports: it says how long ago the builds that count have finished at most.
const sinceField = "since"

// split returns what is asked of the Images, and the window of their statistics.
func split(options *metainternalversion.ListOptions) (*metainternalversion.ListOptions, time.Duration, error) {
	wanted := &metainternalversion.ListOptions{}
	if options != nil {
		wanted.LabelSelector, wanted.FieldSelector = options.LabelSelector, options.FieldSelector
		wanted.Limit, wanted.Continue = options.Limit, options.Continue
		wanted.ResourceVersion, wanted.ResourceVersionMatch = options.ResourceVersion, options.ResourceVersionMatch
	}
	if wanted.FieldSelector == nil {
		return wanted, validation.DefaultWindow, nil
	}
	since := ""
	for _, requirement := range wanted.FieldSelector.Requirements() {
		if requirement.Field != sinceField {
			continue
		}
		if requirement.Operator == selection.NotEquals || since != "" && since != requirement.Value {
			return nil, 0, apierrors.NewBadRequest("the field selector since is one duration, such as since=720h")
		}
		since = requirement.Value
	}
	window, err := validation.Window(since)
	if err != nil {
		return nil, 0, apierrors.NewBadRequest(fmt.Sprintf("the field selector since=%s %v", since, err))
	}
	rest, err := wanted.FieldSelector.Transform(func(field, value string) (string, string, error) {
		if field == sinceField {
			return "", "", nil // which drops it
		}
		return field, value, nil
	})
	if err != nil {
		return nil, 0, apierrors.NewBadRequest(fmt.Sprintf("the field selector of reports: %v", err))
	}
	wanted.FieldSelector = rest
	return wanted, window, nil
}
