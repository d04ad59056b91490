// SPDX-License-Identifier: Apache-2.0

package etcd

import (
	"crypto/tls"
	"io"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"goldsmith.dev/goldsmith/e2e/require"
)

func TestAClientWithoutTheCertificateIsRefused(t *testing.T) {
	other := t.TempDir()
	require.NoError(t, createCertificate(other))
	foreign := require.Value(tls.LoadX509KeyPair(tlsInfo(other).CertFile, tlsInfo(other).KeyFile))(t)
	directory := t.TempDir()
	server := start(t, directory)
	endpoint := require.Value(url.Parse(server.Endpoint()))(t)
	for _, socket := range []string{endpoint.Path, filepath.Join(filepath.Dir(endpoint.Path), httpSocketName)} {
		for name, certificate := range map[string]*tls.Certificate{"no certificate": {}, "another certificate": &foreign} {
			connection, err := tls.Dial("unix", socket, &tls.Config{
				InsecureSkipVerify:   true, // the test is about the server
				NextProtos:           []string{"h2"},
				GetClientCertificate: func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return certificate, nil },
			})
			if err == nil {
				_, err = connection.Read(make([]byte, 1)) // a client learns after its handshake that it is refused
				_ = connection.Close()
			}
			if err == nil || !strings.Contains(err.Error(), "remote error: tls") {
				t.Errorf("%s: with %s: %v", socket, name, err)
			}
		}
		connection := require.Value(net.Dial("unix", socket))(t)
		_, err := io.WriteString(connection, "GET /version HTTP/1.1\r\nHost: etcd\r\nConnection: close\r\n\r\n")
		answer, _ := io.ReadAll(connection) // what was read counts: the server may reset the connection
		_ = connection.Close()
		if err != nil || strings.Contains(string(answer), " 200 ") {
			t.Errorf("%s: without TLS: %q, %v", socket, answer, err)
		}
	}
	if info, err := os.Stat(tlsInfo(directory).KeyFile); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the key: %v, %v", info, err)
	}
}
