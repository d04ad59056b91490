// SPDX-License-Identifier: Apache-2.0

package builder

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
	certutil "k8s.io/client-go/util/cert"
)

// etcdCheck is the name of the library's own check of etcd, which a running server has.
const etcdCheck = "etcd"

// authenticationConfigMap, in kube-system, has the authorities that a kube-apiserver trusts. The library reads it when a server is
// assembled.
const authenticationConfigMap = "extension-apiserver-authentication"

// authorizationCheck is the check whether the kube-apiserver answers SubjectAccessReviews.
const authorizationCheck = "delegated-authorization"

// askTimeout bounds one request to a dependency.
const askTimeout = 5 * time.Second

// A dependency is a service outside of the process that is required to assemble a server.
type dependency struct {
	name  string
	check func(ctx context.Context) error
}

// dependencies returns the dependencies of this server. An error is a mistake in the options.
func (o *Options) dependencies() ([]dependency, error) {
	var dependencies []dependency
	if _, external := o.server.storage.(externalEtcd); external {
		dependencies = append(dependencies, dependency{name: etcdCheck, check: o.askEtcd})
	}
	if authentication := o.Recommended.Authentication; authentication != nil &&
		!authentication.SkipInClusterLookup && !authentication.TolerateInClusterLookupFailure {
		client, err := connect(authentication.RemoteKubeConfigFile)
		if err != nil {
			return nil, err
		}
		dependencies = append(dependencies, dependency{name: authenticationConfigMap, check: func(ctx context.Context) error {
			ctx, cancel := context.WithTimeout(ctx, askTimeout)
			defer cancel()
			_, err := client.CoreV1().ConfigMaps(metav1.NamespaceSystem).Get(ctx, authenticationConfigMap, metav1.GetOptions{})
			return err
		}})
	}
	if authorization := o.Recommended.Authorization; authorization != nil {
		client, err := connect(authorization.RemoteKubeConfigFile)
		if err != nil {
			return nil, err
		}
		dependencies = append(dependencies, dependency{name: authorizationCheck, check: func(ctx context.Context) error {
			return askAboutAnybody(ctx, client)
		}})
	}
	return dependencies, nil
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
func (o *Options) askEtcd(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	config := o.Recommended.Etcd.StorageConfig
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
		config, err := clientTLS(transport)
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

// clientTLS reads the certificates each time, because the server may be waiting for them.
func clientTLS(transport storagebackend.TransportConfig) (*tls.Config, error) {
	config := &tls.Config{}
	if transport.TrustedCAFile != "" {
		pool, err := certutil.NewPool(transport.TrustedCAFile)
		if err != nil {
			return nil, fmt.Errorf("read the CA: %w", err)
		}
		config.RootCAs = pool
	}
	if transport.CertFile != "" {
		pair, err := tls.LoadX509KeyPair(transport.CertFile, transport.KeyFile)
		if err != nil {
			return nil, fmt.Errorf("read the client certificate: %w", err)
		}
		config.Certificates = []tls.Certificate{pair}
	}
	return config, nil
}
