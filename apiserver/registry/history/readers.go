// SPDX-License-Identifier: Apache-2.0

package history

import (
	"cmp"
	"context"
	"errors"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apiserver/pkg/authorization/authorizer"
	apirequest "k8s.io/apiserver/pkg/endpoints/request"
	typedcorev1 "k8s.io/client-go/kubernetes/typed/core/v1"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/apiserver/requesterrors"
	"goldsmith.dev/goldsmith/apiserver/resources"
	"goldsmith.dev/goldsmith/records"
)

// noNamespace limits records to those of no namespace. It is the form of no UID.
const noNamespace = types.UID("no namespace")

// readers decides which records the user of a request can read.
type readers struct {
	authorizer authorizer.UnconditionalAuthorizer
	namespaces typedcorev1.NamespacesGetter
}

// ServeIn sets the server that serves the records. Call it once, before the server serves.
func (d *Database) ServeIn(scope *resources.Scope) error {
	client, err := typedcorev1.NewForConfig(cmp.Or(scope.Core, scope.Loopback))
	if err != nil {
		return fmt.Errorf("connect to read namespaces: %w", err)
	}
	d.readers = &readers{authorizer: scope.Authorizer, namespaces: client}
	return nil
}

// Limit returns the UID of the namespace whose records alone the user of a request can read. It is empty for all records. Without
// permission for the request in all namespaces, these are the records of the namespace as it is now, because an earlier namespace of
// the same name may have belonged to other people.
func (d *Database) Limit(ctx context.Context) (types.UID, error) {
	r := d.readers
	if r == nil {
		return "", apierrors.NewInternalError(errors.New("check which records may be read: no server serves them"))
	}
	if everywhere, err := r.everywhere(ctx); everywhere || err != nil {
		return "", err
	}
	name := apirequest.NamespaceValue(ctx)
	if name == "" { // the user may list one name in all namespaces
		return "", apierrors.NewForbidden(v1alpha1.Resource("imagereports"), "", errors.New("the records of all namespaces need the permission for all names: request one namespace"))
	}
	namespace, err := r.namespaces.Namespaces().Get(ctx, name, metav1.GetOptions{})
	switch {
	case apierrors.IsNotFound(err):
		return noNamespace, nil
	case err != nil:
		return "", requesterrors.Unavailable(fmt.Sprintf("the namespace %q cannot be read now, try again: %v", name, err),
			metav1.StatusDetails{Group: corev1.GroupName, Kind: "namespaces", Name: name, RetryAfterSeconds: retryAfter})
	}
	return namespace.UID, nil
}

// everywhere reports whether the user of a request may make the request in all namespaces, for all names.
func (r *readers) everywhere(ctx context.Context) (bool, error) {
	user, hasUser := apirequest.UserFrom(ctx)
	request, hasInfo := apirequest.RequestInfoFrom(ctx)
	if !hasUser || !hasInfo {
		return false, apierrors.NewInternalError(errors.New("check which records may be read: the request has no user"))
	}
	decision, _, err := r.authorizer.Authorize(ctx, authorizer.AttributesRecord{
		User: user, Verb: request.Verb, APIGroup: request.APIGroup, APIVersion: request.APIVersion,
		Resource: request.Resource, Subresource: request.Subresource, ResourceRequest: true,
	})
	if decision != authorizer.DecisionAllow && err != nil {
		return false, apierrors.NewInternalError(fmt.Errorf("check whether %s may read the records of all namespaces: %w", user.GetName(), err))
	}
	return decision == authorizer.DecisionAllow, nil
}

// MayReadLog reports whether the user of a request can read the archived log of a deleted build, given its name and UID, and the UID of
// its namespace. If that UID is empty, because the archive does not know it, the record of the build decides.
func (d *Database) MayReadLog(ctx context.Context, name string, build, recorded types.UID) (bool, error) {
	limit, err := d.Limit(ctx)
	switch {
	case err != nil:
		return false, err
	case limit == "" || limit == recorded:
		return true, nil
	case recorded != "":
		return false, nil
	}
	store, err := d.Store()
	if store == nil && err == nil {
		return false, nil
	}
	var record *records.Record
	if err == nil {
		record, err = store.Build(ctx, apirequest.NamespaceValue(ctx), build)
	}
	switch {
	case errors.Is(err, records.ErrNotFound):
		return false, nil
	case err != nil:
		return false, Error(err, "imagebuilds/log", name)
	}
	return record.NamespaceUID == limit, nil
}
