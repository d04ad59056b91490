// SPDX-License-Identifier: Apache-2.0

package builder_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	. "github.com/onsi/gomega"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apiserver/pkg/registry/rest"

	"goldsmith.dev/goldsmith/apiserver/builder"
	"goldsmith.dev/goldsmith/apiserver/builder/buildertest"
	"goldsmith.dev/goldsmith/apiserver/corekinds"
	"goldsmith.dev/goldsmith/apiserver/dynamic"
	"goldsmith.dev/goldsmith/apiserver/resources"
	"goldsmith.dev/goldsmith/e2e/require"
)

const (
	podsPath  = "/api/v1/namespaces/default/pods"
	filmsPath = "/apis/cinema.example.com/v1/namespaces/default/films"
)

func delegatedServer() *builder.Server {
	return corekinds.Register(builder.New("delegated"), buildertest.EndlessLogs{}).WithStorage(builder.Memory()).WithDelegatedAuth()
}

// delegateTo has a server ask a cluster about its users.
func delegateTo(t *testing.T, options *builder.Options, cluster *fakeCluster) {
	t.Helper()
	kubeconfig := cluster.kubeconfig(t)
	options.Recommended.CoreAPI.CoreAPIKubeconfigPath = kubeconfig
	options.Recommended.Authentication.RemoteKubeConfigFile = kubeconfig
	options.Recommended.Authorization.RemoteKubeConfigFile = kubeconfig
}

func startDelegated(t *testing.T, server *builder.Server, cluster *fakeCluster) *builder.Running {
	t.Helper()
	options := require.Value(server.ToServerOptions())(t)
	delegateTo(t, options, cluster)
	running, _ := buildertest.StartOptions(t, options)
	return running
}

// served is a server that can be asked.
type served interface {
	Address() string
	CertificateAuthority() []byte
}

// caller asks a server, with a certificate and headers of its choice.
type caller struct {
	certificate *tls.Certificate
	headers     map[string]string
}

// get returns the code of the answer and its body, or 0 and why there was none.
func (c caller) get(t *testing.T, server served, path string) (code int, body string) {
	t.Helper()
	return c.do(t, server, http.MethodGet, path, "", "")
}

func (c caller) do(t *testing.T, server served, method, path, contentType, content string) (code int, body string) {
	t.Helper()
	g := NewWithT(t)
	roots := x509.NewCertPool()
	g.Expect(roots.AppendCertsFromPEM(server.CertificateAuthority())).To(BeTrue())
	config := &tls.Config{RootCAs: roots}
	if c.certificate != nil {
		config.Certificates = []tls.Certificate{*c.certificate}
	}
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: config, ForceAttemptHTTP2: true, DisableKeepAlives: true}}
	request := require.Value(http.NewRequestWithContext(t.Context(), method, server.Address()+path, strings.NewReader(content)))(t)
	request.Header.Set("Content-Type", contentType)
	for name, value := range c.headers {
		request.Header.Set(name, value)
	}
	response, err := client.Do(request)
	if err != nil {
		return 0, err.Error()
	}
	text := require.Value(io.ReadAll(response.Body))(t)
	g.Expect(response.Body.Close()).To(Succeed())
	return response.StatusCode, string(text)
}

// asking returns a function that asks for a path and returns code and body of the answer.
func (c caller) asking(t *testing.T, server served, path string) func() string {
	t.Helper()
	return func() string {
		code, body := c.get(t, server, path)
		return fmt.Sprintf("%d %s", code, body)
	}
}

// anybody has no credentials.
var anybody = caller{}

func TestAServerWithDelegatedAuth(t *testing.T) {
	t.Parallel()
	frontProxyCA, otherCA := newAuthority(t), newAuthority(t)
	frontProxy, otherName, stranger := frontProxyCA.issue(t, "front-proxy"), frontProxyCA.issue(t, "somebody"), otherCA.issue(t, "front-proxy")
	cluster := newFakeCluster(t, frontProxyCA.pem())
	cluster.tokens["of-ada"] = "ada"
	cluster.allow("ada")
	running := startDelegated(t, delegatedServer(), cluster)

	asAda := map[string]string{"X-Remote-User": "ada", "X-Remote-Group": "system:masters"}
	for name, test := range map[string]struct {
		caller caller
		code   int
	}{
		"lets in whom the front proxy names":                           {caller{&frontProxy, map[string]string{"X-Remote-User": "ada"}}, http.StatusOK},
		"refuses whom the cluster does not authorize":                  {caller{&frontProxy, map[string]string{"X-Remote-User": "bob"}}, http.StatusForbidden},
		"believes no header without a certificate":                     {caller{nil, asAda}, http.StatusForbidden},
		"believes no header with a certificate of another CA":          {caller{&stranger, asAda}, http.StatusUnauthorized},
		"believes no header with a certificate of another name":        {caller{&otherName, asAda}, http.StatusUnauthorized},
		"lets in whom the cluster knows by token":                      {caller{nil, map[string]string{"Authorization": "Bearer of-ada"}}, http.StatusOK},
		"refuses a token that the cluster does not know":               {caller{nil, map[string]string{"Authorization": "Bearer other"}}, http.StatusUnauthorized},
		"refuses a forged header beside a token that is not known":     {caller{nil, map[string]string{"Authorization": "Bearer other", "X-Remote-User": "ada"}}, http.StatusUnauthorized},
		"believes the token, not the header, of somebody who has both": {caller{nil, map[string]string{"Authorization": "Bearer of-ada", "X-Remote-User": "bob"}}, http.StatusOK},
	} {
		t.Run(name, func(t *testing.T) {
			code, body := test.caller.get(t, running, podsPath)
			NewWithT(t).Expect(code).To(Equal(test.code), body)
		})
	}

	t.Run("asks about a request as it is", func(t *testing.T) {
		g := NewWithT(t)
		asked := cluster.askedAbout("bob")
		g.Expect(asked).NotTo(BeEmpty())
		g.Expect(asked[0].ResourceAttributes.Resource).To(Equal("pods"))
		g.Expect(asked[0].ResourceAttributes.Namespace).To(Equal("default"))
		g.Expect(asked[0].ResourceAttributes.Verb).To(Equal("list"))
	})
	t.Run("shows its health to everybody, and its metrics to nobody in particular", func(t *testing.T) {
		g := NewWithT(t)
		for path, expected := range map[string]int{"/livez": http.StatusOK, "/readyz": http.StatusOK, "/metrics": http.StatusForbidden} {
			code, _ := anybody.get(t, running, path)
			g.Expect(code).To(Equal(expected), path)
		}
	})
}

// creatingStorage asks whether it may create an object before it creates none.
type creatingStorage struct {
	*resources.ReadOnlyHandler[*unstructured.Unstructured]
}

func (creatingStorage) Update(ctx context.Context, _ string, info rest.UpdatedObjectInfo, create rest.ValidateObjectFunc, _ rest.ValidateObjectUpdateFunc,
	_ bool, _ *metav1.UpdateOptions) (runtime.Object, bool, error) {
	film, err := info.UpdatedObject(ctx, newFilm("", ""))
	if err != nil {
		return nil, false, err
	}
	return film, true, create(ctx, film)
}

// patchableFilms is the kind of films with a storage that patches reach.
func patchableFilms() dynamic.Kind {
	kind := films()
	provide := kind.Storages
	kind.Storages = func(serving dynamic.Serving) (resources.Storages, error) {
		storages, err := provide(serving)
		storages[""] = creatingStorage{storages[""].(*resources.ReadOnlyHandler[*unstructured.Unstructured])}
		return storages, err
	}
	return kind
}

func TestARequestThatTheClusterForwardsIsNotAuthorizedTwice(t *testing.T) {
	t.Parallel()
	frontProxyCA := newAuthority(t)
	frontProxy := frontProxyCA.issue(t, "front-proxy")
	cluster := newFakeCluster(t, frontProxyCA.pem())
	cluster.tokens["of-bob"] = "bob"
	group := dynamic.NewGroup("cinema.example.com", "v1")
	require.NoError(t, group.Replace([]dynamic.Kind{patchableFilms()}))
	running := startDelegated(t, delegatedServer().WithDynamicGroup(group), cluster)
	const jobsPath = "/apis/batch/v1/namespaces/default/jobs"
	forwarded := caller{&frontProxy, map[string]string{"X-Remote-User": "bob"}}

	t.Run("where the cluster forwards the group", func(t *testing.T) {
		g := NewWithT(t)
		code, body := forwarded.get(t, running, jobsPath)
		g.Expect(code).To(Equal(http.StatusOK), body)
		g.Expect(cluster.askedAbout("bob")).To(BeEmpty())
	})
	t.Run("where the cluster forwards a dynamic group", func(t *testing.T) {
		g := NewWithT(t)
		eve := caller{&frontProxy, map[string]string{"X-Remote-User": "eve"}}
		g.Eventually(func() int { code, _ := eve.get(t, running, filmsPath); return code }).Should(Equal(http.StatusOK))
		g.Expect(cluster.askedAbout("eve")).To(BeEmpty())
	})
	t.Run("but for a patch that would create an object of a dynamic kind", func(t *testing.T) {
		film := `{"apiVersion":"cinema.example.com/v1","kind":"Film","metadata":{"name":"solaris"},"spec":{}}`
		code, body := forwarded.do(t, running, http.MethodPatch, filmsPath+"/solaris?fieldManager=test", "application/apply-patch+yaml", film)
		NewWithT(t).Expect(code).To(Equal(http.StatusForbidden), body)
	})
	t.Run("but for what the request itself does not say: a patch that would create", func(t *testing.T) {
		g := NewWithT(t)
		job := `{"apiVersion":"batch/v1","kind":"Job","metadata":{"name":"a"},"spec":{"template":{"spec":{"restartPolicy":"Never","containers":[{"name":"a","image":"a"}]}}}}`
		code, body := forwarded.do(t, running, http.MethodPatch, jobsPath+"/a?fieldManager=test", "application/apply-patch+yaml", job)
		g.Expect(code).To(Equal(http.StatusForbidden), body)
		asked := cluster.askedAbout("bob")
		g.Expect(asked).NotTo(BeEmpty())
		g.Expect(asked[0].ResourceAttributes.Verb).To(Equal("create"))
	})
	for name, test := range map[string]struct {
		headers map[string]string
		path    string
	}{
		"but for impersonation":       {map[string]string{"X-Remote-User": "bob", "Impersonate-User": "ada"}, jobsPath},
		"but for another group":       {map[string]string{"X-Remote-User": "bob"}, podsPath},
		"but for what is no resource": {map[string]string{"X-Remote-User": "bob"}, "/metrics"},
	} {
		t.Run(name, func(t *testing.T) {
			code, body := caller{&frontProxy, test.headers}.get(t, running, test.path)
			NewWithT(t).Expect(code).To(Equal(http.StatusForbidden), body)
		})
	}
	t.Run("but where it did not come through the cluster", func(t *testing.T) {
		code, body := caller{nil, map[string]string{"Authorization": "Bearer of-bob"}}.get(t, running, jobsPath)
		NewWithT(t).Expect(code).To(Equal(http.StatusForbidden), body)
	})
}

func TestAServerIsReadyOnceItKnowsTheFrontProxy(t *testing.T) {
	g := buildertest.Parallel(t)
	frontProxyCA := newAuthority(t)
	frontProxy := frontProxyCA.issue(t, "front-proxy")
	cluster := newFakeCluster(t, frontProxyCA.pem())
	cluster.refuse("configmaps") // may be read, and not be listed: the server starts, and does not know whom to trust
	server := startWithoutDependency(t, delegatedServer(), func(options *builder.Options) { delegateTo(t, options, cluster) })
	g.Eventually(server.started).WithTimeout(buildertest.Patience).Should(Receive(BeNil()))
	g.Eventually(anybody.asking(t, server, "/readyz")).WithTimeout(buildertest.Patience).Should(ContainSubstring("[-]front-proxy failed"))

	cluster.refuse("")
	g.Expect(server.running.WaitReady(t.Context())).To(Succeed())
	code, body := caller{&frontProxy, map[string]string{"X-Remote-User": "bob"}}.get(t, server, "/apis/batch/v1/namespaces/default/jobs")
	g.Expect(code).To(Equal(http.StatusOK), body)
}

func TestAClusterWithoutMutatingPoliciesIsNotWaitedFor(t *testing.T) {
	t.Parallel()
	cluster := newFakeCluster(t, newAuthority(t).pem())
	cluster.older = true
	running := startDelegated(t, delegatedServer(), cluster)
	code, body := anybody.get(t, running, "/readyz")
	NewWithT(t).Expect(code).To(Equal(http.StatusOK), body)
}

func TestAServerOfAClusterHasNoLandingPage(t *testing.T) {
	g := buildertest.Parallel(t)
	options := require.Value(delegatedServer().WithLandingPage([]byte("hello")).ToServerOptions())(t)
	g.Expect(options.Validate()).To(MatchError(ContainSubstring("has no landing page")))
}
