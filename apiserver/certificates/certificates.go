// SPDX-License-Identifier: Apache-2.0

// Package certificates makes the certificates that a server signs itself. It must never write a key that others than its owner
// can read.
package certificates

import (
	"crypto"
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
	// authorityLifetime is the lifetime of an authority of the library.
	authorityLifetime = 10 * servingLifetime
	// clockSkew is how far the clock of a client may be behind.
	clockSkew = time.Hour
)

// The files of Own in its directory.
const (
	// CertificateFile has the certificate, and that of its authority: see AuthorityOf.
	CertificateFile  = "apiserver.crt"
	keyFile          = "apiserver.key"
	authorityKeyFile = "apiserver-ca.key"
)

// formerSuffix is of the copies of the certificate and of the key of an authority that was replaced.
const formerSuffix = ".former"

// Own returns a certificate, with the certificate of the authority that signed it, and its key, for the start of a server. If a directory is
// given, they are kept there and used again as long as they are valid for these hosts. The authority is kept too, so that clients trust the
// next certificate. A start in its last year replaces it, and copies its files to apiserver.crt.former and apiserver-ca.key.former. Without a
// directory, the certificate lives as long as its authority.
func Own(directory string, hosts []string, now time.Time) (certificate, key []byte, err error) {
	if directory == "" {
		return Generate(hosts, authorityLifetime)
	}
	return keep(directory, hosts, now, true)
}

// Renew is Own for a running server, whose clock may be wrong for a while. It fails where Own would replace the authority.
func Renew(directory string, hosts []string, now time.Time) (certificate, key []byte, err error) {
	return keep(directory, hosts, now, false)
}

func keep(directory string, hosts []string, now time.Time, starts bool) (certificate, key []byte, err error) {
	content := map[string][]byte{}
	for _, name := range []string{CertificateFile, keyFile, authorityKeyFile} {
		if content[name], err = os.ReadFile(filepath.Join(directory, name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, nil, fmt.Errorf("read the serving certificate: %w", err)
		}
	}
	certificate, key = content[CertificateFile], content[keyFile]
	if bundle, err := certutil.ParseCertsPEM(certificate); err == nil {
		if created := bundle[len(bundle)-1].NotBefore; now.Before(created) {
			now = created.Add(clockSkew) // the clock is wrong
		}
	}
	if usable(certificate, key, hosts, now) {
		return certificate, key, nil
	}
	var created []byte // the key of a new authority
	signer, err := loadAuthority(certificate, content[authorityKeyFile], now)
	if err != nil { // there is none yet, it expires, or its files are damaged
		if !starts {
			return nil, nil, fmt.Errorf("renew the serving certificate: %w: a restart replaces the authority, and makes all kubeconfigs void", err)
		}
		if signer, err = newAuthority(hosts[0], now.Add(-clockSkew)); err == nil {
			created, err = keyutil.MarshalPrivateKeyToPEM(signer.key)
		}
	}
	if err == nil {
		certificate, key, err = signer.issue(hosts, now.Add(-clockSkew), servingLifetime)
	}
	if err != nil {
		return nil, nil, fmt.Errorf("make a certificate for %s: %w", hosts[0], err)
	}
	if err := os.MkdirAll(directory, 0o700); err != nil {
		return nil, nil, fmt.Errorf("make the certificate directory: %w", err)
	}
	former := func(name string) []byte {
		if created == nil {
			return nil
		}
		return content[name]
	}
	// The keys first: a crash in between leaves a pair that does not match, which is replaced.
	for _, file := range []struct {
		name    string
		content []byte
	}{
		{CertificateFile + formerSuffix, former(CertificateFile)},
		{authorityKeyFile + formerSuffix, former(authorityKeyFile)},
		{authorityKeyFile, created},
		{keyFile, key},
		{CertificateFile, certificate},
	} {
		if file.content == nil {
			continue
		}
		if err := replace(filepath.Join(directory, file.name), file.content); err != nil {
			return nil, nil, fmt.Errorf("keep the serving certificate: %w", err)
		}
	}
	return certificate, key, nil
}

// replace replaces a file as a whole, so that a crash does not lose the authority, which clients trust. Only the owner can read it.
func replace(path string, content []byte) (err error) {
	file, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+"-") // mode 0600
	if err != nil {
		return err
	}
	_, err = file.Write(content)
	if err = errors.Join(err, file.Sync(), file.Close()); err == nil {
		err = os.Rename(file.Name(), path)
	}
	if err != nil {
		err = errors.Join(err, os.Remove(file.Name()))
	}
	return err
}

// AuthorityOf returns the certificate of the authority, which is the last one of a bundle.
func AuthorityOf(bundle []byte) ([]byte, error) {
	found, err := certutil.ParseCertsPEM(bundle)
	if err != nil {
		return nil, fmt.Errorf("read the serving certificate: %w", err)
	}
	return certutil.EncodeCertificates(found[len(found)-1])
}

// Generate creates an authority, a certificate for the hosts, and its key. The certificate is first in the bundle.
// Keys are ECDSA: certutil.GenerateSelfSignedCertKey creates RSA keys, which took most of the CPU time of a start.
func Generate(hosts []string, lifetime time.Duration) (certificate, key []byte, err error) {
	notBefore := time.Now().Add(-clockSkew)
	signer, err := newAuthority(hosts[0], notBefore)
	if err == nil {
		certificate, key, err = signer.issue(hosts, notBefore, lifetime)
	}
	if err != nil {
		return nil, nil, fmt.Errorf("make a certificate for %s: %w", hosts[0], err)
	}
	return certificate, key, nil
}

// authority signs certificates.
type authority struct {
	certificate *x509.Certificate
	key         crypto.Signer
}

func newAuthority(name string, notBefore time.Time) (*authority, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	certificate, err := certutil.NewSelfSignedCACert(certutil.Config{CommonName: name + "-ca", NotBefore: notBefore}, key)
	return &authority{certificate, key}, err
}

// loadAuthority returns the authority that signed a bundle, if it lives longer than a certificate that it signs now.
func loadAuthority(bundle, keyPEM []byte, now time.Time) (*authority, error) {
	certificates, err := certutil.ParseCertsPEM(bundle)
	if err != nil {
		return nil, err
	}
	parsed, err := keyutil.ParsePrivateKeyPEM(keyPEM)
	if err != nil {
		return nil, err
	}
	found := &authority{certificate: certificates[len(certificates)-1]}
	found.key, _ = parsed.(crypto.Signer)
	public, ok := found.certificate.PublicKey.(*ecdsa.PublicKey)
	switch {
	case found.key == nil, !ok, !public.Equal(found.key.Public()):
		return nil, errors.New("the key of the authority does not match its certificate")
	case now.Add(servingLifetime).After(found.certificate.NotAfter):
		return nil, errors.New("the authority expires")
	}
	return found, nil
}

// issue returns a certificate for the hosts, with that of the authority, and its key.
func (a *authority) issue(hosts []string, notBefore time.Time, lifetime time.Duration) (certificate, key []byte, err error) {
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
	leaf, err := x509.CreateCertificate(rand.Reader, template, a.certificate, signer.Public(), a.key)
	if err != nil {
		return nil, nil, err
	}
	certificate, err = certutil.EncodeCertificates(&x509.Certificate{Raw: leaf}, a.certificate)
	if err != nil {
		return nil, nil, err
	}
	key, err = keyutil.MarshalPrivateKeyToPEM(signer)
	return certificate, key, err
}

// usable reports whether a stored certificate belongs to its key and its authority, has all hosts, is valid and does not expire soon.
func usable(certificate, key []byte, hosts []string, now time.Time) bool {
	if _, err := tls.X509KeyPair(certificate, key); err != nil {
		return false
	}
	bundle, err := certutil.ParseCertsPEM(certificate)
	if err != nil {
		return false
	}
	leaf := bundle[0]
	if now.Before(leaf.NotBefore) || now.Add(renewBefore).After(leaf.NotAfter) || leaf.CheckSignatureFrom(bundle[len(bundle)-1]) != nil {
		return false
	}
	return !slices.ContainsFunc(hosts, func(host string) bool { return leaf.VerifyHostname(host) != nil })
}
