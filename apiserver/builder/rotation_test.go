// SPDX-License-Identifier: Apache-2.0

package builder_test

import (
	"crypto/tls"
	"math/big"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	. "github.com/onsi/gomega"

	"goldsmith.dev/goldsmith/apiserver/builder"
	"goldsmith.dev/goldsmith/apiserver/builder/buildertest"
	"goldsmith.dev/goldsmith/e2e/require"
)

// mountedSecret is a directory in which a kubelet has put a Secret: all files change at once, by a link.
type mountedSecret struct {
	directory string
	versions  int
}

// put replaces what is in the Secret, and removes what was.
func (s *mountedSecret) put(g Gomega, files map[string][]byte) {
	old := filepath.Join(s.directory, "..version"+strconv.Itoa(s.versions))
	s.versions++
	version := "..version" + strconv.Itoa(s.versions)
	g.Expect(os.Mkdir(filepath.Join(s.directory, version), 0o700)).To(Succeed())
	for name, content := range files {
		g.Expect(os.WriteFile(filepath.Join(s.directory, version, name), content, 0o600)).To(Succeed())
	}
	g.Expect(os.Symlink(version, filepath.Join(s.directory, "..data_tmp"))).To(Succeed())
	g.Expect(os.Rename(filepath.Join(s.directory, "..data_tmp"), filepath.Join(s.directory, "..data"))).To(Succeed())
	for name := range files {
		if link := filepath.Join(s.directory, name); s.versions == 1 {
			g.Expect(os.Symlink(filepath.Join("..data", name), link)).To(Succeed())
		}
	}
	g.Expect(os.RemoveAll(old)).To(Succeed())
}

func TestANewCertificateIsServedWithoutARestart(t *testing.T) {
	g := buildertest.Parallel(t)
	authority := newAuthority(t)
	secret := &mountedSecret{directory: t.TempDir()}
	renew := func() *big.Int {
		pair := authority.issue(t, "server")
		certificate, key := encodePair(t, pair)
		secret.put(g, map[string][]byte{"tls.crt": certificate, "tls.key": key})
		return pair.Leaf.SerialNumber
	}
	first := renew()
	running, _ := buildertest.Start(t, buildertest.CoreKinds(builder.Memory()).
		WithCertificate(filepath.Join(secret.directory, "tls.crt"), filepath.Join(secret.directory, "tls.key")))
	served := func() *big.Int {
		connection := require.Value(tls.Dial("tcp", strings.TrimPrefix(running.Address(), "https://"), &tls.Config{
			InsecureSkipVerify: true, // the test checks the certificate below
		}))(t)
		defer func() { g.Expect(connection.Close()).To(Succeed()) }()
		return connection.ConnectionState().PeerCertificates[0].SerialNumber
	}
	g.Expect(served()).To(Equal(first))
	for range 2 {
		renewed := renew()
		g.Eventually(served).WithTimeout(buildertest.Patience).Should(Equal(renewed))
	}
}
