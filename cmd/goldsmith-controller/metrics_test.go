// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	certutil "k8s.io/client-go/util/cert"

	"goldsmith.dev/goldsmith/e2e/require"
)

func TestTheCertificateOfMetricsMayComeLateAndChange(t *testing.T) {
	directory := t.TempDir()
	if _, err := readCertificate(directory); err == nil {
		t.Error("there was a certificate before there was one")
	}
	var before []byte
	for range 2 {
		certificate, key, err := certutil.GenerateSelfSignedCertKey("goldsmith-controller", nil, nil)
		require.NoError(t, err)
		for name, content := range map[string][]byte{"tls.crt": certificate, "tls.key": key} {
			require.NoError(t, os.WriteFile(filepath.Join(directory, name), content, 0o600))
		}
		read, err := readCertificate(directory)
		require.NoError(t, err)
		if bytes.Equal(read.Certificate[0], before) {
			t.Error("it is still the certificate from before")
		}
		before = read.Certificate[0]
	}
}
