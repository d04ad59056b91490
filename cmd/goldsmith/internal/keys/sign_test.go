// SPDX-License-Identifier: Apache-2.0

package keys

import (
	"bytes"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"goldsmith.dev/goldsmith/e2e/require"
	"goldsmith.dev/goldsmith/jobs/attestation"
	"goldsmith.dev/goldsmith/jobs/signing"
)

// signs runs sign in the current directory, and returns what it prints.
func signs(t *testing.T, asked signature) (out, stderr string, err error) {
	t.Helper()
	var printed, complaints bytes.Buffer
	asked.out, asked.stderr = &printed, &complaints
	err = asked.sign(t.Context())
	return printed.String(), complaints.String(), err
}

func write(t *testing.T, name string, content []byte) {
	t.Helper()
	require.NoError(t, os.WriteFile(name, content, 0o600))
}

func fileOf(t *testing.T, name string) *signing.File {
	t.Helper()
	return require.Value(signing.ReadFile(bytes.NewReader(require.Value(os.ReadFile(name))(t))))(t)
}

func TestAFileIsSigned(t *testing.T) {
	t.Chdir(t.TempDir())
	key := require.Value(signing.Generate())(t)
	public := require.Value(key.Public())(t)
	write(t, "release.pem", require.Value(key.PEM())(t))
	write(t, "SHA256SUMS", []byte("sums"))
	write(t, "large", bytes.Repeat([]byte("large"), 1<<20))
	der := string(require.Value(key.SignFile(fileOf(t, "SHA256SUMS")))(t))
	for _, test := range []struct {
		asked     signature
		out, file string
	}{
		{signature{file: "SHA256SUMS", format: formatBundle}, "SHA256SUMS.sigstore.json\n", "SHA256SUMS.sigstore.json"},
		{signature{file: "SHA256SUMS", format: formatBundle}, "SHA256SUMS.sigstore.json\n", "SHA256SUMS.sigstore.json"}, // the same again
		{signature{file: "SHA256SUMS", format: formatDER}, "SHA256SUMS.sig\n", "SHA256SUMS.sig"},
		{signature{file: "SHA256SUMS", format: formatDER, to: "other.sig"}, "other.sig\n", "other.sig"},
		{signature{file: "SHA256SUMS", format: formatDER, to: "-"}, der, ""},
		{signature{file: "large", format: formatBundle}, "large.sigstore.json\n", "large.sigstore.json"},
	} {
		test.asked.key = "release.pem"
		out, stderr, err := signs(t, test.asked)
		require.NoError(t, err)
		if diff := cmp.Diff(test.out+"signed by key "+public.ID()+"\n", out+stderr); diff != "" {
			t.Error(diff)
		}
		if test.asked.format == formatDER {
			if test.file != "" && string(require.Value(os.ReadFile(test.file))(t)) != der {
				t.Errorf("%s is another signature", test.file)
			}
			continue
		}
		signed := require.Value(attestation.Read(require.Value(os.ReadFile(test.file))(t)))(t)
		if file := fileOf(t, test.asked.file); !require.Value(signed.Content())(t).About(file.Digest()) || !public.VerifyFile(file, signed.Signatures[0].Signature) {
			t.Errorf("%s has the signature %+v", test.file, signed)
		}
	}
	if info := require.Value(os.Stat("SHA256SUMS.sig"))(t); info.Mode().Perm()&0o444 == 0 {
		t.Errorf("the mode of the signature is %v", info.Mode())
	}
}

func TestWhatCannotBeSigned(t *testing.T) {
	t.Chdir(t.TempDir())
	key := require.Value(signing.Generate())(t)
	short := require.Value(rsa.GenerateKey(rand.Reader, 2048))(t)
	for name, content := range map[string][]byte{
		"key": require.Value(key.PEM())(t), "public": require.Value(key.Public())(t).PEM(), "SHA256SUMS": []byte("sums"), "empty": nil,
		"rsa":       pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(short)}),
		"encrypted": pem.EncodeToMemory(&pem.Block{Type: "ENCRYPTED PRIVATE KEY", Bytes: []byte("secret")}),
		"other.sig": []byte("of somebody"), "encoding": []byte("DSSEv1 28 application/vnd.in-toto+json 2 {}"), "payload": []byte(` {"critical": {"type": "cosign container image signature"}}`),
	} {
		write(t, name, content)
	}
	for name, test := range map[string]struct {
		change func(*signature)
		want   string
	}{
		"without a key":             {func(s *signature) { s.key = "" }, "--key is missing: name the file with the private key; `openssl ecparam"},
		"a key that is not there":   {func(s *signature) { s.key = "missing" }, "--key: open missing: no such file or directory"},
		"a directory as key":        {func(s *signature) { s.key = "." }, "--key: . is not a file"},
		"the public key":            {func(s *signature) { s.key = "public" }, "--key public: the key is public"},
		"a key with a passphrase":   {func(s *signature) { s.key = "encrypted" }, "--key encrypted: the key has a passphrase: store it without one, or make one with goldsmith keys create or openssl ecparam"},
		"a key of RSA":              {func(s *signature) { s.key = "rsa" }, "--key rsa: the key is not an ECDSA key on the curve P-256"},
		"no key":                    {func(s *signature) { s.key = "SHA256SUMS" }, "--key SHA256SUMS: there is no key in PEM"},
		"another format":            {func(s *signature) { s.format = "pgp" }, `--format "pgp": must be bundle or der`},
		"a file that is not there":  {func(s *signature) { s.file = "missing" }, "open missing: no such file or directory"},
		"a directory":               {func(s *signature) { s.file = "." }, ". is not a file"},
		"a device":                  {func(s *signature) { s.file, s.to = "/dev/zero", "zero.sig" }, "/dev/zero is not a file"},
		"an empty file":             {func(s *signature) { s.file = "empty" }, "empty is empty: did the command that writes it fail?"},
		"an encoding":               {func(s *signature) { s.file = "encoding" }, "sign encoding: its content is the encoding of a statement, as DSSE signs it: a signature of it says nothing about a file"},
		"a payload as bundle":       {func(s *signature) { s.file = "payload" }, "sign payload: its content is the payload of the signature of an image (simple signing)"},
		"a payload alone":           {func(s *signature) { s.file, s.format = "payload", formatDER }, "sign payload: its content is the payload"},
		"a pipe of a shell":         {func(s *signature) { s.file, s.to = "/dev/stdin", "" }, "/dev/stdin is no place for a signature: name a file with -o"},
		"an existing signature":     {func(s *signature) { s.to = "other.sig" }, "other.sig exists, and is another file: remove it"},
		"the key as signature":      {func(s *signature) { s.to = "key" }, "key exists, and is another file"},
		"a folder that is not here": {func(s *signature) { s.to = "missing/signature" }, "open missing/signature: no such file or directory"},
	} {
		asked := signature{file: "SHA256SUMS", key: "key", format: formatBundle, to: "new"}
		test.change(&asked)
		out, stderr, err := signs(t, asked)
		if err == nil || !strings.Contains(err.Error(), test.want) || out+stderr != "" {
			t.Errorf("%s: printed %q %q: %v", name, out, stderr, err)
		}
	}
	if _, err := os.Stat("new"); err == nil {
		t.Error("a signature was written")
	}
}
