// SPDX-License-Identifier: Apache-2.0

package builder_test

import (
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"path"
	"strings"
	"sync"
	"testing"

	authenticationv1 "k8s.io/api/authentication/v1"
	authorizationv1 "k8s.io/api/authorization/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"

	"goldsmith.dev/goldsmith/e2e/require"
)

// fakeCluster answers what a server with delegated authentication asks its kube-apiserver.
type fakeCluster struct {
	server *httptest.Server
	// whom is the trust configuration: the data of the ConfigMap extension-apiserver-authentication.
	whom map[string]string
	// tokens are the users of valid tokens.
	tokens map[string]string

	mutex   sync.Mutex
	refused string                                    // what the server has no right to
	older   bool                                      // it does not know mutating admission policies
	allowed map[string]bool                           // users with every permission
	asked   []authorizationv1.SubjectAccessReviewSpec // what was asked about them
}

// kinds are those of the resources that the server watches. All but configmaps are empty.
var kinds = map[string]string{
	"configmaps": "ConfigMap", "namespaces": "Namespace",
	"flowschemas": "FlowSchema", "prioritylevelconfigurations": "PriorityLevelConfiguration",
	"mutatingwebhookconfigurations": "MutatingWebhookConfiguration", "validatingwebhookconfigurations": "ValidatingWebhookConfiguration",
	"mutatingadmissionpolicies": "MutatingAdmissionPolicy", "mutatingadmissionpolicybindings": "MutatingAdmissionPolicyBinding",
	"validatingadmissionpolicies": "ValidatingAdmissionPolicy", "validatingadmissionpolicybindings": "ValidatingAdmissionPolicyBinding",
}

// newFakeCluster starts a cluster that trusts one CA for the front proxy, whose common name is front-proxy.
func newFakeCluster(t *testing.T, frontProxyCA []byte) *fakeCluster {
	t.Helper()
	cluster := &fakeCluster{
		whom: map[string]string{
			"requestheader-client-ca-file":       string(frontProxyCA),
			"requestheader-allowed-names":        `["front-proxy"]`,
			"requestheader-username-headers":     `["X-Remote-User"]`,
			"requestheader-group-headers":        `["X-Remote-Group"]`,
			"requestheader-extra-headers-prefix": `["X-Remote-Extra-"]`,
		},
		tokens:  map[string]string{},
		allowed: map[string]bool{},
	}
	cluster.server = httptest.NewTLSServer(cluster)
	t.Cleanup(func() {
		cluster.server.CloseClientConnections()
		cluster.server.Close()
	})
	return cluster
}

// kubeconfig writes a kubeconfig for the cluster and returns its path.
func (c *fakeCluster) kubeconfig(t *testing.T) string {
	t.Helper()
	config := clientcmdapi.NewConfig()
	config.Clusters["fake"] = &clientcmdapi.Cluster{Server: c.server.URL, CertificateAuthorityData: encodeCertificate(c.server.Certificate())}
	config.AuthInfos["server"] = &clientcmdapi.AuthInfo{Token: "of-the-server"}
	config.Contexts["fake"] = &clientcmdapi.Context{Cluster: "fake", AuthInfo: "server"}
	config.CurrentContext = "fake"
	file := path.Join(t.TempDir(), "kubeconfig")
	require.NoError(t, clientcmd.WriteToFile(*config, file))
	return file
}

func encodeCertificate(certificate *x509.Certificate) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: certificate.Raw})
}

// allow lets a user do everything.
func (c *fakeCluster) allow(user string) {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	c.allowed[user] = true
}

// refuse takes the server's right to something, by its name in the path, or with "" gives everything back.
func (c *fakeCluster) refuse(resource string) {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	c.refused = resource
}

func (c *fakeCluster) refuses(resource string) bool {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	return c.refused == resource
}

// askedAbout returns what was asked about a user.
func (c *fakeCluster) askedAbout(user string) []authorizationv1.SubjectAccessReviewSpec {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	var asked []authorizationv1.SubjectAccessReviewSpec
	for _, spec := range c.asked {
		if spec.User == user {
			asked = append(asked, spec)
		}
	}
	return asked
}

// ServeHTTP answers a request.
func (c *fakeCluster) ServeHTTP(writer http.ResponseWriter, request *http.Request) {
	resource := path.Base(request.URL.Path)
	switch {
	case c.refuses(resource):
		status := apierrors.NewForbidden(corev1.Resource("any"), resource, errors.New("no role says so")).Status()
		status.TypeMeta = metav1.TypeMeta{APIVersion: "v1", Kind: "Status"}
		answer(writer, http.StatusForbidden, status)
	case resource == "tokenreviews":
		review := decode[authenticationv1.TokenReview](request)
		if name, known := c.tokens[review.Spec.Token]; known {
			review.Status = authenticationv1.TokenReviewStatus{Authenticated: true, User: authenticationv1.UserInfo{Username: name}}
		}
		answer(writer, http.StatusCreated, review)
	case resource == "subjectaccessreviews":
		review := decode[authorizationv1.SubjectAccessReview](request)
		c.mutex.Lock()
		c.asked = append(c.asked, review.Spec)
		review.Status.Allowed = c.allowed[review.Spec.User]
		c.mutex.Unlock()
		answer(writer, http.StatusCreated, review)
	case resource == "extension-apiserver-authentication":
		answer(writer, http.StatusOK, c.authenticationConfigMap())
	case request.URL.Path == "/apis/admissionregistration.k8s.io/v1":
		answer(writer, http.StatusOK, c.admissionResources())
	case c.older && strings.HasPrefix(resource, "mutatingadmissionpolic"):
		http.NotFound(writer, request)
	case path.Base(path.Dir(request.URL.Path)) == "namespaces": // each that is asked for exists
		answer(writer, http.StatusOK, &corev1.Namespace{TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "Namespace"}, ObjectMeta: metav1.ObjectMeta{Name: resource}})
	case request.URL.Query().Get("watch") == "true" && kinds[resource] != "":
		c.watch(writer, request, resource)
	default:
		http.NotFound(writer, request)
	}
}

func (c *fakeCluster) admissionResources() *metav1.APIResourceList {
	list := &metav1.APIResourceList{
		TypeMeta:     metav1.TypeMeta{APIVersion: "v1", Kind: "APIResourceList"},
		GroupVersion: "admissionregistration.k8s.io/v1",
		APIResources: []metav1.APIResource{{Name: "validatingadmissionpolicies", Kind: "ValidatingAdmissionPolicy"}},
	}
	if !c.older {
		list.APIResources = append(list.APIResources, metav1.APIResource{Name: "mutatingadmissionpolicies", Kind: "MutatingAdmissionPolicy"})
	}
	return list
}

func (c *fakeCluster) authenticationConfigMap() *corev1.ConfigMap {
	return &corev1.ConfigMap{
		TypeMeta:   metav1.TypeMeta{APIVersion: "v1", Kind: "ConfigMap"},
		ObjectMeta: metav1.ObjectMeta{Namespace: metav1.NamespaceSystem, Name: "extension-apiserver-authentication", ResourceVersion: "1"},
		Data:       c.whom,
	}
}

// watch sends the existing objects and the bookmark after the last of them, and then nothing.
func (c *fakeCluster) watch(writer http.ResponseWriter, request *http.Request, resource string) {
	version := "v1"
	if group := path.Base(path.Dir(path.Dir(request.URL.Path))); group != "api" {
		version = group + "/v1"
	}
	writer.Header().Set("Content-Type", runtime.ContentTypeJSON)
	events := json.NewEncoder(writer)
	if resource == "configmaps" {
		version = "v1"
		_ = events.Encode(map[string]any{"type": "ADDED", "object": c.authenticationConfigMap()})
	}
	_ = events.Encode(map[string]any{"type": "BOOKMARK", "object": map[string]any{
		"apiVersion": version, "kind": kinds[resource],
		"metadata": map[string]any{"resourceVersion": "1", "annotations": map[string]string{metav1.InitialEventsAnnotationKey: "true"}},
	}})
	if err := http.NewResponseController(writer).Flush(); err != nil {
		return
	}
	<-request.Context().Done()
}

// decode reads a review, in any encoding that the client chose.
func decode[T any](request *http.Request) *T {
	body, err := io.ReadAll(request.Body)
	if err != nil {
		panic(err)
	}
	object, _, err := scheme.Codecs.UniversalDeserializer().Decode(body, nil, nil)
	if err != nil {
		panic(err)
	}
	review, ok := any(object).(*T)
	if !ok {
		panic(fmt.Sprintf("not a %T", object))
	}
	return review
}

func answer(writer http.ResponseWriter, code int, object any) {
	writer.Header().Set("Content-Type", runtime.ContentTypeJSON)
	writer.WriteHeader(code)
	_ = json.NewEncoder(writer).Encode(object)
}
