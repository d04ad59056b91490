// SPDX-License-Identifier: Apache-2.0

package signing

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"encoding/pem"
	"strings"
	"testing"

	"goldsmith.dev/goldsmith/apis/contents"
	"goldsmith.dev/goldsmith/e2e/require"
)

// block returns a PEM block. Headers are names and values.
func block(kind string, content []byte, headers ...string) string {
	made := &pem.Block{Type: kind, Bytes: content, Headers: map[string]string{}}
	for i := 0; i+1 < len(headers); i += 2 {
		made.Headers[headers[i]] = headers[i+1]
	}
	return string(pem.EncodeToMemory(made))
}

func pkcs8(t *testing.T, key crypto.PrivateKey) []byte {
	t.Helper()
	return require.Value(x509.MarshalPKCS8PrivateKey(key))(t)
}

func pkix(t *testing.T, key crypto.PublicKey) []byte {
	t.Helper()
	return require.Value(x509.MarshalPKIXPublicKey(key))(t)
}

func TestPrivateKeysAreReadAsTheirToolsWriteThem(t *testing.T) {
	key := require.Value(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))(t)
	p384 := require.Value(ecdsa.GenerateKey(elliptic.P384(), rand.Reader))(t)
	_, ed, err := ed25519.GenerateKey(rand.Reader)
	require.NoError(t, err)
	short := require.Value(rsa.GenerateKey(rand.Reader, 2048))(t)
	sec1 := require.Value(x509.MarshalECPrivateKey(key))(t)
	parameters := block("EC PARAMETERS", require.Value(hex.DecodeString("06082a8648ce3d030107"))(t))
	const passphrase, curve, unreadable = "has a passphrase", "not an ECDSA key on the curve P-256", "cannot be read"
	for name, test := range map[string]struct{ text, fails string }{
		"PKCS #8":                        {block("PRIVATE KEY", pkcs8(t, key)), ""},
		"SEC 1":                          {block("EC PRIVATE KEY", sec1), ""},
		"of openssl ecparam -genkey":     {parameters + block("EC PRIVATE KEY", sec1), ""},
		"with a comment before it":       {"# the key of team web\n" + block("PRIVATE KEY", pkcs8(t, key)), ""},
		"with white space after it":      {block("PRIVATE KEY", pkcs8(t, key)) + " \r\n\n", ""},
		"encrypted PKCS #8":              {block("ENCRYPTED PRIVATE KEY", sec1), passphrase},
		"encrypted by openssl ec":        {block("EC PRIVATE KEY", sec1, "Proc-Type", "4,ENCRYPTED", "DEK-Info", "AES-128-CBC,CBBC608F35D38F934F84562FB349D53A"), passphrase},
		"of cosign":                      {block("ENCRYPTED SIGSTORE PRIVATE KEY", sec1), passphrase},
		"of an earlier cosign":           {block("ENCRYPTED COSIGN PRIVATE KEY", sec1), passphrase},
		"RSA":                            {block("PRIVATE KEY", pkcs8(t, short)), curve},
		"RSA as openssl genrsa does it":  {block("RSA PRIVATE KEY", x509.MarshalPKCS1PrivateKey(short)), curve},
		"P-384":                          {block("PRIVATE KEY", pkcs8(t, p384)), curve},
		"P-384 in SEC 1":                 {block("EC PRIVATE KEY", require.Value(x509.MarshalECPrivateKey(p384))(t)), curve},
		"Ed25519":                        {block("PRIVATE KEY", pkcs8(t, ed)), curve},
		"the public key":                 {block("PUBLIC KEY", pkix(t, key.Public())), "the key is public"},
		"a certificate":                  {block("CERTIFICATE", sec1), "not a private key"},
		"the key as the name of a block": {block(hex.EncodeToString(sec1), nil), "not a private key"},
		"two keys":                       {block("PRIVATE KEY", pkcs8(t, key)) + block("EC PRIVATE KEY", sec1), "more than one key"},
		"text after it":                  {block("PRIVATE KEY", pkcs8(t, key)) + "more", "text after it"},
		"only parameters":                {parameters, "no key in PEM"},
		"SEC 1 as PKCS #8":               {block("PRIVATE KEY", sec1), unreadable},
		"a part of it":                   {block("EC PRIVATE KEY", sec1[:len(sec1)-5]), unreadable},
		"DER":                            {string(sec1), "no key in PEM"},
		"base64":                         {base64.StdEncoding.EncodeToString(sec1), "no key in PEM"},
		"nothing":                        {"", "no key in PEM, which begins with -----BEGIN PRIVATE KEY-----: make one with goldsmith keys create or openssl"},
	} {
		t.Run(name, func(t *testing.T) {
			read, err := ReadPrivate([]byte(test.text))
			if test.fails == "" {
				require.NoError(t, err)
				if !read.key.Equal(key) {
					t.Error("another key")
				}
				return
			}
			if err == nil || !strings.Contains(err.Error(), test.fails) {
				t.Fatalf("got error %v", err)
			}
			secret := hex.EncodeToString(require.Value(key.Bytes())(t))
			for _, form := range []string{secret[:8], base64.StdEncoding.EncodeToString(sec1)[16:24], base64.StdEncoding.EncodeToString(pkcs8(t, key))[60:68]} {
				if strings.Contains(err.Error(), form) {
					t.Errorf("the error has a part of the key: %v", err)
				}
			}
		})
	}
}

func TestPublicKeysAreReadAndHaveIDs(t *testing.T) {
	private := require.Value(Generate())(t)
	public := require.Value(private.Public())(t)
	p384 := require.Value(ecdsa.GenerateKey(elliptic.P384(), rand.Reader))(t)
	read := require.Value(ReadPublic(public.PEM()))(t)
	if read.ID() != public.ID() || read.ID() != contents.Digest(pkix(t, private.key.Public())) {
		t.Errorf("the ID is %s, must be %s", read.ID(), public.ID())
	}
	again := require.Value(ReadPrivate(require.Value(private.PEM())(t)))(t)
	if !again.key.Equal(private.key) {
		t.Error("the private key is another one after PEM")
	}
	for name, test := range map[string]struct{ text, fails string }{
		"a private key": {string(require.Value(private.PEM())(t)), "the key is private"},
		"P-384":         {block("PUBLIC KEY", pkix(t, p384.Public())), "not an ECDSA key on the curve P-256"},
		"a certificate": {block("CERTIFICATE", nil), "not a public key"},
		"damaged":       {block("PUBLIC KEY", pkix(t, p384.Public())[1:]), "cannot be read"},
		"two keys":      {string(public.PEM()) + string(public.PEM()), "more than one key"},
		"nothing":       {"\n", "no key in PEM, which begins with -----BEGIN PUBLIC KEY-----: goldsmith keys get NAME prints"},
	} {
		if _, err := ReadPublic([]byte(test.text)); err == nil || !strings.Contains(err.Error(), test.fails) {
			t.Errorf("%s: got error %v", name, err)
		}
	}
}

// TestSignaturesAreThoseOfRFC6979 compares a signature with that of the RFC for P-256, SHA-256 and the message "sample".
func TestSignaturesAreThoseOfRFC6979(t *testing.T) {
	scalar := require.Value(hex.DecodeString("c9afa9d845ba75166b5c215767b1d6934e50c3db36e89b127b8a622b120f6721"))(t)
	key := &PrivateKey{require.Value(ecdsa.ParseRawPrivateKey(elliptic.P256(), scalar))(t)}
	signed := contents.Digest([]byte("sample"))
	const want = "3046022100efd48b2aacb6a8fd1140dd9cd45e81d69d2c877b56aaf991c34d0ea84eaf3716022100f7cb1c942d657c41d436c7a1b6e29f65f3e900dbb9aff4064dc4ab2f843acda8"
	signature := require.Value(key.SignStatement(signed))(t)
	if got := hex.EncodeToString(signature); got != want {
		t.Errorf("the signature is %s", got)
	}
	public := require.Value(key.Public())(t)
	other := require.Value(require.Value(Generate())(t).Public())(t)
	flipped := append([]byte{}, signature...)
	flipped[20] ^= 1
	for name, test := range map[string]struct {
		key       *PublicKey
		digest    string
		signature []byte
		want      bool
	}{
		"the signature":            {public, signed, signature, true},
		"a flipped bit":            {public, signed, flipped, false},
		"of another digest":        {public, contents.Digest([]byte("test")), signature, false},
		"of another key":           {other, signed, signature, false},
		"cut off":                  {public, signed, signature[:20], false},
		"with bytes after it":      {public, signed, append(signature, 0), false},
		"none":                     {public, signed, nil, false},
		"of a digest that is none": {public, "sha256:12", signature, false},
	} {
		if got := test.key.VerifyStatement(test.digest, test.signature); got != test.want {
			t.Errorf("%s: got %t", name, got)
		}
	}
	for _, digest := range []string{"", "sha256:", "sha512:" + signed[7:], signed + "00", "sha256:" + strings.Repeat("x", 64), signed[7:]} {
		if signature, err := key.SignStatement(digest); err == nil {
			t.Errorf("%q was signed: %x", digest, signature)
		}
	}
}
