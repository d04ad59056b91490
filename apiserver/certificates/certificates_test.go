// SPDX-License-Identifier: Apache-2.0

package certificates

import (
	"bytes"
	"crypto/x509"
	"os"
	"path/filepath"
	"testing"
	"time"

	certutil "k8s.io/client-go/util/cert"

	"goldsmith.dev/goldsmith/e2e/require"
)

func TestAKeptCertificateIsReplacedWhenItNoLongerServes(t *testing.T) {
	directory := t.TempDir()
	hosts := []string{"localhost", "127.0.0.1", "::1"}
	kept, _, err := Own(directory, hosts, time.Now())
	require.NoError(t, err)
	trusted := require.Value(AuthorityOf(kept))(t)
	for _, test := range []struct {
		name      string
		hosts     []string
		now       time.Time
		replaced  bool
		distrusts bool // clients that trust the first authority
	}{
		{"while it is good", hosts, time.Now(), false, false},
		{"shortly before it expires", hosts, time.Now().AddDate(0, 11, 15), true, false},
		{"for a host that it does not name", append(hosts, "192.0.2.1"), time.Now(), true, false},
		{"after eight years", hosts, time.Now().AddDate(8, 11, 0), true, false},
		{"once a clock that was ahead is right", hosts, time.Now(), true, false},
		{"shortly before its authority expires", hosts, time.Now().AddDate(9, 11, 0), true, true},
	} {
		t.Run(test.name, func(t *testing.T) {
			certificate, key, err := Own(directory, test.hosts, test.now)
			require.NoError(t, err)
			if got := !bytes.Equal(certificate, kept); got != test.replaced {
				t.Errorf("replaced: %t", got)
			}
			if !usable(certificate, key, test.hosts, test.now) {
				t.Error("what it returned is not usable")
			}
			roots := x509.NewCertPool()
			roots.AppendCertsFromPEM(trusted)
			leaf := require.Value(certutil.ParseCertsPEM(certificate))(t)[0]
			if _, err := leaf.Verify(x509.VerifyOptions{Roots: roots, CurrentTime: test.now, DNSName: "localhost"}); (err != nil) != test.distrusts {
				t.Errorf("a client finds: %v", err)
			}
			if info := require.Value(os.Stat(filepath.Join(directory, authorityKeyFile)))(t); info.Mode().Perm() != 0o600 {
				t.Errorf("others can read the key: %s", info.Mode())
			}
			kept = certificate
		})
	}
}

func TestAWrongClockDoesNotReplaceTheAuthorityOfARunningServer(t *testing.T) {
	t.Parallel()
	directory, hosts := t.TempDir(), []string{"localhost"}
	kept, key, err := Own(directory, hosts, time.Now())
	require.NoError(t, err)
	trusted := require.Value(AuthorityOf(require.Value(os.ReadFile(filepath.Join(directory, CertificateFile)))(t)))(t)
	if _, _, err := Renew(directory, hosts, time.Now().AddDate(20, 0, 0)); err == nil {
		t.Error("a clock that is 20 years ahead replaces the authority")
	}
	for _, now := range []time.Time{time.Now(), time.Now().AddDate(-2, 0, 0)} {
		if certificate, _, err := Renew(directory, hosts, now); err != nil || !bytes.Equal(certificate, kept) {
			t.Errorf("at %s, the certificate is replaced: %v", now, err)
		}
	}
	other, otherKey, err := Generate(hosts, servingLifetime)
	require.NoError(t, err)
	leaf := require.Value(certutil.ParseCertsPEM(other))(t)[0]
	mixed := append(require.Value(certutil.EncodeCertificates(leaf))(t), trusted...)
	if usable(mixed, otherKey, hosts, time.Now()) || !usable(kept, key, hosts, time.Now()) {
		t.Error("a certificate of another authority is usable")
	}
	_, _, err = Own(directory, hosts, time.Now().AddDate(20, 0, 0))
	require.NoError(t, err)
	if former := require.Value(os.ReadFile(filepath.Join(directory, CertificateFile+formerSuffix)))(t); !bytes.Equal(former, kept) {
		t.Error("the former authority is lost")
	}
}
