// SPDX-License-Identifier: Apache-2.0

package certificates

import (
	"crypto/x509"
	"fmt"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/jobs/catalog/names"
)

// Names of the Secrets. Each has tls.crt and tls.key, the certificate and its key, and ca.crt, the authority that
// verifies it. ca.key is for this package only.
const (
	// APIServerSecret is goldsmith-apiserver's.
	APIServerSecret = "goldsmith-apiserver-tls"
	// EtcdSecret is etcd's, for its clients and its peers: all of them present and verify this certificate.
	EtcdSecret = "goldsmith-etcd-tls"
	// ControllerSecret is that of this process, for its metrics.
	ControllerSecret = "goldsmith-controller-tls"
	// ConsoleSecret is that of goldsmith-console, which not every installation has.
	ConsoleSecret = "goldsmith-console-tls"
)

// certificate is a certificate that this package creates and keeps valid.
type certificate struct {
	secret string
	// names that it is valid for, the first one as its common name.
	names  []string
	usages []x509.ExtKeyUsage
	// apiServices are the APIServices that get the authority as their bundle.
	apiServices []string
}

// all are the certificates of an installation in a namespace.
func all(namespace string) []certificate {
	serving := []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}
	both := []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth}
	etcd := serviceNames("goldsmith-etcd", namespace)
	for _, name := range etcd {
		etcd = append(etcd, "*."+name)
	}
	return []certificate{
		{
			secret:      APIServerSecret,
			names:       serviceNames("goldsmith-apiserver", namespace),
			usages:      serving,
			apiServices: apiServices(),
		},
		{secret: EtcdSecret, names: append(etcd, "localhost"), usages: both},
		{secret: ControllerSecret, names: serviceNames("goldsmith-controller", namespace), usages: serving},
		{secret: ConsoleSecret, names: serviceNames("goldsmith-console", namespace), usages: serving},
	}
}

// apiServices are the names of the registrations of Goldsmith's API with kube-apiserver: one for each version of a group.
func apiServices() []string {
	registrations := []string{v1alpha1.SchemeGroupVersion.Version + "." + v1alpha1.GroupName}
	for _, version := range names.Versions() {
		registrations = append(registrations, version+"."+v1alpha1.CatalogGroup)
	}
	return registrations
}

// serviceNames are the DNS names of a Service, in its namespace and from other namespaces.
func serviceNames(service, namespace string) []string {
	return []string{
		fmt.Sprintf("%s.%s.svc", service, namespace),
		fmt.Sprintf("%s.%s.svc.cluster.local", service, namespace),
		fmt.Sprintf("%s.%s", service, namespace),
		service,
	}
}
