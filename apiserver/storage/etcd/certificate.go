// SPDX-License-Identifier: Apache-2.0

package etcd

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"go.etcd.io/etcd/client/pkg/v3/transport"
	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/zap"
	"k8s.io/apiserver/pkg/storage/storagebackend"
	certutil "k8s.io/client-go/util/cert"
	"k8s.io/client-go/util/keyutil"
)

// tlsInfo names the files of the only certificate. It is its own authority, so that the server and its clients accept no other.
func tlsInfo(directory string) transport.TLSInfo {
	certificate := filepath.Join(directory, "tls.crt")
	return transport.TLSInfo{
		CertFile:       certificate,
		KeyFile:        filepath.Join(directory, "tls.key"),
		TrustedCAFile:  certificate,
		ClientCertAuth: true,
		// A client of a unix socket has no address that its certificate could name.
		SkipClientSANVerify: true,
	}
}

// createCertificate replaces the certificate and its key, which are valid until the next start.
func createCertificate(directory string) error {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return fmt.Errorf("create etcd's key: %w", err)
	}
	// Clients expect the name of the socket's file. The start of validity lets the clock be set back while the server runs.
	certificate, err := certutil.NewSelfSignedCACert(certutil.Config{CommonName: socketName, NotBefore: time.Unix(0, 0)}, key)
	if err != nil {
		return fmt.Errorf("create etcd's certificate: %w", err)
	}
	certificatePEM, err := certutil.EncodeCertificates(certificate)
	if err != nil {
		return fmt.Errorf("encode etcd's certificate: %w", err)
	}
	keyPEM, err := keyutil.MarshalPrivateKeyToPEM(key)
	if err != nil {
		return fmt.Errorf("encode etcd's key: %w", err)
	}
	files := tlsInfo(directory)
	if err := errors.Join(keyutil.WriteKey(files.KeyFile, keyPEM), certutil.WriteCert(files.CertFile, certificatePEM)); err != nil {
		return fmt.Errorf("write etcd's certificate and key: %w", err)
	}
	return nil
}

// clientConfig connects to the server of a data directory.
func clientConfig(directory, endpoint string) (clientv3.Config, error) {
	config := clientv3.Config{Endpoints: []string{endpoint}, Logger: zap.NewNop()}
	var err error
	if config.TLS, err = tlsInfo(directory).ClientConfig(); err != nil {
		return clientv3.Config{}, fmt.Errorf("read etcd's certificate: %w", err)
	}
	return config, nil
}

// Transport connects an API server to this etcd. It names files that are valid while the server runs.
func (s *Server) Transport() storagebackend.TransportConfig {
	files := tlsInfo(s.directory)
	return storagebackend.TransportConfig{
		ServerList: []string{s.endpoint}, CertFile: files.CertFile, KeyFile: files.KeyFile, TrustedCAFile: files.TrustedCAFile,
	}
}

// Connect returns a client, which the caller closes.
func (s *Server) Connect() (*clientv3.Client, error) {
	config, err := clientConfig(s.directory, s.endpoint)
	if err != nil {
		return nil, err
	}
	return clientv3.New(config)
}
