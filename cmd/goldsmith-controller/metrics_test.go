// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	certutil "k8s.io/client-go/util/cert"
)

func TestTheCertificateOfMetricsMayComeLateAndChange(t *testing.T) {
	directory := t.TempDir()
	if _, err := readCertificate(directory); err == nil {
		t.Error("there was a certificate before there was one")
	}
	var before []byte
	for range 2 {
		certificate, key, err := certutil.GenerateSelfSignedCertKey("goldsmith-controller", nil, nil)
		if err != nil {
			t.Fatal(err)
		}
		for name, content := range map[string][]byte{"tls.crt": certificate, "tls.key": key} {
			if err := os.WriteFile(filepath.Join(directory, name), content, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		read, err := readCertificate(directory)
		if err != nil {
			t.Fatal(err)
		}
		if bytes.Equal(read.Certificate[0], before) {
			t.Error("it is still the certificate from before")
		}
		before = read.Certificate[0]
	}
}
