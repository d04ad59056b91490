// SPDX-License-Identifier: Apache-2.0

package builder

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"time"

	"k8s.io/apiserver/pkg/server/dynamiccertificates"
	certutil "k8s.io/client-go/util/cert"
	"k8s.io/client-go/util/keyutil"
)

// renewBefore is how long before its end the server replaces a certificate of its own.
const renewBefore = 30 * 24 * time.Hour

// prepareServing opens the listener, and finds or makes the serving certificate. It returns the PEM bundle with which
// clients verify it.
func (o *Options) prepareServing() (authority []byte, err error) {
	serving := o.Recommended.SecureServing
	switch {
	case o.server.connProvider != nil:
		serving.Listener, err = o.server.connProvider.Listen()
	case o.server.listener != nil:
		serving.Listener = o.server.listener
	default:
		serving.Listener, err = net.Listen("tcp", net.JoinHostPort(serving.BindAddress.String(), strconv.Itoa(serving.BindPort)))
	}
	if err != nil {
		return nil, fmt.Errorf("listen: %w", err)
	}
	if authority, err = o.prepareCertificate(); err != nil && serving.Listener != nil {
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
	certificate, key, err := ownCertificate(given.CertDirectory, hosts, time.Now())
	if err != nil {
		return nil, err
	}
	given.GeneratedCert, err = dynamiccertificates.NewStaticCertKeyContent("self-signed serving certificate", certificate, key)
	if err != nil {
		return nil, fmt.Errorf("use the serving certificate: %w", err)
	}
	return certificate, nil
}

// servingAddress is the address that the server listens on: that of its listener, where it has one already.
func (o *Options) servingAddress() net.IP {
	if listener := o.Recommended.SecureServing.Listener; listener != nil {
		if address, ok := listener.Addr().(*net.TCPAddr); ok {
			return address.IP
		}
	}
	return o.Recommended.SecureServing.BindAddress
}

// servingHosts are the names and addresses that clients may call the server by. The first one is its common name.
func servingHosts(bindAddress net.IP) []string {
	hosts := []string{"localhost", "127.0.0.1", "::1"}
	if own := bindAddress.String(); !bindAddress.IsUnspecified() && !slices.Contains(hosts, own) {
		hosts = append(hosts, own)
	}
	return hosts
}

// ownCertificate returns a self-signed certificate, with its CA, and its key. If a directory is given, they are kept
// there and used again as long as they are valid for these hosts.
func ownCertificate(directory string, hosts []string, now time.Time) (certificate, key []byte, err error) {
	if directory == "" {
		return generateCertificate(hosts)
	}
	certificateFile := filepath.Join(directory, "apiserver.crt")
	keyFile := filepath.Join(directory, "apiserver.key")
	certificate, key, err = readPair(certificateFile, keyFile)
	if err != nil {
		return nil, nil, err
	}
	if usable(certificate, key, hosts, now) {
		return certificate, key, nil
	}
	if certificate, key, err = generateCertificate(hosts); err != nil {
		return nil, nil, err
	}
	if err := os.MkdirAll(directory, 0o700); err != nil {
		return nil, nil, fmt.Errorf("make the certificate directory: %w", err)
	}
	// The key first: a crash in between leaves a pair that does not match, which is made anew.
	if err := keyutil.WriteKey(keyFile, key); err != nil {
		return nil, nil, fmt.Errorf("keep the serving key: %w", err)
	}
	if err := certutil.WriteCert(certificateFile, certificate); err != nil {
		return nil, nil, fmt.Errorf("keep the serving certificate: %w", err)
	}
	return certificate, key, nil
}

// readPair reads a certificate and its key. What is missing is empty.
func readPair(certificateFile, keyFile string) (certificate, key []byte, err error) {
	if certificate, err = os.ReadFile(certificateFile); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, nil, fmt.Errorf("read the serving certificate: %w", err)
	}
	if key, err = os.ReadFile(keyFile); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, nil, fmt.Errorf("read the serving key: %w", err)
	}
	return certificate, key, nil
}

func generateCertificate(hosts []string) (certificate, key []byte, err error) {
	options := certutil.SelfSignedCertKeyOptions{Host: hosts[0]}
	for _, host := range hosts[1:] {
		if ip := net.ParseIP(host); ip != nil {
			options.AlternateIPs = append(options.AlternateIPs, ip)
		} else {
			options.AlternateDNS = append(options.AlternateDNS, host)
		}
	}
	certificate, key, err = certutil.GenerateSelfSignedCertKeyWithOptions(options)
	if err != nil {
		return nil, nil, fmt.Errorf("make a serving certificate: %w", err)
	}
	return certificate, key, nil
}

// usable says whether a kept certificate belongs to its key, names all hosts and is good for a while.
func usable(certificate, key []byte, hosts []string, now time.Time) bool {
	pair, err := tls.X509KeyPair(certificate, key)
	if err != nil {
		return false
	}
	leaf, err := x509.ParseCertificate(pair.Certificate[0])
	if err != nil || now.Add(renewBefore).After(leaf.NotAfter) {
		return false
	}
	return !slices.ContainsFunc(hosts, func(host string) bool { return leaf.VerifyHostname(host) != nil })
}
