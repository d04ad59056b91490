// SPDX-License-Identifier: Apache-2.0

package imagebuild

import (
	"context"
	"errors"
	"fmt"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apiserver/pkg/authentication/serviceaccount"
	apirequest "k8s.io/apiserver/pkg/endpoints/request"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/apiserver/requesterrors"
)

// repeatAfter is when a pod should repeat a request that was sent too early, in seconds.
const repeatAfter = 1

// podRequest is a kind of requests that only the pod of a build's current attempt can make, until the attempt ends. A client is
// identified by the pod that its token is bound to, whatever its service account.
type podRequest struct {
	resource string // such as imagebuilds/report
	verb     string // what the pod does, for errors
	noun     string // what it uploads, for errors
}

// checkUser refuses requests that do not come from a pod of the namespace. It reads no objects, so a pod learns nothing about other
// namespaces.
func (r podRequest) checkUser(ctx context.Context, build string) error {
	if podOfUser(ctx) == "" || namespaceOfUser(ctx) != apirequest.NamespaceValue(ctx) {
		return r.notOwnBuild(build)
	}
	return nil
}

// attempt returns the attempt of a pod, which must be the current attempt without an outcome.
func (r podRequest) attempt(build *v1alpha1.ImageBuild, pod types.UID) (int32, error) {
	attempts := build.Status.Attempts
	if len(attempts) == 0 {
		return 0, r.notOwnBuild(build.Name)
	}
	for _, earlier := range attempts[:len(attempts)-1] {
		if earlier.PodUID == pod {
			return 0, r.forbidden(build.Name, fmt.Sprintf("pod %s belongs to attempt %d, which has ended: the current attempt is %d",
				earlier.PodName, earlier.Number, build.Status.CurrentAttempt))
		}
	}
	current := attempts[len(attempts)-1]
	goesOn := current.Outcome == "" && !build.Status.Phase.Finished()
	switch {
	case current.PodUID == pod && goesOn:
		return current.Number, nil
	case current.PodUID == pod:
		return 0, apierrors.NewConflict(v1alpha1.Resource("imagebuilds"), build.Name,
			fmt.Errorf("attempt %d has ended and takes no more %s", current.Number, r.noun))
	case current.PodUID == "" && goesOn:
		return 0, r.notRecordedYet(build.Name, current.Number)
	}
	return 0, r.notOwnBuild(build.Name)
}

// notOwnBuild is the same answer for a build of another pod and for a missing build.
func (r podRequest) notOwnBuild(build string) error {
	return r.forbidden(build, fmt.Sprintf("only the build's own pod may %s: use the token that is mounted in the pod", r.verb))
}

func (r podRequest) forbidden(build, why string) error {
	return apierrors.NewForbidden(v1alpha1.Resource(r.resource), build, errors.New(why))
}

// notRecordedYet is the answer to a pod that the controller has not recorded yet.
func (r podRequest) notRecordedYet(build string, attempt int32) error {
	return requesterrors.Unavailable(fmt.Sprintf("the pod of attempt %d of imagebuild %q is not recorded yet: %s again", attempt, build, r.verb),
		metav1.StatusDetails{Group: v1alpha1.SchemeGroupVersion.Group, Kind: "imagebuilds", Name: build, RetryAfterSeconds: repeatAfter})
}

// podOfUser returns the pod that the user's token is bound to, if it is bound to one.
func podOfUser(ctx context.Context) types.UID {
	user, ok := apirequest.UserFrom(ctx)
	if !ok {
		return ""
	}
	if uids := user.GetExtra()[serviceaccount.PodUIDKey]; len(uids) == 1 {
		return types.UID(uids[0])
	}
	return ""
}

// namespaceOfUser is the namespace of the user's service account and its pod. It is empty for any other user.
func namespaceOfUser(ctx context.Context) string {
	user, ok := apirequest.UserFrom(ctx)
	if !ok {
		return ""
	}
	namespace, _, err := serviceaccount.SplitUsername(user.GetName())
	if err != nil {
		return ""
	}
	return namespace
}
