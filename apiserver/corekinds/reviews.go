// SPDX-License-Identifier: Apache-2.0

package corekinds

import (
	"cmp"
	"context"
	"errors"

	authenticationv1 "k8s.io/api/authentication/v1"
	authorizationv1 "k8s.io/api/authorization/v1"

	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	metav1validation "k8s.io/apimachinery/pkg/apis/meta/v1/validation"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/validation/field"
	"k8s.io/apiserver/pkg/authentication/user"
	"k8s.io/apiserver/pkg/authorization/authorizer"
	apirequest "k8s.io/apiserver/pkg/endpoints/request"

	"goldsmith.dev/goldsmith/apiserver/builder"
	"goldsmith.dev/goldsmith/apiserver/resources"
)

// registerReviews adds the resources by which users learn who they are and what they can do: `kubectl auth whoami` and
// `kubectl auth can-i` create them.
func registerReviews(server *builder.Server) *builder.Server {
	return server.
		WithResource(authenticationv1.SchemeGroupVersion, "selfsubjectreviews", selfSubjectReviews).
		WithResource(authorizationv1.SchemeGroupVersion, "selfsubjectaccessreviews", selfSubjectAccessReviews).
		WithResource(authorizationv1.SchemeGroupVersion, "selfsubjectrulesreviews", selfSubjectRulesReviews)
}

// installReviews registers the reviews that are served, and not the other kinds of their groups.
func installReviews(scheme *runtime.Scheme) {
	for version, kinds := range map[schema.GroupVersion][]runtime.Object{
		authenticationv1.SchemeGroupVersion: {&authenticationv1.SelfSubjectReview{}},
		authorizationv1.SchemeGroupVersion:  {&authorizationv1.SelfSubjectAccessReview{}, &authorizationv1.SelfSubjectRulesReview{}},
	} {
		scheme.AddKnownTypes(version, kinds...)
		scheme.AddKnownTypes(schema.GroupVersion{Group: version.Group, Version: runtime.APIVersionInternal}, kinds...)
		metav1.AddToGroupVersion(scheme, version)
	}
}

// newReview makes the handler of a kind. Reviews are about a user, and so belong to no namespace. answer replaces a request by its answer, for the user who makes the request.
func newReview[T runtime.Object](singular string, empty func() T, answer func(context.Context, user.Info, T) error) resources.Storages {
	return resources.Storages{"": resources.NewCreateOnly(resources.CreateOnly[T]{
		New:           empty,
		Singular:      singular,
		ClusterScoped: true,
		Answer: func(ctx context.Context, request T) (runtime.Object, error) {
			info, ok := apirequest.UserFrom(ctx)
			if !ok {
				return nil, apierrors.NewInternalError(errors.New("the request has no user"))
			}
			return request, answer(ctx, info, request)
		},
	})}
}

func selfSubjectReviews(*resources.Scope) (resources.Storages, error) {
	empty := func() *authenticationv1.SelfSubjectReview { return &authenticationv1.SelfSubjectReview{} }
	return newReview("selfsubjectreview", empty, func(_ context.Context, info user.Info, request *authenticationv1.SelfSubjectReview) error {
		*request = authenticationv1.SelfSubjectReview{
			ObjectMeta: metav1.ObjectMeta{CreationTimestamp: metav1.Now()},
			Status:     authenticationv1.SelfSubjectReviewStatus{UserInfo: authenticationv1.UserInfo{Username: info.GetName(), UID: info.GetUID(), Groups: info.GetGroups()}},
		}
		for key, values := range info.GetExtra() {
			if request.Status.UserInfo.Extra == nil {
				request.Status.UserInfo.Extra = map[string]authenticationv1.ExtraValue{}
			}
			request.Status.UserInfo.Extra[key] = values
		}
		return nil
	}), nil
}

func selfSubjectAccessReviews(scope *resources.Scope) (resources.Storages, error) {
	empty := func() *authorizationv1.SelfSubjectAccessReview { return &authorizationv1.SelfSubjectAccessReview{} }
	return newReview("selfsubjectaccessreview", empty, func(ctx context.Context, info user.Info, request *authorizationv1.SelfSubjectAccessReview) error {
		if failures := validateAccessReview(request); len(failures) > 0 {
			kind := authorizationv1.SchemeGroupVersion.WithKind("SelfSubjectAccessReview").GroupKind()
			return apierrors.NewInvalid(kind, "", failures)
		}
		decision, reason, err := scope.Authorizer.Authorize(ctx, accessAsked(info, request.Spec))
		request.Status = authorizationv1.SubjectAccessReviewStatus{
			Allowed: decision == authorizer.DecisionAllow, Denied: decision == authorizer.DecisionDeny, Reason: reason,
		}
		if err != nil {
			request.Status.EvaluationError = err.Error()
		}
		return nil
	}), nil
}

// accessAsked returns what a user asks about. The selectors of a request are left out: nobody has rights that depend on them.
func accessAsked(info user.Info, spec authorizationv1.SelfSubjectAccessReviewSpec) authorizer.Attributes {
	if path := spec.NonResourceAttributes; path != nil {
		return authorizer.AttributesRecord{User: info, Verb: path.Verb, Path: path.Path}
	}
	resource := spec.ResourceAttributes
	return authorizer.AttributesRecord{
		User: info, Verb: resource.Verb, Namespace: resource.Namespace, APIGroup: resource.Group, APIVersion: cmp.Or(resource.Version, "*"),
		Resource: resource.Resource, Subresource: resource.Subresource, Name: resource.Name, ResourceRequest: true,
	}
}

// validateAccessReview refuses what kube-apiserver refuses.
func validateAccessReview(review *authorizationv1.SelfSubjectAccessReview) field.ErrorList {
	var failures field.ErrorList
	spec, path := review.Spec, field.NewPath("spec")
	if (spec.ResourceAttributes == nil) == (spec.NonResourceAttributes == nil) {
		failures = append(failures, field.Invalid(path, spec.NonResourceAttributes, "exactly one of nonResourceAttributes or resourceAttributes must be specified"))
	}
	metadata := review.ObjectMeta
	metadata.ManagedFields = nil // the server has set them
	if !equality.Semantic.DeepEqual(metav1.ObjectMeta{}, metadata) {
		failures = append(failures, field.Invalid(field.NewPath("metadata"), metadata, "must be empty"))
	}
	if spec.ResourceAttributes == nil {
		return failures
	}
	path = path.Child("resourceAttributes")
	if selector := spec.ResourceAttributes.FieldSelector; selector != nil {
		here := path.Child("fieldSelector")
		failures = append(failures, validateSelector(here, selector.RawSelector, len(selector.Requirements))...)
		options := metav1validation.FieldSelectorValidationOptions{AllowUnknownOperatorInRequirement: true}
		for i, requirement := range selector.Requirements {
			failures = append(failures, metav1validation.ValidateFieldSelectorRequirement(requirement, options, here.Child("requirements").Index(i))...)
		}
	}
	if selector := spec.ResourceAttributes.LabelSelector; selector != nil {
		here := path.Child("labelSelector")
		failures = append(failures, validateSelector(here, selector.RawSelector, len(selector.Requirements))...)
		options := metav1validation.LabelSelectorValidationOptions{AllowUnknownOperatorInRequirement: true}
		for i, requirement := range selector.Requirements {
			failures = append(failures, metav1validation.ValidateLabelSelectorRequirement(requirement, options, here.Child("requirements").Index(i))...)
		}
	}
	return failures
}

// validateSelector wants a selector in one form, either as text or as a list of requirements.
func validateSelector(path *field.Path, raw string, requirements int) field.ErrorList {
	switch {
	case raw != "" && requirements > 0:
		return field.ErrorList{field.Invalid(path.Child("rawSelector"), raw, "may not be specified at the same time as requirements")}
	case raw == "" && requirements == 0:
		return field.ErrorList{field.Required(path.Child("requirements"), "requirements or rawSelector is required")}
	default:
		return nil
	}
}

func selfSubjectRulesReviews(scope *resources.Scope) (resources.Storages, error) {
	empty := func() *authorizationv1.SelfSubjectRulesReview { return &authorizationv1.SelfSubjectRulesReview{} }
	return newReview("selfsubjectrulesreview", empty, func(ctx context.Context, info user.Info, request *authorizationv1.SelfSubjectRulesReview) error {
		if request.Spec.Namespace == "" {
			return apierrors.NewBadRequest("no namespace on request")
		}
		*request = authorizationv1.SelfSubjectRulesReview{Status: rulesOf(ctx, scope.Authorizer, info, request.Spec.Namespace)}
		return nil
	}), nil
}

// rulesOf returns the rules of a user, as far as the rights can be listed: some are functions.
func rulesOf(ctx context.Context, rights authorizer.UnconditionalAuthorizer, info user.Info, namespace string) authorizationv1.SubjectRulesReviewStatus {
	status := authorizationv1.SubjectRulesReviewStatus{ResourceRules: []authorizationv1.ResourceRule{}, NonResourceRules: []authorizationv1.NonResourceRule{}}
	listed, ok := rights.(authorizer.RuleResolver)
	if !ok {
		status.Incomplete, status.EvaluationError = true, "the rules of this user cannot be listed"
		return status
	}
	of, paths, incomplete, err := listed.RulesFor(ctx, info, namespace)
	for _, rule := range of {
		status.ResourceRules = append(status.ResourceRules, authorizationv1.ResourceRule{
			Verbs: rule.GetVerbs(), APIGroups: rule.GetAPIGroups(), Resources: rule.GetResources(), ResourceNames: rule.GetResourceNames(),
		})
	}
	for _, rule := range paths {
		status.NonResourceRules = append(status.NonResourceRules, authorizationv1.NonResourceRule{Verbs: rule.GetVerbs(), NonResourceURLs: rule.GetNonResourceURLs()})
	}
	status.Incomplete = incomplete
	if err != nil {
		status.EvaluationError = err.Error()
	}
	return status
}
