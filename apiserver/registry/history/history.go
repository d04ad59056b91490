// SPDX-License-Identifier: Apache-2.0

package history

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/apiserver/registry/subresource"
	"goldsmith.dev/goldsmith/records"
)

const historyResource = "images/history"

// historyView returns the history subresource: the builds of an Image, including deleted builds.
func (r *recorded) historyView() *subresource.View[v1alpha1.ImageHistoryOptions, *v1alpha1.ImageHistoryOptions] {
	return subresource.NewView(historyResource, &v1alpha1.ImageHistory{}, v1alpha1.ImageHistory{}, r.history)
}

// history returns a page of the builds of an Image.
func (r *recorded) history(ctx context.Context, name string, options *v1alpha1.ImageHistoryOptions) (runtime.Object, error) {
	now := r.clock.Now()
	if err := subresource.Invalid(v1alpha1.Kind("ImageHistoryOptions").GroupKind(), name, ValidateHistoryOptions(options, now)); err != nil {
		return nil, err
	}
	from, err := startOf(options, now)
	if err != nil {
		return nil, apierrors.NewBadRequest(fmt.Sprintf("the history of image %s: %v", name, err))
	}
	store, err := r.open(ctx, historyResource, name)
	if err != nil {
		return nil, err
	}
	subject, err := r.find(ctx, store, historyResource, name, types.UID(options.UID))
	if err != nil {
		return nil, err
	}
	answer := &v1alpha1.ImageHistory{ObjectMeta: subject.ObjectMeta, Items: []v1alpha1.BuildRecord{}}
	if store == nil {
		return answer, nil
	}
	// Without a UID, the history includes builds of earlier Images of the name, because permissions are by name.
	var limit types.UID
	if options.UID == "" {
		if limit, err = r.database.Limit(ctx); err != nil {
			return nil, err
		}
	}
	page, err := store.History(ctx, records.Query{
		Namespace: subject.Namespace, NamespaceUID: limit, KnownImage: subject.UID, Image: name, ImageUID: types.UID(options.UID), Outcome: v1alpha1.BuildPhase(options.Outcome), Trigger: v1alpha1.TriggerReason(options.Trigger),
		User: options.User, Since: from.Since, Until: from.Until, Paging: records.Paging{Limit: int(options.Limit), Continue: from.Continue},
	})
	if err != nil {
		return nil, Error(err, historyResource, name)
	}
	answer.Items = Builds(page.Items)
	answer.Continue, err = from.next(page.Continue)
	return answer, err
}

// historyStart is where a page of a history begins. Continue contains it: durations count from the time of the request for
// the first page, so that all pages have the same time range.
type historyStart struct {
	Since    time.Time `json:"since,omitzero"`
	Until    time.Time `json:"until,omitzero"`
	Asked    [2]string `json:"asked"` // since and until as they were written
	Continue string    `json:"continue"`
}

// startOf returns the start that valid options set.
func startOf(options *v1alpha1.ImageHistoryOptions, now time.Time) (*historyStart, error) {
	asked := [2]string{options.Since, options.Until}
	start := &historyStart{Asked: asked}
	if options.Continue != "" {
		text, err := base64.RawURLEncoding.DecodeString(options.Continue)
		if err == nil {
			err = json.Unmarshal(text, start)
		}
		if err != nil || start.Continue == "" {
			return nil, errors.New("continue token is invalid: list again without continue")
		}
		if start.Asked != asked {
			return nil, errors.New("the continue token belongs to a list with other values of since and until: set both to the values of the first request")
		}
		return start, nil
	}
	since, err := Moment(options.Since, now)
	if err != nil {
		return nil, err
	}
	until, err := Moment(options.Until, now)
	if err != nil {
		return nil, err
	}
	start.Since, start.Until = since.UTC(), until.UTC()
	return start, nil
}

// next returns the continue of a page, which is empty for the last page.
func (s *historyStart) next(page string) (string, error) {
	if page == "" {
		return "", nil
	}
	text, err := json.Marshal(historyStart{Since: s.Since, Until: s.Until, Asked: s.Asked, Continue: page})
	if err != nil {
		return "", apierrors.NewInternalError(fmt.Errorf("end a page of a history: %w", err))
	}
	return base64.RawURLEncoding.EncodeToString(text), nil
}
