// SPDX-License-Identifier: Apache-2.0

package up

import (
	"context"
	"fmt"
	"net/http"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/rest"

	"goldsmith.dev/goldsmith/apis/generated/clientset/versioned"
	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
)

// publisher attests artifacts as the publisher of their pod, which the agent is.
type publisher struct {
	client versioned.Interface
	grant  func(*corev1.Pod) (token string, revoke func())
}

// newPublisher returns a publisher that reaches the server of a configuration, without its credentials. grant returns a token for each request.
func newPublisher(server *rest.Config, grant func(*corev1.Pod) (token string, revoke func())) (*publisher, error) {
	config := rest.AnonymousClientConfig(server)
	config.UserAgent, config.WrapTransport = publisherAccount, server.WrapTransport
	config.Wrap(func(next http.RoundTripper) http.RoundTripper { return publisherTransport{next} })
	client, err := versioned.NewForConfig(config)
	if err != nil {
		return nil, fmt.Errorf("connect the publisher: %w", err)
	}
	return &publisher{client, grant}, nil
}

// attest sends a request to the attest subresource of a build.
func (p *publisher) attest(ctx context.Context, pod *corev1.Pod, build types.NamespacedName, request *v1alpha1.BuildAttestation) (*v1alpha1.BuildAttestation, error) {
	token, revoke := p.grant(pod)
	defer revoke()
	ctx = context.WithValue(ctx, publisherTokenKey{}, token)
	return p.client.ImagesV1alpha1().ImageBuilds(build.Namespace).Attest(ctx, build.Name, request, metav1.CreateOptions{})
}

// publisherTokenKey is the key of the token in the context of a request.
type publisherTokenKey struct{}

// publisherTransport sends the token of a request as the token of the pod, and as that of its publisher.
type publisherTransport struct{ next http.RoundTripper }

// RoundTrip sends a request.
func (t publisherTransport) RoundTrip(request *http.Request) (*http.Response, error) {
	token, _ := request.Context().Value(publisherTokenKey{}).(string)
	request = request.Clone(request.Context())
	request.Header.Set("Authorization", "Bearer "+token)
	request.Header.Set(v1alpha1.PublisherTokenHeader, token)
	return t.next.RoundTrip(request)
}
