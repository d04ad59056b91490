// SPDX-License-Identifier: Apache-2.0

package security

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	authenticationv1 "k8s.io/api/authentication/v1"
	authorizationv1 "k8s.io/api/authorization/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"goldsmith.dev/goldsmith/e2e/cluster"
	"goldsmith.dev/goldsmith/e2e/oidctest"
	"goldsmith.dev/goldsmith/e2e/workspace"
)

// describeConsole: the console of a cluster acts as the user who signed in, and as nobody else.
func describeConsole(w *cluster.Workspace) {
	BeforeEach(func(SpecContext) {
		DeferCleanup(func(ctx SpecContext) { Expect(w.Environment.RemoveConsole(ctx)).To(Succeed()) })
	})

	It("lets a user see in the console what the user's own token permits, with a pod that has no token", Label("console"), Serial, func(ctx SpecContext) {
		Expect(w.Environment.AddConsole(ctx, nil)).To(Succeed())
		pod := w.PodsOf(ctx, cluster.Console)[0]
		for _, volume := range pod.Spec.Volumes {
			Expect(volume.Projected).To(BeNil(), "the pod mounts a token: %s", volume.Name)
		}
		for _, attributes := range []authorizationv1.ResourceAttributes{{Group: "images.goldsmith.dev", Resource: "images", Verb: "list"}, {Resource: "secrets", Verb: "get", Namespace: cluster.Namespace}} {
			review, err := w.Kube.AuthorizationV1().SubjectAccessReviews().Create(ctx, &authorizationv1.SubjectAccessReview{Spec: authorizationv1.SubjectAccessReviewSpec{
				User: fmt.Sprintf("system:serviceaccount:%s:%s", cluster.Namespace, cluster.Console), ResourceAttributes: &attributes,
			}}, metav1.CreateOptions{})
			Expect(err).NotTo(HaveOccurred())
			Expect(review.Status.Allowed).To(BeFalse(), "the console can %s %s", attributes.Verb, attributes.Resource)
		}
		w.CreateImage(ctx, workspace.NewImage("web"))
		console := openConsole(ctx, w, pod.Name)
		images := "/apis/images.goldsmith.dev/v1alpha1/namespaces/%s/images"

		By("not signed in")
		Expect(console.ask(ctx, http.MethodGet, "/healthz", "", "Host", "10.0.0.1")).To(Equal(answer{http.StatusOK, "ok"}))
		Expect(console.ask(ctx, http.MethodGet, "/ui/", "", "Host", "evil.example").Code).To(Equal(http.StatusMisdirectedRequest))
		Expect(console.ask(ctx, http.MethodGet, "/ui/", "").Code).To(Equal(http.StatusOK))
		Expect(console.ask(ctx, http.MethodGet, fmt.Sprintf(images, w.Namespace), "").Code).To(Equal(http.StatusUnauthorized))
		Expect(console.ask(ctx, http.MethodPost, "/ui/session", `{"token": "wrong"}`).Code).To(Equal(http.StatusUnauthorized))

		By("signing in")
		name, token := newAccount(ctx, w)
		Expect(console.ask(ctx, http.MethodPost, "/ui/session", `{"token": "`+token+`"}`, "Origin", "https://evil.example").Code).To(Equal(http.StatusForbidden))
		Expect(console.ask(ctx, http.MethodPost, "/ui/session", `{"token": "`+token+`"}`)).To(And(HaveField("Code", http.StatusOK), HaveField("Body", And(ContainSubstring(name), Not(ContainSubstring(token))))))
		w.Eventually(ctx, func(ctx context.Context) answer {
			return console.ask(ctx, http.MethodGet, fmt.Sprintf(images, w.Namespace), "")
		}).
			Should(And(HaveField("Code", http.StatusOK), HaveField("Body", ContainSubstring(`"name":"web"`))))
		Expect(console.ask(ctx, http.MethodGet, fmt.Sprintf(images, cluster.Namespace), "").Code).To(Equal(http.StatusForbidden))
		Expect(console.ask(ctx, http.MethodDelete, fmt.Sprintf(images, w.Namespace)+"/web", "").Code).To(Equal(http.StatusForbidden))
		Expect(console.ask(ctx, http.MethodGet, "/api/v1/namespaces/"+w.Namespace+"/secrets", "").Code).To(Equal(http.StatusNotFound))
		Expect(console.firstEvent(ctx, fmt.Sprintf(images, w.Namespace)+"?watch=true")).To(ContainSubstring("web"))

		By("signing out")
		Expect(console.ask(ctx, http.MethodPost, "/ui/logout", "").Code).To(Equal(http.StatusOK))
		Expect(console.ask(ctx, http.MethodGet, fmt.Sprintf(images, w.Namespace), "").Code).To(Equal(http.StatusUnauthorized))
		log, err := w.Kube.CoreV1().Pods(cluster.Namespace).GetLogs(pod.Name, &corev1.PodLogOptions{}).DoRaw(ctx)
		Expect(err).NotTo(HaveOccurred())
		Expect(string(log)).NotTo(ContainSubstring(token))
	})

	It("signs users in to the console with a provider of OpenID Connect, as the users that kube-apiserver takes them for", Label("console"), Serial, func(ctx SpecContext) {
		address, err := w.Environment.HostAddress(ctx)
		Expect(err).NotTo(HaveOccurred())
		provider, err := oidctest.StartAt(address)
		Expect(err).NotTo(HaveOccurred())
		DeferCleanup(provider.Close)
		Expect(w.Environment.Authenticate(fmt.Sprintf(`apiVersion: apiserver.config.k8s.io/v1
kind: AuthenticationConfiguration
jwt:
- issuer: {url: %q, certificateAuthority: %q, audiences: [%s]}
  claimMappings: {username: {claim: sub, prefix: "people:"}}
`, provider.URL, provider.Authority(), oidctest.ClientID))).To(Succeed())
		Expect(w.Environment.AddConsole(ctx, &cluster.ConsoleProvider{
			Issuer: provider.URL, ClientID: oidctest.ClientID, ClientSecret: oidctest.ClientSecret, Authority: provider.Authority(),
		})).To(Succeed())
		w.CreateImage(ctx, workspace.NewImage("web"))
		console := openConsole(ctx, w, w.PodsOf(ctx, cluster.Console)[0].Name)
		images := fmt.Sprintf("/apis/images.goldsmith.dev/v1alpha1/namespaces/%s/images", w.Namespace)
		const user = "people:jane"
		w.Eventually(ctx, func(ctx context.Context) answer { // kube-apiserver reads its configuration now and then
			console.signIn(ctx, provider)
			return console.ask(ctx, http.MethodGet, "/ui/session", "")
		}).Should(HaveField("Body", ContainSubstring(user)))
		Expect(console.ask(ctx, http.MethodPost, "/ui/session", `{"token": "wrong"}`).Code).To(Equal(http.StatusNotFound))
		Expect(console.ask(ctx, http.MethodGet, images, "")).To(And(HaveField("Code", http.StatusForbidden), HaveField("Body", ContainSubstring(user))))
		bind(ctx, w, rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: "view"}, rbacv1.Subject{APIGroup: rbacv1.GroupName, Kind: rbacv1.UserKind, Name: user})
		w.Eventually(ctx, func(ctx context.Context) answer { return console.ask(ctx, http.MethodGet, images, "") }).
			Should(And(HaveField("Code", http.StatusOK), HaveField("Body", ContainSubstring(`"name":"web"`))))
		Expect(console.ask(ctx, http.MethodDelete, images+"/web", "").Code).To(Equal(http.StatusForbidden))
	})
}

// signIn signs in at the provider, whose only user is always signed in.
func (c *openedConsole) signIn(ctx context.Context, provider *oidctest.Provider) {
	GinkgoHelper()
	browser := provider.Client()
	browser.CheckRedirect = c.client.CheckRedirect
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, c.redirected(ctx, "/ui/login").String(), http.NoBody)
	Expect(err).NotTo(HaveOccurred())
	response, err := browser.Do(request)
	Expect(err).NotTo(HaveOccurred())
	Expect(response.Body.Close()).To(Succeed())
	callback, err := response.Location()
	Expect(err).NotTo(HaveOccurred(), response.Status)
	Expect(callback.Host).To(Equal(cluster.ConsoleHost))
	Expect(c.redirected(ctx, callback.RequestURI()).Path).To(Equal("/ui/"))
}

// redirected returns where a page leads to.
func (c *openedConsole) redirected(ctx context.Context, path string) *url.URL {
	GinkgoHelper()
	response := c.send(ctx, http.MethodGet, path, "")
	Expect(response.Body.Close()).To(Succeed())
	found, err := response.Location()
	Expect(err).NotTo(HaveOccurred(), response.Status)
	return found
}

// newAccount returns the name and a token of a service account that can view the namespace.
func newAccount(ctx context.Context, w *cluster.Workspace) (name, token string) {
	GinkgoHelper()
	accounts := w.Kube.CoreV1().ServiceAccounts(w.Namespace)
	account, err := accounts.Create(ctx, &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Name: "viewer"}}, metav1.CreateOptions{})
	Expect(err).NotTo(HaveOccurred())
	bind(ctx, w, rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: "view"}, rbacv1.Subject{Kind: rbacv1.ServiceAccountKind, Namespace: w.Namespace, Name: account.Name})
	request, err := accounts.CreateToken(ctx, account.Name, &authenticationv1.TokenRequest{}, metav1.CreateOptions{})
	Expect(err).NotTo(HaveOccurred())
	return fmt.Sprintf("system:serviceaccount:%s:%s", w.Namespace, account.Name), request.Status.Token
}

// openedConsole is the console as a browser sees it.
type openedConsole struct {
	client  *http.Client
	address string
}

// openConsole forwards a port to the console until the spec ends, and verifies its certificate.
func openConsole(ctx context.Context, w *cluster.Workspace, pod string) *openedConsole {
	GinkgoHelper()
	secret, err := w.Kube.CoreV1().Secrets(cluster.Namespace).Get(ctx, cluster.Console+"-tls", metav1.GetOptions{})
	Expect(err).NotTo(HaveOccurred())
	roots := x509.NewCertPool()
	Expect(roots.AppendCertsFromPEM(secret.Data["ca.crt"])).To(BeTrue(), "ca.crt has no certificate")
	local, stop, err := w.Environment.Forward(pod, 8443)
	Expect(err).NotTo(HaveOccurred())
	DeferCleanup(stop)
	jar, err := cookiejar.New(nil)
	Expect(err).NotTo(HaveOccurred())
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots, ServerName: cluster.Console + "." + cluster.Namespace + ".svc", MinVersion: tls.VersionTLS12}}
	DeferCleanup(transport.CloseIdleConnections)
	return &openedConsole{client: &http.Client{
		Transport: transport, Jar: jar, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}, address: fmt.Sprintf("https://127.0.0.1:%d", local)}
}

// send sends a request. Headers are pairs of name and value.
func (c *openedConsole) send(ctx context.Context, method, path, body string, headers ...string) *http.Response {
	GinkgoHelper()
	request, err := http.NewRequestWithContext(ctx, method, c.address+path, strings.NewReader(body))
	Expect(err).NotTo(HaveOccurred())
	request.Host = cluster.ConsoleHost
	for i := 0; i < len(headers); i += 2 {
		if headers[i] == "Host" {
			request.Host = headers[i+1]
		}
		request.Header.Set(headers[i], headers[i+1])
	}
	response, err := c.client.Do(request)
	Expect(err).NotTo(HaveOccurred())
	return response
}

func (c *openedConsole) ask(ctx context.Context, method, path, body string, headers ...string) answer {
	GinkgoHelper()
	response := c.send(ctx, method, path, body, headers...)
	content, err := io.ReadAll(response.Body)
	Expect(err).NotTo(HaveOccurred())
	Expect(response.Body.Close()).To(Succeed())
	return answer{response.StatusCode, string(content)}
}

// firstEvent returns the name of the object in the first event of a watch.
func (c *openedConsole) firstEvent(ctx context.Context, path string) string {
	GinkgoHelper()
	response := c.send(ctx, http.MethodGet, path, "")
	defer func() { _ = response.Body.Close() }()
	line, err := bufio.NewReader(response.Body).ReadString('\n')
	Expect(err).NotTo(HaveOccurred())
	var event struct{ Object metav1.PartialObjectMetadata }
	Expect(json.Unmarshal([]byte(line), &event)).To(Succeed())
	return event.Object.Name
}
