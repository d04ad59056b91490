// SPDX-License-Identifier: Apache-2.0

package builder_test

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	. "github.com/onsi/gomega"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/apiserver/pkg/authentication/authenticator"
	"k8s.io/apiserver/pkg/authentication/user"
	"k8s.io/apiserver/pkg/authorization/authorizer"
	apirequest "k8s.io/apiserver/pkg/endpoints/request"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	"goldsmith.dev/goldsmith/apiserver/builder"
	"goldsmith.dev/goldsmith/apiserver/builder/buildertest"
	hub "goldsmith.dev/goldsmith/apiserver/example/library"
	"goldsmith.dev/goldsmith/apiserver/filters"
	"goldsmith.dev/goldsmith/e2e/require"
)

// visitor is the only guest of a test.
var visitor = authenticator.TokenFunc(func(_ context.Context, token string) (*authenticator.Response, bool, error) {
	if token == "broken" {
		return nil, false, errors.New("nobody can tell")
	}
	return &authenticator.Response{User: &user.DefaultInfo{Name: "visitor"}}, token == "of-a-visitor", nil
})

func mayListPods(_ context.Context, attributes authorizer.Attributes) (authorizer.Decision, string, error) {
	if attributes.GetUser().GetName() == "visitor" && attributes.GetVerb() == "list" && attributes.GetResource() == "pods" {
		return authorizer.DecisionAllow, "", nil
	}
	return authorizer.DecisionNoOpinion, "", nil
}

func TestAGuestMayDoWhatItsRightsAllowAndNothingElse(t *testing.T) {
	g := buildertest.Parallel(t)
	running, _ := buildertest.Start(t, buildertest.CoreKinds(builder.Memory()).WithGuests(visitor, authorizer.AuthorizerFunc(mayListPods)))
	listPods := func(token string) error {
		_, err := buildertest.ConnectOutside(t, running, token).CoreV1().Pods("default").List(t.Context(), metav1.ListOptions{})
		return err
	}
	g.Expect(listPods("of-a-visitor")).To(Succeed())
	_, err := buildertest.ConnectOutside(t, running, "of-a-visitor").CoreV1().ConfigMaps("default").List(t.Context(), metav1.ListOptions{})
	g.Expect(apierrors.IsForbidden(err)).To(BeTrue(), "%v", err)
	err = buildertest.ConnectOutside(t, running, "of-a-visitor").Discovery().RESTClient().Get().AbsPath("/metrics").Do(t.Context()).Error()
	g.Expect(apierrors.IsForbidden(err)).To(BeTrue(), "%v", err)

	g.Expect(apierrors.IsUnauthorized(listPods("of-nobody"))).To(BeTrue())
	g.Expect(apierrors.IsUnauthorized(listPods("broken"))).To(BeTrue())
	g.Expect(listPods(buildertest.Token)).To(Succeed(), "others keep their rights")
}

// leaving is an administrator who is removed after some authentications.
type leaving struct {
	present context.Context
	remove  context.CancelFunc
	until   atomic.Int32 // authentications
}

func (l *leaving) AuthenticateToken(_ context.Context, token string) (*authenticator.Response, bool, error) {
	if token != "of-an-administrator" || l.until.Add(-1) < 0 {
		return nil, false, nil
	}
	return &authenticator.Response{User: &user.DefaultInfo{Name: "ann", Groups: []string{user.SystemPrivilegedGroup}}}, true, nil
}

func (l *leaving) Present(info user.Info) context.Context {
	if info.GetName() != "ann" || l.until.Load() <= 0 {
		return nil
	}
	return l.present
}

func TestRequestsOfARemovedUserEndEvenAsAnotherUser(t *testing.T) {
	g := buildertest.Parallel(t)
	ann := &leaving{}
	ann.present, ann.remove = context.WithCancel(t.Context())
	running, _ := buildertest.Start(t, buildertest.CoreKinds(builder.Memory()).WithGuests(ann, authorizer.AuthorizerFunc(mayListPods)))
	follow := func(as rest.ImpersonationConfig) (watch.Interface, error) {
		config := &rest.Config{Host: running.Address(), BearerToken: "of-an-administrator", Impersonate: as,
			TLSClientConfig: rest.TLSClientConfig{CAData: running.CertificateAuthority()}}
		return kubernetes.NewForConfigOrDie(config).CoreV1().ConfigMaps("default").Watch(t.Context(), metav1.ListOptions{})
	}
	another := rest.ImpersonationConfig{UserName: "bob", Groups: []string{user.SystemPrivilegedGroup}}
	ann.until.Store(1)
	_, err := follow(rest.ImpersonationConfig{})
	g.Expect(apierrors.IsUnauthorized(err)).To(BeTrue(), "removed after the authentication: %v", err)
	ann.until.Store(2)
	_, err = follow(rest.ImpersonationConfig{})
	g.Expect(err).NotTo(HaveOccurred())
	ann.until.Store(100)
	own, others := require.Value(follow(rest.ImpersonationConfig{}))(t), require.Value(follow(another))(t)
	ann.remove()
	g.Eventually(own.ResultChan(), "20s").Should(BeClosed())
	g.Eventually(others.ResultChan(), "20s").Should(BeClosed())
}

// A guest has as many requests as it may have that are not answered. Those of others are.
func TestAGuestLeavesMostOfTheServerToOthers(t *testing.T) {
	g := buildertest.Parallel(t)
	const reads = 100 // a quarter of what the library answers at the same time
	begun, goOn := make(chan struct{}), make(chan struct{})
	books := buildertest.ComputedBooks(func(ctx context.Context) ([]*hub.Book, error) {
		if by, _ := apirequest.UserFrom(ctx); by.GetName() == "visitor" {
			select {
			case begun <- struct{}{}:
				<-goOn
			case <-ctx.Done():
			}
		}
		return nil, nil
	})
	running, _ := buildertest.Start(t, books.WithGuests(visitor, authorizer.AuthorizerFunc(func(context.Context, authorizer.Attributes) (authorizer.Decision, string, error) {
		return authorizer.DecisionAllow, "", nil
	})))
	ask := func(token, query string) (code int, unanswered error) {
		config := &rest.Config{Host: running.Address(), BearerToken: token, Timeout: time.Minute, QPS: -1,
			TLSClientConfig: rest.TLSClientConfig{CAData: running.CertificateAuthority()}}
		err := kubernetes.NewForConfigOrDie(config).Discovery().RESTClient().Get().RequestURI("/apis/library.example.com/v2/books" + query).MaxRetries(0).
			Do(t.Context()).StatusCode(&code).Error()
		if code == 0 {
			return 0, err
		}
		return code, nil
	}
	type answer struct {
		code       int
		unanswered error
	}
	answers := make(chan answer, reads)
	for range reads {
		go func() {
			code, unanswered := ask("of-a-visitor", "")
			answers <- answer{code, unanswered}
		}()
		<-begun
	}
	g.Expect(ask("of-a-visitor", "")).To(Equal(http.StatusTooManyRequests))
	g.Expect(ask(buildertest.Token, "")).To(Equal(http.StatusOK))
	g.Expect(ask(buildertest.Token, "?labelSelector="+strings.Repeat("a", filters.MaxQuery))).To(Equal(http.StatusRequestURITooLong))
	close(goOn)
	for range reads {
		g.Expect(<-answers).To(Equal(answer{code: http.StatusOK}))
	}
}

func TestGuestsAreForAStandaloneServerAndHaveRights(t *testing.T) {
	g := buildertest.Parallel(t)
	g.Expect(errorOf(builder.New("x").WithGuests(visitor, nil).ToServerOptions())).To(MatchError(ContainSubstring("guests need tokens and rights")))
	options := require.Value(delegatedServer().WithStorage(builder.Memory()).WithGuests(visitor, authorizer.AuthorizerFunc(mayListPods)).ToServerOptions())(t)
	g.Expect(options.Validate()).To(MatchError(ContainSubstring("takes no bearer tokens of its own")))
}
