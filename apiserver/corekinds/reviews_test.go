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
		var err error
		visitor, err = kubernetes.NewForConfig(theirs)
		Expect(err).NotTo(HaveOccurred())
	})

	ask := func(ctx context.Context, spec authorizationv1.SelfSubjectAccessReviewSpec) (*authorizationv1.SelfSubjectAccessReview, error) {
		request := &authorizationv1.SelfSubjectAccessReview{Spec: spec, Status: authorizationv1.SubjectAccessReviewStatus{Allowed: true, Denied: true}}
		return visitor.AuthorizationV1().SelfSubjectAccessReviews().Create(ctx, request, metav1.CreateOptions{})
	}

	It("tell users who they are", func(ctx SpecContext) {
		answer, err := visitor.AuthenticationV1().SelfSubjectReviews().Create(ctx, &authenticationv1.SelfSubjectReview{
			Status: authenticationv1.SelfSubjectReviewStatus{UserInfo: authenticationv1.UserInfo{Username: "somebody-else"}},
		}, metav1.CreateOptions{})
		Expect(err).NotTo(HaveOccurred())
		Expect(answer.Status.UserInfo).To(Equal(authenticationv1.UserInfo{
			Username: "visitor", UID: "v-1", Groups: []string{user.AllAuthenticated},
			Extra: map[string]authenticationv1.ExtraValue{"example.com/door": {"back"}},
		}))
	})

	DescribeTable("tell users whether they can do something", func(ctx SpecContext, spec authorizationv1.SelfSubjectAccessReviewSpec, allowed bool) {
		answer, err := ask(ctx, spec)
		Expect(err).NotTo(HaveOccurred())
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

	It("refuse to guess what is asked", func(ctx SpecContext) {
		both := askPods("get", "open")
		both.NonResourceAttributes = askPath("/open").NonResourceAttributes
		for _, spec := range []authorizationv1.SelfSubjectAccessReviewSpec{{}, both} {
			_, err := ask(ctx, spec)
			Expect(apierrors.IsInvalid(err)).To(BeTrue(), "%v", err)
		}
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
		_, err := rules(client, "")
		Expect(apierrors.IsBadRequest(err)).To(BeTrue(), "%v", err)
	})
})

func askPods(verb, namespace string) authorizationv1.SelfSubjectAccessReviewSpec {
	return authorizationv1.SelfSubjectAccessReviewSpec{ResourceAttributes: &authorizationv1.ResourceAttributes{Verb: verb, Resource: "pods", Namespace: namespace}}
}

func askPath(path string) authorizationv1.SelfSubjectAccessReviewSpec {
	return authorizationv1.SelfSubjectAccessReviewSpec{NonResourceAttributes: &authorizationv1.NonResourceAttributes{Verb: "get", Path: path}}
}
