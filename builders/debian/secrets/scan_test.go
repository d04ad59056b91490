// SPDX-License-Identifier: Apache-2.0

package secrets

import (
	"archive/tar"
	"bytes"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/md5" // the digests of packages are of this kind
	"crypto/rand"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"goldsmith.dev/goldsmith/e2e/require"
)

// scan returns the findings in a root file system.
func scan(t *testing.T, files map[string]string) []string {
	t.Helper()
	var content bytes.Buffer
	archive := tar.NewWriter(&content)
	for _, name := range slices.Sorted(maps.Keys(files)) {
		require.NoError(t, archive.WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: "./" + name, Size: int64(len(files[name]))}))
		_, err := io.WriteString(archive, files[name])
		require.NoError(t, err)
	}
	require.NoError(t, archive.WriteHeader(&tar.Header{Typeflag: tar.TypeSymlink, Name: "./etc/link.key", Linkname: "/etc/a.key"}))
	require.NoError(t, archive.Close())
	found := []string{}
	for _, finding := range require.Value(Scan(&content))(t) {
		found = append(found, finding.String())
	}
	return found
}

func key(kind, body string) string {
	return "-----BEGIN " + kind + "-----\n" + body + "\n-----END " + kind + "-----\n"
}

const body = "MC4CAQAwBQYDK2VwBCIEIAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"

func TestKeysAndIdentifiersAreFoundByWhatTheyAre(t *testing.T) {
	t.Parallel()
	private := require.Value(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))(t)
	_, edwards, err := ed25519.GenerateKey(rand.Reader)
	require.NoError(t, err)
	random := make([]byte, 1024)
	_, _ = rand.Read(random)
	const id = "8c4fb1ad-2b3c-4a5d-9e6f-0123456789ab"
	for content, want := range map[string]Kind{
		key("PRIVATE KEY", body):           PrivateKey,
		key("RSA PRIVATE KEY", body):       PrivateKey,
		key("EC PRIVATE KEY", body):        PrivateKey,
		key("ENCRYPTED PRIVATE KEY", body): PrivateKey,
		key("OPENSSH PRIVATE KEY", body):   PrivateKey,
		"Bag Attributes\r\n" + strings.ReplaceAll(key("PRIVATE KEY", body), "\n", "\r\n"):                 PrivateKey,
		"-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,00\n\n" + body:    PrivateKey,
		key("PGP PRIVATE KEY BLOCK", "\n"+body):                                                           PrivateKey,
		`{"private_key": "` + strings.ReplaceAll(key("PRIVATE KEY", body), "\n", `\n`) + `"}`:             PrivateKey,
		"    client-key-data: " + base64.StdEncoding.EncodeToString([]byte(key("RSA PRIVATE KEY", body))): PrivateKey,
		"---- BEGIN SSH2 ENCRYPTED PRIVATE KEY ----\nP2/56wAA":                                            PrivateKey,
		string(require.Value(x509.MarshalECPrivateKey(private))(t)):                                       PrivateKey,
		string(require.Value(x509.MarshalPKCS8PrivateKey(edwards))(t)):                                    PrivateKey,
		"\x00\x00\x00\x0bssh-ed25519\x00\x00\x00\x40" + strings.Repeat("k", 64):                           PrivateKey,
		"\x95\x03\x98\x04\x5f\x00\x00\x00\x01" + strings.Repeat("k", 64):                                  PrivateKey,
		"(11:private-key(3:rsa(1:n":                                                                  PrivateKey,
		"Created: 20260101T000000\nKey: (protected-private-key (ecc":                                 PrivateKey,
		"[Interface]\nPrivateKey = " + strings.Repeat("A", 43) + "=\n":                               PrivateKey,
		"key \"rndc-key\" {\n\talgorithm hmac-sha256;\n\tsecret \"c2VjcmV0c2VjcmV0c2VjcmV0\";\n};\n": PrivateKey,
		"# created\nAGE-SECRET-KEY-1" + strings.Repeat("Q", 58):                                      PrivateKey,
		"\xfe\xed\xfe\xed\x00\x00\x00\x02\x00\x00\x00\x01\x00\x00\x00\x01\x00":                       Keystore,
		string(random):                         Random,
		id + "\n":                              Identifier,
		strings.ReplaceAll(id, "-", "") + "\n": Identifier,
		"nqn.2014-08.org.nvmexpress:uuid:" + id + "\n":          Identifier,
		"InitiatorName=iqn.1993-08.org.debian:01:abcdef\n":      Identifier,
		"[auto]\nserver-uuid=" + id + "\n":                      Identifier,
		"MY_HOSTID=\"" + strings.ReplaceAll(id, "-", "") + "\"": Identifier,

		"":                              "",
		"# -----BEGIN PRIVATE KEY-----": "",
		`print("-----BEGIN PRIVATE KEY-----\n" + key)`: "",
		key("PUBLIC KEY", body):                        "",
		key("CERTIFICATE", body):                       "",
		string(pem.EncodeToMemory(&pem.Block{Type: "PGP PUBLIC KEY BLOCK", Bytes: random})): "",
		"ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAAA host":                                     "",
		"\xfe\xed\xfe\xed\x00\x00\x00\x02\x00\x00\x00\x01\x00\x00\x00\x02\x00":              "",
		"UUID=" + id + " / ext4 errors=remount-ro 0 1\n":                                    "",
		strings.Repeat("\x00\xff", 100):                                                     "",
	} {
		wanted := []string{}
		if want != "" {
			wanted = append(wanted, fmt.Sprintf("/etc/file (%s)", want))
		}
		if diff := cmp.Diff(wanted, scan(t, map[string]string{"etc/file": content})); diff != "" {
			t.Errorf("%q: %s", content, diff)
		}
	}
}

func TestWhatAPackageShipsIsPublic(t *testing.T) {
	t.Parallel()
	example := key("RSA PRIVATE KEY", body)
	sum := fmt.Sprintf("%x", md5.Sum([]byte(example)))
	got := scan(t, map[string]string{
		"usr/lib/a/example.pem":             example,
		"usr/lib/a/changed.pem":             example + "\n",
		"etc/a/default.pem":                 example,
		"etc/a/old.pem":                     example + "\n",
		"usr/lib/python3/__pycache__/a.pyc": example,
		"srv/key\n.pem":                     example,
		"usr/share/large":                   example + strings.Repeat(" ", maxSize),
		"usr/share/id":                      "8c4fb1ad-2b3c-4a5d-9e6f-0123456789ab\n",
		"var/lib/dpkg/info/a.md5sums":       sum + "  lib/a/example.pem\n" + sum + "  usr/lib/a/changed.pem",
		"var/lib/dpkg/status":               "Package: a\nConffiles:\n /etc/a/default.pem " + sum + "\n /etc/a/old.pem " + sum + " obsolete\nDescription: a\n",
	})
	want := []string{"/etc/a/old.pem (private key)", "/srv/key?.pem (private key)", "/usr/lib/a/changed.pem (private key)"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}
