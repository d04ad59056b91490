// SPDX-License-Identifier: Apache-2.0

package builder

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"os"
	"slices"
	"strconv"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/util/uuid"
	genericapiserver "k8s.io/apiserver/pkg/server"
	"k8s.io/apiserver/pkg/server/dynamiccertificates"
	"k8s.io/klog/v2"

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
	own := &ownCertificate{directory: given.CertDirectory, hosts: servingHosts(o.servingAddress())}
	if err := own.renew(time.Now()); err != nil {
		return nil, err
	}
	given.GeneratedCert = own
	return certificates.AuthorityOf(own.certificate)
}

// ownCertificate is a certificate that the server signs itself. The library reads it every minute, and serves the last one that it has read,
// so that a server that runs for years renews it in time.
type ownCertificate struct {
	directory string
	hosts     []string

	mu               sync.Mutex
	certificate, key []byte
}

// Name implements dynamiccertificates.CertKeyContentProvider.
func (c *ownCertificate) Name() string { return "self-signed serving certificate" }

// AddListener implements dynamiccertificates.CertKeyContentProvider. Nobody needs to know of a change within the minute.
func (c *ownCertificate) AddListener(dynamiccertificates.Listener) {}

// CurrentCertKeyContent implements dynamiccertificates.CertKeyContentProvider.
func (c *ownCertificate) CurrentCertKeyContent() (certificate, key []byte) {
	if c.directory != "" { // in memory, it lives as long as its authority
		if err := c.renew(time.Now()); err != nil {
			klog.Background().Error(err, "Cannot renew the serving certificate")
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.certificate, c.key
}

// renew replaces the certificate if it expires soon, or if another one is kept in the directory.
func (c *ownCertificate) renew(now time.Time) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	renew := certificates.Renew
	if c.certificate == nil { // the server starts
		renew = certificates.Own
	}
	certificate, key, err := renew(c.directory, c.hosts, now)
	if err != nil {
		return err
	}
	if before := c.certificate; before != nil && !bytes.Equal(before, certificate) {
		klog.Background().Info("Renewed the serving certificate", "directory", c.directory)
	}
	c.certificate, c.key = certificate, key
	return nil
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
