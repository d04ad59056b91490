// SPDX-License-Identifier: Apache-2.0

// Package certificates makes the certificates that a server signs itself. It must never write a key that others than its owner
// can read.
package certificates

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"slices"
	"time"

	certutil "k8s.io/client-go/util/cert"
	"k8s.io/client-go/util/keyutil"
)

// renewBefore is how long before its end the server replaces a certificate of its own.
const renewBefore = 30 * 24 * time.Hour

const (
	// servingLifetime is the lifetime of a self-signed serving certificate.
	servingLifetime = 365 * 24 * time.Hour
	// clockSkew is how far the clock of a client may be behind.
	clockSkew = time.Hour
)

// Own returns a self-signed certificate, with its CA, and its key. If a directory is given, they are kept
// there and used again as long as they are valid for these hosts.
func Own(directory string, hosts []string, now time.Time) (certificate, key []byte, err error) {
	if directory == "" {
		return Generate(hosts, servingLifetime)
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
	if certificate, key, err = Generate(hosts, servingLifetime); err != nil {
		return nil, nil, err
	}
	if err := os.MkdirAll(directory, 0o700); err != nil {
		return nil, nil, fmt.Errorf("make the certificate directory: %w", err)
	}
	// The key first: a crash in between leaves a pair that does not match, which is replaced.
	if err := keyutil.WriteKey(keyFile, key); err != nil {
		return nil, nil, fmt.Errorf("keep the serving key: %w", err)
	}
	if err := certutil.WriteCert(certificateFile, certificate); err != nil {
		return nil, nil, fmt.Errorf("keep the serving certificate: %w", err)
	}
	return certificate, key, nil
}

// readPair reads a certificate and its key. A missing file is empty.
func readPair(certificateFile, keyFile string) (certificate, key []byte, err error) {
	if certificate, err = os.ReadFile(certificateFile); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, nil, fmt.Errorf("read the serving certificate: %w", err)
	}
	if key, err = os.ReadFile(keyFile); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, nil, fmt.Errorf("read the serving key: %w", err)
	}
	return certificate, key, nil
}

// Generate creates an authority, a certificate for the hosts, and its key. The certificate is first in the bundle.
// Keys are ECDSA: certutil.GenerateSelfSignedCertKey creates RSA keys, which took most of the CPU time of a start.
func Generate(hosts []string, lifetime time.Duration) (certificate, key []byte, err error) {
	certificate, key, err = signedByItsOwnAuthority(hosts, time.Now().Add(-clockSkew), lifetime)
	if err != nil {
		return nil, nil, fmt.Errorf("make a certificate for %s: %w", hosts[0], err)
	}
	return certificate, key, nil
}

func signedByItsOwnAuthority(hosts []string, notBefore time.Time, lifetime time.Duration) (certificate, key []byte, err error) {
	authorityKey, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, nil, err
	}
	authority, err := certutil.NewSelfSignedCACert(certutil.Config{CommonName: hosts[0] + "-ca", NotBefore: notBefore}, authorityKey)
	if err != nil {
		return nil, nil, err
	}
	template := &x509.Certificate{
		Subject:     pkix.Name{CommonName: hosts[0]},
		NotBefore:   notBefore,
		NotAfter:    notBefore.Add(lifetime),
		KeyUsage:    x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	for _, host := range hosts {
		if ip := net.ParseIP(host); ip != nil {
			template.IPAddresses = append(template.IPAddresses, ip)
		} else {
			template.DNSNames = append(template.DNSNames, host)
		}
	}
	signer, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, nil, err
	}
	leaf, err := x509.CreateCertificate(rand.Reader, template, authority, signer.Public(), authorityKey)
	if err != nil {
		return nil, nil, err
	}
	certificate, err = certutil.EncodeCertificates(&x509.Certificate{Raw: leaf}, authority)
	if err != nil {
		return nil, nil, err
	}
	key, err = keyutil.MarshalPrivateKeyToPEM(signer)
	return certificate, key, err
}

// usable reports whether a stored certificate belongs to its key, has all hosts and does not expire soon.
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
