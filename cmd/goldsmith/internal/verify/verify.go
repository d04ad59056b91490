// SPDX-License-Identifier: Apache-2.0

// Package verify is the verb that verifies the signatures of an Image's artifacts, or of a file or a manifest in a registry.
package verify

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/distribution/reference"
	"github.com/spf13/cobra"
	"k8s.io/utils/clock"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/cmd/goldsmith/internal/artifacts"
	"goldsmith.dev/goldsmith/cmd/goldsmith/internal/client"
	"goldsmith.dev/goldsmith/cmd/goldsmith/internal/completion"
	"goldsmith.dev/goldsmith/cmd/goldsmith/internal/exit"
	"goldsmith.dev/goldsmith/cmd/goldsmith/internal/follow"
	"goldsmith.dev/goldsmith/cmd/goldsmith/internal/output"
)

type options struct {
	// keys, fileKeys and bundles are the files that the user names.
	keys, fileKeys, bundles []string
	target                  string
	format                  output.Format
	// offline reaches nothing but what the argument names.
	offline bool
	// plainHTTP reaches registries without TLS.
	plainHTTP bool
	// subject is the build that the argument names. It is nil for a file and a reference.
	subject *v1alpha1.ImageBuild
	// rebuild builds verified artifacts again.
	rebuild bool

	// show is how the build of rebuild is shown.
	show        follow.Options
	out, stderr io.Writer
	style       output.Style
	clock       clock.Clock
	// connect connects to the server.
	connect func() (*client.Connection, error)
}

// NewCommand returns the verb.
func NewCommand() *cobra.Command {
	asked := &options{clock: clock.RealClock{}}
	command := &cobra.Command{
		Use:   "verify IMAGE[@CHANNEL]|BUILD|FILE|REFERENCE",
		Short: "Verify who signed an artifact, and show how it was built",
		Long: "Verify the signatures of the artifacts of a build, of an image's latest successful build, or of the build that a channel names. " +
			"The command shows what the signed statements say: who declared the image, which builder made it from which inputs, and how many packages it has. " +
			"An artifact is verified if at least one of the keys signed a statement about exactly this artifact. The command ignores everything " +
			"that no key signed, such as what a builder reports about itself, and shows why. A build that is revoked is not verified. " +
			"For a FILE or a REFERENCE, the command asks the server of its provenance, unless a key or --offline is set.\n\n" +
			"FILE is an artifact on this machine, or any file that `goldsmith keys sign` signed. The command computes its digest. Its bundles are those of --bundle, or else the files FILE.bundle " +
			"and FILE.sigstore.json, or else those of the build of the namespace that made it. REFERENCE is a manifest in an OCI registry, " +
			"HOST[:PORT]/REPOSITORY@sha256:DIGEST or HOST[:PORT]/REPOSITORY:TAG, perhaps after docker://. The command reads bundles from its referrers, " +
			"and then, if none counts, from the tags .att and .sig of cosign. If REFERENCE is an index, the command verifies each of its manifests, " +
			"and shows the signature of the index, which counts for manifests that have none. A file of the name takes precedence over REFERENCE.\n\n" +
			"The keys are the public keys in PEM of --key. Without a key, they are those of all SigningKeys of the server: then you trust the server. " +
			"They verify statements only. For a file that `goldsmith keys sign` signed, such as the checksums of a release, name the public key with --file-key, which " +
			"verifies no statements. A file whose content is itself the encoding of a statement, or the payload of the signature of an image, is never verified so. " +
			"A key that has expired still verifies, and is shown as an expired KEY: statements have no trusted time, so nobody can tell whether a " +
			"signature was made before the key expired. With --offline, the command needs --key or --file-key, and reaches nothing but the registry of REFERENCE.\n\n" +
			"With --rebuild, the command then builds what it has verified again, waits for the build, and compares the digests. " +
			"A build of an image runs on its server, with the inputs that it had. For a FILE or a REFERENCE, the server builds in the current namespace what " +
			"the signed provenance declares, without publishing it. An image that the artifact is based on must exist there with the same content. " +
			"Exit code 5 means that the same inputs made other content. If the server installs other packages or has another builder, " +
			"nobody can tell, and the exit code is 1.\n\n" +
			"The command does not read the content of artifacts in a registry or on the server, whose digests it compares: " +
			"`goldsmith artifacts get` verifies what it fetches. " + artifacts.CredentialFiles + "\n\n" + exit.Help,
		Example: "  goldsmith verify debian@stable\n" +
			"  goldsmith verify registry.example.com/team/debian:stable --key goldsmith.pub --offline\n" +
			"  goldsmith verify ./debian-7-linux-amd64.raw --key goldsmith.pub --bundle debian.bundle\n" +
			"  goldsmith verify ./SHA256SUMS --file-key release.pub --offline\n" +
			"  goldsmith verify debian@stable --rebuild",
		Args:              takesSubject,
		ValidArgsFunction: completion.ArtifactSourcesAndFiles,
		RunE: func(command *cobra.Command, args []string) error {
			asked.out, asked.stderr = command.OutOrStdout(), command.ErrOrStderr()
			asked.style = output.StyleOf(command, command.OutOrStdout())
			asked.show = follow.OptionsOf(command)
			asked.connect = func() (*client.Connection, error) { return client.FlagsOf(command).Connect(command.ErrOrStderr()) }
			return asked.run(command.Context(), args[0])
		},
	}
	client.AddFlags(command)
	set := command.Flags()
	set.StringArrayVar(&asked.keys, "key", nil, "`file` with a public key of statements, in PEM; can be repeated (default: the SigningKeys of the server)")
	set.StringArrayVar(&asked.fileKeys, "file-key", nil, "`file` with a public key of signatures of FILE as it is, in PEM; can be repeated")
	set.StringArrayVar(&asked.bundles, "bundle", nil, "`file` with a Sigstore bundle or an envelope about FILE; can be repeated")
	set.StringVar(&asked.target, "target", "", "`target` of the only artifact to verify, such as linux/amd64/raw (default: all artifacts)")
	set.BoolVar(&asked.offline, "offline", false, "no requests to anything but the registry of REFERENCE")
	set.BoolVar(&asked.rebuild, "rebuild", false, "build verified artifacts again, and compare their digests")
	set.BoolVar(&asked.plainHTTP, "plain-http", false, artifacts.PlainHTTPUsage)
	err := errors.Join(
		command.RegisterFlagCompletionFunc("target", completion.Value(artifacts.CompleteTargets)),
		command.MarkFlagFilename("key"), command.MarkFlagFilename("file-key"), command.MarkFlagFilename("bundle"),
	)
	if err != nil {
		panic(err) // cannot fail: the lines above add the flags
	}
	asked.format.AddTo(command)
	return command
}

// takesSubject lets the verb have one argument.
func takesSubject(command *cobra.Command, args []string) error {
	if len(args) == 1 && (isReference(args[0]) || artifacts.IsPath(args[0])) {
		return nil
	}
	return client.OneName("IMAGE[@CHANNEL], BUILD, FILE or REFERENCE", client.Either)(command, args)
}

// schemes are what may stand before a reference.
var schemes = []string{"docker://", "oci://"}

// isReference reports whether an argument can only name a manifest in a registry. The host of a registry has a dot or a port, or is localhost. Without a
// tag or a digest, it is the name of a file or of an object.
func isReference(argument string) bool {
	for _, scheme := range schemes {
		if strings.HasPrefix(argument, scheme) {
			return true
		}
	}
	host, path, ok := strings.Cut(argument, "/")
	if !ok || strings.HasPrefix(argument, ".") || artifacts.IsRegular(argument) {
		return false
	}
	named := strings.Contains(path, "@sha256:") || strings.Contains(path[strings.LastIndexByte(path, '/')+1:], ":")
	return named && (host == "localhost" || strings.ContainsAny(host, ".:"))
}

// parseReference returns the repository of a reference, and the tag or the digest.
func parseReference(argument string) (repository reference.Named, tagOrDigest string, err error) {
	text := argument
	for _, scheme := range schemes {
		text = strings.TrimPrefix(text, scheme)
	}
	named, err := reference.ParseNormalizedNamed(text)
	if err != nil {
		return nil, "", fmt.Errorf("REFERENCE %q: must be HOST[:PORT]/REPOSITORY@sha256:DIGEST or HOST[:PORT]/REPOSITORY:TAG, with REPOSITORY in lower case", argument)
	}
	if digested, ok := named.(reference.Digested); ok {
		return reference.TrimNamed(named), digested.Digest().String(), nil
	}
	if tagged, ok := named.(reference.Tagged); ok {
		return reference.TrimNamed(named), tagged.Tag(), nil
	}
	return nil, "", fmt.Errorf("REFERENCE %q: must have a tag or a digest, such as %[1]s:stable", argument)
}

// run verifies what an argument names.
func (o *options) run(ctx context.Context, argument string) error {
	if o.rebuild && o.offline {
		return errors.New("--rebuild needs a server that builds, but --offline reaches none: omit one of them")
	}
	verify, err := o.subjectOf(ctx, argument)
	if err != nil {
		return err
	}
	keys, err := o.readKeys(ctx)
	if err != nil {
		return o.orRevoked(err)
	}
	found := &report{Keys: keys}
	if err := verify(ctx, found); err != nil {
		return err
	}
	if err := o.findRevoked(ctx, found); err != nil {
		return err
	}
	err = found.failure()
	if err == nil && o.rebuild {
		err = o.buildAgain(ctx, found)
	}
	return errors.Join(o.print(found), err)
}

// subjectOf returns what verifies the artifacts that an argument names, and adds them to a report.
func (o *options) subjectOf(ctx context.Context, argument string) (func(context.Context, *report) error, error) {
	file := func(ctx context.Context, to *report) error { return o.verifyFile(ctx, argument, to) }
	switch {
	case isReference(argument):
		if err := o.onlyFiles(argument, "in a registry"); err != nil {
			return nil, err
		}
		repository, wanted, err := parseReference(argument)
		return func(ctx context.Context, to *report) error { return o.verifyReference(ctx, repository, wanted, to) }, err
	case artifacts.IsPath(argument) && o.target != "":
		return nil, fmt.Errorf("--target selects an artifact of a build or of an index, but %s is a file: omit --target", argument)
	case artifacts.IsPath(argument):
		return file, nil
	case o.offline:
		return nil, fmt.Errorf("--offline: %s is an image or a build of a server: name a FILE or a REFERENCE; for the file of this name, use ./%[1]s", argument)
	}
	connection, err := o.connect()
	if err != nil && artifacts.IsRegular(argument) {
		return nil, fmt.Errorf("%w; for the file of this name, use ./%s", err, argument)
	}
	if err != nil {
		return nil, err
	}
	if artifacts.IsRegular(argument) {
		name, _, _ := strings.Cut(argument, "@")
		if build, image, err := connection.FindBuild(ctx, client.Either, name); err != nil || build == nil && image == nil {
			return file, err
		}
	}
	if err := o.onlyFiles(argument, "an image or a build"); err != nil {
		return nil, err
	}
	build, err := artifacts.Find(ctx, connection, argument, o.stderr)
	if err != nil {
		return nil, err
	}
	o.subject = build
	return func(ctx context.Context, to *report) error { return o.verifyBuild(ctx, connection, build, to) }, nil
}

// onlyFiles fails if a flag is set that is only for files.
func (o *options) onlyFiles(argument, what string) error {
	switch {
	case len(o.bundles) > 0:
		return fmt.Errorf("--bundle names bundles about a FILE, but %s is %s: omit --bundle", argument, what)
	case len(o.fileKeys) > 0:
		return fmt.Errorf("--file-key verifies a signature of a FILE, but %s is %s: name the public key with --key", argument, what)
	}
	return nil
}
