// SPDX-License-Identifier: Apache-2.0

package imagereport

import (
	"fmt"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metainternalversion "k8s.io/apimachinery/pkg/apis/meta/internalversion"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/selection"

	"goldsmith.dev/goldsmith/apiserver/registry/history"
)

// Fields of selectors that reports do not have.
const (
	// sinceField is the maximum age of the builds that count, from their completion.
	sinceField = "since"
	// deletedField selects deleted Images instead of those that exist.
	deletedField = "deleted"
	deletedRule  = "must be deleted=true or deleted=false"
)

// asked is a request for a list of reports.
type asked struct {
	images  *metainternalversion.ListOptions // of the Images
	window  time.Duration                    // of their statistics
	deleted bool                             // whether deleted Images are requested
}

// split returns the request that the options of a list make.
func split(options *metainternalversion.ListOptions) (*asked, error) {
	wanted := &metainternalversion.ListOptions{}
	if options != nil {
		wanted.LabelSelector, wanted.FieldSelector = options.LabelSelector, options.FieldSelector
		wanted.Limit, wanted.Continue = options.Limit, options.Continue
		wanted.ResourceVersion, wanted.ResourceVersionMatch = options.ResourceVersion, options.ResourceVersionMatch
	}
	if wanted.FieldSelector == nil {
		return &asked{images: wanted, window: history.DefaultWindow}, nil
	}
	since, err := valueOf(wanted.FieldSelector, sinceField, "must be one duration, such as since=720h")
	if err != nil {
		return nil, err
	}
	deleted, err := valueOf(wanted.FieldSelector, deletedField, deletedRule)
	if err != nil {
		return nil, err
	}
	if deleted != "" && deleted != "true" && deleted != "false" {
		return nil, refused(deletedField, deletedRule)
	}
	window, err := history.Window(since)
	if err != nil {
		return nil, apierrors.NewBadRequest(fmt.Sprintf("field selector since=%s: %v", since, err))
	}
	rest, err := wanted.FieldSelector.Transform(func(field, value string) (string, string, error) {
		if field == sinceField || field == deletedField {
			return "", "", nil // which drops it
		}
		return field, value, nil
	})
	if err != nil {
		return nil, apierrors.NewBadRequest(fmt.Sprintf("the field selector of reports: %v", err))
	}
	wanted.FieldSelector = rest
	return &asked{images: wanted, window: window, deleted: deleted == "true"}, nil
}

// refused returns the error for the field selector of a field that violates rule.
func refused(field, rule string) error {
	return apierrors.NewBadRequest(fmt.Sprintf("field selector %q: %s", field, rule))
}

// valueOf returns the value that a selector requires of a field, or "" if it requires none.
func valueOf(selector fields.Selector, field, rule string) (string, error) {
	found := ""
	for _, requirement := range selector.Requirements() {
		if requirement.Field != field {
			continue
		}
		if requirement.Operator == selection.NotEquals || found != "" && found != requirement.Value {
			return "", refused(field, rule)
		}
		found = requirement.Value
	}
	return found, nil
}
