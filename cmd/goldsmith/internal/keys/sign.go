// SPDX-License-Identifier: Apache-2.0

package keys

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"

	"github.com/spf13/cobra"
	"k8s.io/cli-runtime/pkg/printers"

	"goldsmith.dev/goldsmith/apis/contents"
	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/cmd/goldsmith/internal/artifacts"
	"goldsmith.dev/goldsmith/cmd/goldsmith/internal/client"
	"goldsmith.dev/goldsmith/cmd/goldsmith/internal/output"
	"goldsmith.dev/goldsmith/jobs/attestation"
	"goldsmith.dev/goldsmith/jobs/signing"
)

// stdout is the name of standard output.
const stdout = "-"

// endings are the formats of signatures, with the endings of their files.
var endings = map[string]string{formatBundle: ".sigstore.json", formatDER: ".sig"}

const (
	formatBundle = "bundle"
	formatDER    = "der"
)

// signature is what the user of sign wants.
type signature struct {
	// file is signed with the private key in the file key.
	file, key string
	// format is the format of the signature, and to the file for it.
	format, to string

	out, stderr io.Writer
}

func newSignCommand() *cobra.Command {
	asked := &signature{}
	command := &cobra.Command{
		Annotations: map[string]string{output.Unescaped: ""}, // with -o -, the output is the signature
		Use:         "sign FILE --key KEY",
		Short:       "Sign a file with a private key, without a server",
		Long: "Sign a file, such as the checksums of a release, with a private key in a file. The command reaches no server, and prints the name of " +
			"the file with the signature. The same file and key have the same signature. It overwrites nothing.\n\n" +
			"The format bundle is a Sigstore bundle, FILE.sigstore.json, which `goldsmith verify --file-key` and cosign verify-blob --bundle read. The format " +
			"der is the signature alone, FILE.sig, which openssl dgst -verify and cosign verify-blob --signature read.\n\n" +
			"Use a key that is no SigningKey. The command refuses a file whose content a SigningKey signs: the encoding of a statement about an artifact, and the " +
			"payload of the signature of an image.",
		Example: "  goldsmith keys sign SHA256SUMS --key release.pem\n" +
			"  goldsmith keys sign SHA256SUMS --key release.pem --format der -o - > SHA256SUMS.sig",
		Args: client.OneName("the FILE to sign", client.Text),
		RunE: func(command *cobra.Command, args []string) error {
			asked.file, asked.out, asked.stderr = args[0], command.OutOrStdout(), command.ErrOrStderr()
			return asked.sign(command.Context())
		},
	}
	set := command.Flags()
	set.StringVar(&asked.key, "key", "", "`file` with a private key: ECDSA on the curve P-256, in PEM, without a passphrase; required")
	set.StringVar(&asked.format, "format", formatBundle, "format of the signature: "+formatBundle+" or "+formatDER)
	set.StringVarP(&asked.to, "output", "o", "", "new `file` for the signature; - is standard output (default: FILE.sigstore.json or FILE.sig)")
	err := errors.Join(
		command.MarkFlagFilename("key"), command.MarkFlagFilename("output"),
		command.RegisterFlagCompletionFunc("format", cobra.FixedCompletions([]string{formatBundle, formatDER}, cobra.ShellCompDirectiveNoFileComp)),
	)
	if err != nil {
		panic(err) // cannot fail: the lines above add the flags
	}
	return command
}

// sign signs the file.
func (s *signature) sign(ctx context.Context) error {
	ending, known := endings[s.format]
	switch {
	case !known:
		return fmt.Errorf("--format %q: must be %s or %s", s.format, formatBundle, formatDER)
	case s.key == "":
		return errors.New("--key is missing: name the file with the private key; `openssl ecparam -name prime256v1 -genkey -noout -out FILE` makes one")
	case s.to == "" && strings.HasPrefix(s.file, "/dev/"):
		return fmt.Errorf("%s is no place for a signature: name a file with -o, or -o - for standard output", s.file)
	case s.to == stdout && printers.IsTerminal(s.out):
		return errors.New("the signature would be written to the terminal: redirect the output, or name a file with -o")
	}
	text, err := readKey(s.key)
	if err != nil {
		return fmt.Errorf("--key: %w", err)
	}
	key, err := signing.ReadPrivate(text)
	if err != nil {
		return fmt.Errorf("--key %s: %w", s.key, err)
	}
	file, err := artifacts.HashFile(ctx, s.file)
	switch {
	case err != nil:
		return err
	case file.Digest() == contents.Digest(nil):
		return fmt.Errorf("%s is empty: did the command that writes it fail?", s.file)
	}
	made, id, err := s.make(key, file)
	if err != nil {
		return fmt.Errorf("sign %s: %w", s.file, err)
	}
	if s.to == stdout {
		_, err = s.out.Write(made)
	} else {
		path := cmp.Or(s.to, s.file+ending)
		if err = writeNew(path, made); err == nil {
			_, err = fmt.Fprintln(s.out, path)
		}
	}
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(s.stderr, "signed by key %s\n", id)
	return err
}

// make returns the signature of a file, and the ID of the key.
func (s *signature) make(key *signing.PrivateKey, file *signing.File) (made []byte, id string, err error) {
	public, err := key.Public()
	if err != nil {
		return nil, "", err
	}
	made, err = key.SignFile(file)
	if err == nil && s.format == formatBundle {
		made, err = attestation.OfFile(file).Bundle(v1alpha1.StatementSignature{KeyID: public.ID(), Signature: made})
	}
	return made, public.ID(), err
}

// writeNew writes a new file. An existing file with the same content stays.
func writeNew(path string, content []byte) error {
	file, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o644) //nolint:gosec // a signature is for everybody
	if errors.Is(err, fs.ErrExist) {
		if existing, err := artifacts.ReadFile(path, maxKeyBytes); err == nil && string(existing) == string(content) {
			return nil
		}
		return fmt.Errorf("%s exists, and is another file: remove it, or name a new file with -o", path)
	}
	if err != nil {
		return err
	}
	_, err = file.Write(content)
	if err = errors.Join(err, file.Close()); err != nil {
		return errors.Join(err, os.Remove(path))
	}
	return nil
}
