// SPDX-License-Identifier: Apache-2.0

package imagebuild

import (
	"context"
	"fmt"
	"slices"

	authenticationv1 "k8s.io/api/authentication/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apiserver/pkg/authentication/serviceaccount"
	"k8s.io/client-go/kubernetes"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/apiserver/filters"
)

// PublisherTokens reviews tokens with the audience PublisherAudience.
type PublisherTokens interface {
	// PodOf returns the UID of the pod that a token is bound to, or "" if the token is not valid.
	PodOf(ctx context.Context, token string) (types.UID, error)
}

// tokenReviews lets a kube-apiserver review tokens.
type tokenReviews struct{ kubernetes.Interface }

// PodOf returns the UID of the pod that a token is bound to, or "" if the token is not valid.
func (r tokenReviews) PodOf(ctx context.Context, token string) (types.UID, error) {
	review, err := r.AuthenticationV1().TokenReviews().Create(ctx, &authenticationv1.TokenReview{
		Spec: authenticationv1.TokenReviewSpec{Token: token, Audiences: []string{v1alpha1.PublisherAudience}},
	}, metav1.CreateOptions{})
	if err != nil {
		return "", fmt.Errorf("create a TokenReview: %w", err)
	}
	uids := review.Status.User.Extra[serviceaccount.PodUIDKey]
	if !review.Status.Authenticated || !slices.Contains(review.Status.Audiences, v1alpha1.PublisherAudience) || len(uids) != 1 {
		return "", nil
	}
	return types.UID(uids[0]), nil
}

// noTokens is for servers whose builds have no publishers.
type noTokens struct{}

// PodOf knows no token.
func (noTokens) PodOf(context.Context, string) (types.UID, error) { return "", nil }

// checkPublisher refuses a request without a token of the publisher of the user's pod. The builder of the pod cannot read this token.
func (a *attester) checkPublisher(ctx context.Context, build string) error {
	token := filters.Secret(ctx, v1alpha1.PublisherTokenHeader)
	if token == "" {
		return attestationOfPod.forbidden(build, "only the publisher may attest an artifact: send its own token in the header "+v1alpha1.PublisherTokenHeader)
	}
	pod, err := a.tokens.PodOf(ctx, token)
	switch {
	case err != nil:
		return apierrors.NewInternalError(fmt.Errorf("review the token of the publisher: %w", err))
	case pod == "" || pod != podOfUser(ctx):
		return attestationOfPod.forbidden(build, fmt.Sprintf("the token in the header %s is not valid for the audience %s and this pod: use the token that is mounted in the publisher",
			v1alpha1.PublisherTokenHeader, v1alpha1.PublisherAudience))
	}
	return nil
}
