// SPDX-License-Identifier: Apache-2.0

package dependencies

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/url"
	"time"

	authorizationv1 "k8s.io/api/authorization/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apiserver/pkg/authentication/user"
	"k8s.io/apiserver/pkg/storage/storagebackend"
	storagefactory "k8s.io/apiserver/pkg/storage/storagebackend/factory"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"

	"goldsmith.dev/goldsmith/apiserver/storage/etcd"
)

// EtcdCheck is the name of the library's own check of etcd, which a running server has.
const EtcdCheck = "etcd"

// authenticationConfigMap, in kube-system, has the authorities that a kube-apiserver trusts. The library reads it when a server is
// assembled.
const authenticationConfigMap = "extension-apiserver-authentication"

// authorizationCheck is the check whether the kube-apiserver answers SubjectAccessReviews.
const authorizationCheck = "delegated-authorization"

// askTimeout bounds one request to a dependency.
const askTimeout = 5 * time.Second

// Dependency is a service outside of the process that is required to assemble a server.
type Dependency struct {
	// Name is the name of its check in /readyz.
	Name string
	// Check asks the service, and returns why it does not answer.
	Check func(ctx context.Context) error
}

// Etcd is the etcd of a storage.
func Etcd(config storagebackend.Config) Dependency {
	return Dependency{Name: EtcdCheck, Check: func(ctx context.Context) error { return askEtcd(ctx, config) }}
}

// Authentication is the trust configuration of the kube-apiserver of a kubeconfig, or of the cluster of this process.
func Authentication(kubeconfig string) (Dependency, error) {
	client, err := connect(kubeconfig)
	return Dependency{Name: authenticationConfigMap, Check: func(ctx context.Context) error {
		ctx, cancel := context.WithTimeout(ctx, askTimeout)
		defer cancel()
		_, err := client.CoreV1().ConfigMaps(metav1.NamespaceSystem).Get(ctx, authenticationConfigMap, metav1.GetOptions{})
		return err
	}}, err
}

// Authorization is the authorization of the kube-apiserver of a kubeconfig, or of the cluster of this process.
func Authorization(kubeconfig string) (Dependency, error) {
	client, err := connect(kubeconfig)
	return Dependency{Name: authorizationCheck, Check: func(ctx context.Context) error { return askAboutAnybody(ctx, client) }}, err
}

func connect(kubeconfig string) (kubernetes.Interface, error) {
	config, err := clientcmd.BuildConfigFromFlags("", kubeconfig)
	if err != nil {
		return nil, fmt.Errorf("connect to the kube-apiserver: %w", err)
	}
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		return nil, fmt.Errorf("connect to the kube-apiserver: %w", err)
	}
	return client, nil
}

// askAboutAnybody sends the cluster a review as for every request, and accepts any answer. Without permission to create
// reviews, a server would be ready and answer 500.
func askAboutAnybody(ctx context.Context, client kubernetes.Interface) error {
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	review := &authorizationv1.SubjectAccessReview{Spec: authorizationv1.SubjectAccessReviewSpec{
		User:                  user.Anonymous,
		NonResourceAttributes: &authorizationv1.NonResourceAttributes{Path: "/readyz", Verb: "get"},
	}}
	_, err := client.AuthorizationV1().SubjectAccessReviews().Create(ctx, review, metav1.CreateOptions{})
	return err
}

// askEtcd reads from etcd. It connects by itself first, because the library's client does not report why it cannot connect.
func askEtcd(ctx context.Context, config storagebackend.Config) error {
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	if err := dialAny(ctx, config.Transport); err != nil {
		return err
	}
	prober, err := storagefactory.CreateProber(config)
	if err != nil {
		return err
	}
	return errors.Join(prober.Probe(ctx), prober.Close())
}

// dialAny connects to one of the servers, or returns the error of each server.
func dialAny(ctx context.Context, transport storagebackend.TransportConfig) error {
	var failures []error
	for _, server := range transport.ServerList {
		connection, err := dial(ctx, server, transport)
		if err == nil {
			return connection.Close()
		}
		failures = append(failures, fmt.Errorf("connect to %s: %w", server, err))
	}
	return errors.Join(failures...)
}

func dial(ctx context.Context, server string, transport storagebackend.TransportConfig) (net.Conn, error) {
	address, err := url.Parse(server)
	if err != nil {
		return nil, err
	}
	switch address.Scheme {
	case "https":
		config, err := etcd.ClientTLS(transport)
		if err != nil {
			return nil, err
		}
		return (&tls.Dialer{Config: config}).DialContext(ctx, "tcp", address.Host)
	case "unix", "unixs":
		return (&net.Dialer{}).DialContext(ctx, "unix", address.Path)
	default:
		return (&net.Dialer{}).DialContext(ctx, "tcp", address.Host)
	}
}
