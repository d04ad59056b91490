// SPDX-License-Identifier: Apache-2.0

package corekinds_test

import (
	"context"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	authenticationv1 "k8s.io/api/authentication/v1"
	authorizationv1 "k8s.io/api/authorization/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apiserver/pkg/authentication/authenticator"
	"k8s.io/apiserver/pkg/authentication/user"
	"k8s.io/apiserver/pkg/authorization/authorizer"
	"k8s.io/client-go/kubernetes"
	restclient "k8s.io/client-go/rest"
)

// tokenOfVisitor is that of a guest who can review itself and read pods of the namespace "open".
const tokenOfVisitor = "visitor"

func visitors(_ context.Context, token string) (*authenticator.Response, bool, error) {
	info := &user.DefaultInfo{Name: "visitor", UID: "v-1", Extra: map[string][]string{"example.com/door": {"back"}}}
	return &authenticator.Response{User: info}, token == tokenOfVisitor, nil
}

func rightsOfVisitors(_ context.Context, asked authorizer.Attributes) (authorizer.Decision, string, error) {
	reviews := asked.GetVerb() == "create" && strings.HasPrefix(asked.GetResource(), "selfsubject")
	pods := asked.GetVerb() == "get" && asked.GetResource() == "pods" && asked.GetNamespace() == "open" && asked.GetAPIGroup() == ""
	if asked.GetUser().GetName() == "visitor" && (reviews || pods || asked.GetPath() == "/open") {
		return authorizer.DecisionAllow, "visitors can", nil
	}
	return authorizer.DecisionNoOpinion, "", nil
}

var _ = Describe("reviews", func() {
	var visitor kubernetes.Interface

	BeforeEach(func() {
		theirs := restclient.CopyConfig(config)
		theirs.BearerToken = tokenOfVisitor
		visitor = must(kubernetes.NewForConfig(theirs))
	})

	ask := func(ctx context.Context, spec authorizationv1.SelfSubjectAccessReviewSpec) (*authorizationv1.SelfSubjectAccessReview, error) {
		request := &authorizationv1.SelfSubjectAccessReview{Spec: spec, Status: authorizationv1.SubjectAccessReviewStatus{Allowed: true, Denied: true}}
		return visitor.AuthorizationV1().SelfSubjectAccessReviews().Create(ctx, request, metav1.CreateOptions{})
	}

	create := func(ctx context.Context, path, review string) restclient.Result {
		return visitor.AuthorizationV1().RESTClient().Post().RequestURI("/apis/authorization.k8s.io/v1/"+path).
			SetHeader("Content-Type", "application/json").Body([]byte(review)).Do(ctx)
	}

	It("tell users who they are", func(ctx SpecContext) {
		answer := must(visitor.AuthenticationV1().SelfSubjectReviews().Create(ctx, &authenticationv1.SelfSubjectReview{
			ObjectMeta: metav1.ObjectMeta{Name: "forged"},
			Status:     authenticationv1.SelfSubjectReviewStatus{UserInfo: authenticationv1.UserInfo{Username: "somebody-else"}},
		}, metav1.CreateOptions{}))
		Expect(answer.Name).To(BeEmpty())
		Expect(answer.CreationTimestamp.IsZero()).To(BeFalse())
		Expect(answer.Status.UserInfo).To(Equal(authenticationv1.UserInfo{
			Username: "visitor", UID: "v-1", Groups: []string{user.AllAuthenticated},
			Extra: map[string]authenticationv1.ExtraValue{"example.com/door": {"back"}},
		}))
	})

	DescribeTable("tell users whether they can do something", func(ctx SpecContext, spec authorizationv1.SelfSubjectAccessReviewSpec, allowed bool) {
		answer := must(ask(ctx, spec))
		Expect(answer.Spec).To(Equal(spec))
		Expect(answer.Status.Allowed).To(Equal(allowed))
		Expect(answer.Status.Denied).To(BeFalse())
		reason := ""
		if allowed {
			reason = "visitors can"
		}
		Expect(answer.Status.Reason).To(Equal(reason))
	},
		Entry("in a namespace", askPods("get", "open"), true),
		Entry("in another namespace", askPods("get", "closed"), false),
		Entry("another verb", askPods("list", "open"), false),
		Entry("a path", askPath("/open"), true),
		Entry("another path", askPath("/closed"), false),
	)

	DescribeTable("refuse what kube-apiserver refuses", func(ctx SpecContext, review string, fields ...string) {
		err := create(ctx, "selfsubjectaccessreviews", `{"apiVersion":"authorization.k8s.io/v1","kind":"SelfSubjectAccessReview",`+review+`}`).Error()
		Expect(causes(err)).To(ConsistOf(fields))
	},
		Entry("nothing is asked", `"spec":{}`, "spec"),
		Entry("a resource and a path are asked", `"spec":{"resourceAttributes":{"verb":"get","resource":"pods"},"nonResourceAttributes":{"verb":"get","path":"/open"}}`, "spec"),
		Entry("a name", `"metadata":{"name":"mine"},"spec":{"nonResourceAttributes":{"path":"/open"}}`, "metadata"),
		Entry("a generated name, and nothing is asked", `"metadata":{"generateName":"mine-"}`, "spec", "metadata"),
		Entry("labels", `"metadata":{"labels":{"a":"b"}},"spec":{"nonResourceAttributes":{"path":"/open"}}`, "metadata"),
		Entry("empty selectors", `"spec":{"resourceAttributes":{"fieldSelector":{},"labelSelector":{}}}`,
			"spec.resourceAttributes.fieldSelector.requirements", "spec.resourceAttributes.labelSelector.requirements"),
		Entry("a selector in both forms", `"spec":{"resourceAttributes":{"fieldSelector":{"rawSelector":"a=b","requirements":[{"key":"a","operator":"Exists"}]}}}`,
			"spec.resourceAttributes.fieldSelector.rawSelector"),
		Entry("requirements without a key or a value", `"spec":{"resourceAttributes":{"fieldSelector":{"requirements":[{"operator":"Exists"}]},`+
			`"labelSelector":{"requirements":[{"key":"a","operator":"In"}]}}}`,
			"spec.resourceAttributes.fieldSelector.requirements[0].key", "spec.resourceAttributes.labelSelector.requirements[0].values"),
	)

	It("answer for nobody but the user", func(ctx SpecContext) {
		const forged = `{"apiVersion":"authorization.k8s.io/v1","kind":"SelfSubjectAccessReview","metadata":{"namespace":"closed"},` +
			`"spec":{"user":"admin","resourceAttributes":{"verb":"get","resource":"pods","namespace":"closed"}},"status":{"allowed":true}}`
		var warnings []string
		answer := &authorizationv1.SelfSubjectAccessReview{}
		result := create(ctx, "selfsubjectaccessreviews", forged)
		for _, warned := range result.Warnings() {
			warnings = append(warnings, warned.Text)
		}
		Expect(result.Into(answer)).To(Succeed())
		Expect(answer.Status.Allowed).To(BeFalse())
		Expect(warnings).To(ConsistOf(`unknown field "spec.user"`))
		Expect(create(ctx, "selfsubjectaccessreviews?fieldValidation=Strict", forged).Error()).To(Satisfy(apierrors.IsBadRequest))
	})

	It("list rules, as far as they can be listed", func(ctx SpecContext) {
		rules := func(client kubernetes.Interface, namespace string) (authorizationv1.SubjectRulesReviewStatus, error) {
			answer, err := client.AuthorizationV1().SelfSubjectRulesReviews().Create(ctx, &authorizationv1.SelfSubjectRulesReview{
				Spec: authorizationv1.SelfSubjectRulesReviewSpec{Namespace: namespace},
			}, metav1.CreateOptions{})
			if err != nil {
				return authorizationv1.SubjectRulesReviewStatus{}, err
			}
			return answer.Status, nil
		}
		everything := []string{"*"}
		Expect(rules(client, namespace)).To(Equal(authorizationv1.SubjectRulesReviewStatus{
			ResourceRules:    []authorizationv1.ResourceRule{{Verbs: everything, APIGroups: everything, Resources: everything}},
			NonResourceRules: []authorizationv1.NonResourceRule{{Verbs: everything, NonResourceURLs: everything}},
		}))
		Expect(rules(visitor, namespace)).To(And(HaveField("Incomplete", true), HaveField("ResourceRules", BeEmpty()), HaveField("EvaluationError", Not(BeEmpty()))))
		Expect(errorOf(rules(client, ""))).To(Satisfy(apierrors.IsBadRequest))
	})
})

func askPods(verb, namespace string) authorizationv1.SelfSubjectAccessReviewSpec {
	return authorizationv1.SelfSubjectAccessReviewSpec{ResourceAttributes: &authorizationv1.ResourceAttributes{Verb: verb, Resource: "pods", Namespace: namespace}}
}

func askPath(path string) authorizationv1.SelfSubjectAccessReviewSpec {
	return authorizationv1.SelfSubjectAccessReviewSpec{NonResourceAttributes: &authorizationv1.NonResourceAttributes{Verb: "get", Path: path}}
}
