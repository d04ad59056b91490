// SPDX-License-Identifier: Apache-2.0

package builder

import (
	"errors"
	"fmt"
	"net"
	"os"
	"slices"
	"strconv"
	"time"

	"k8s.io/apimachinery/pkg/util/uuid"
	genericapiserver "k8s.io/apiserver/pkg/server"
	"k8s.io/apiserver/pkg/server/dynamiccertificates"

	"goldsmith.dev/goldsmith/apiserver/certificates"
)

// loopbackLifetime is the lifetime of the certificate for the connection of a server to itself. The certificate exists only in
// memory, and expires with its authority after ten years.
const loopbackLifetime = 10 * 365 * 24 * time.Hour

// prepareServing opens the listener, and reads or creates the serving certificate. It returns the PEM bundle with which
// clients verify the certificate.
func (o *Options) prepareServing() (authority []byte, err error) {
	serving := o.Recommended.SecureServing
	serving.Listener = o.server.listener
	if serving.Listener == nil {
		serving.Listener, err = net.Listen("tcp", net.JoinHostPort(serving.BindAddress.String(), strconv.Itoa(serving.BindPort)))
		if err != nil {
			return nil, fmt.Errorf("listen: %w", err)
		}
	}
	if authority, err = o.prepareCertificate(); err != nil {
		err = errors.Join(err, serving.Listener.Close())
	}
	return authority, err
}

func (o *Options) prepareCertificate() ([]byte, error) {
	given := &o.Recommended.SecureServing.ServerCert
	if given.CertKey.CertFile != "" {
		authority, err := os.ReadFile(given.CertKey.CertFile)
		if err != nil {
			return nil, fmt.Errorf("read the serving certificate: %w", err)
		}
		return authority, nil
	}
	hosts := servingHosts(o.servingAddress())
	certificate, key, err := certificates.Own(given.CertDirectory, hosts, time.Now())
	if err != nil {
		return nil, err
	}
	given.GeneratedCert, err = dynamiccertificates.NewStaticCertKeyContent("self-signed serving certificate", certificate, key)
	if err != nil {
		return nil, fmt.Errorf("use the serving certificate: %w", err)
	}
	return certificate, nil
}

// servingAddress is the address that the server listens on, which is that of an open listener if there is one.
func (o *Options) servingAddress() net.IP {
	if listener := o.Recommended.SecureServing.Listener; listener != nil {
		if address, ok := listener.Addr().(*net.TCPAddr); ok {
			return address.IP
		}
	}
	return o.Recommended.SecureServing.BindAddress
}

// servingHosts are the names and addresses of the server for clients. The first is the common name of the certificate.
func servingHosts(bindAddress net.IP) []string {
	hosts := []string{"localhost", "127.0.0.1", "::1"}
	if own := bindAddress.String(); !bindAddress.IsUnspecified() && !slices.Contains(hosts, own) {
		hosts = append(hosts, own)
	}
	return hosts
}

// secure applies the options for serving to a configuration, and adds the privileged connection of the server to itself. It
// replaces SecureServingOptionsWithLoopback.ApplyToConfig, which creates two RSA keys for that connection.
func (o *Options) secure(config *genericapiserver.Config) error {
	if err := o.Recommended.SecureServing.SecureServingOptions.ApplyTo(&config.SecureServing); err != nil {
		return err
	}
	const name = genericapiserver.LoopbackClientServerNameOverride
	certificate, key, err := certificates.Generate([]string{name}, loopbackLifetime)
	if err != nil {
		return err
	}
	content, err := dynamiccertificates.NewStaticSNICertKeyContent("self-signed loopback", certificate, key, name)
	if err != nil {
		return err
	}
	// The first certificate for a name is served.
	config.SecureServing.SNICerts = append([]dynamiccertificates.SNICertKeyContentProvider{content}, config.SecureServing.SNICerts...)
	config.LoopbackClientConfig, err = config.SecureServing.NewLoopbackClientConfig(string(uuid.NewUUID()), certificate)
	return err
}
