// SPDX-License-Identifier: Apache-2.0

package main

import (
	"crypto/tls"
	"fmt"
	"path/filepath"

	"sigs.k8s.io/controller-runtime/pkg/metrics/filters"
	"sigs.k8s.io/controller-runtime/pkg/metrics/server"
)

// metrics configures /metrics: the server uses TLS, and admits users whom the cluster authenticates and allows to get /metrics.
func (o *options) metrics() server.Options {
	served := server.Options{
		BindAddress:    o.metricsAddress,
		SecureServing:  true,
		FilterProvider: filters.WithAuthenticationAndAuthorization,
	}
	if o.certificateDirectory != "" {
		served.TLSOpts = append(served.TLSOpts, func(config *tls.Config) {
			config.GetCertificate = func(*tls.ClientHelloInfo) (*tls.Certificate, error) {
				return readCertificate(o.certificateDirectory)
			}
		})
	}
	return served
}

// readCertificate reads the certificate for each connection, because the files may be created after the start and may change.
// There are few connections.
func readCertificate(directory string) (*tls.Certificate, error) {
	certificate, err := tls.LoadX509KeyPair(filepath.Join(directory, "tls.crt"), filepath.Join(directory, "tls.key"))
	if err != nil {
		return nil, fmt.Errorf("certificate of /metrics: %w", err)
	}
	return &certificate, nil
}
