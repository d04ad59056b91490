// SPDX-License-Identifier: Apache-2.0

package source

import (
	"cmp"
	"context"
	"net/netip"
	"os"
	"time"

	"goldsmith.dev/goldsmith/jobs/source/reference"
)

type (
	// Source is what users declare.
	Source = reference.Source
	// Git is a revision of a Git repository.
	Git = reference.Git
	// OCI is an artifact of an OCI registry.
	OCI = reference.OCI
	// Invalid is a field that cannot be used.
	Invalid = reference.Invalid
)

// Check returns the fields of a source that cannot be used.
func Check(s Source, withSecret bool) []Invalid { return reference.Check(s, withSecret) }

// Limits are how large a source can be. A zero field has the default.
type Limits struct {
	// Download is how many bytes are received. Defaults to 1 GiB.
	Download int64
	// Written is how many bytes all files have. Defaults to 2 GiB.
	//
	// File is how many bytes one file has, which decides how much memory a fetch from Git needs. Files of Git that are stored as
	// differences to each other can have 1.5 times as many in all. Defaults to 32 MiB. A server without filters also sends the files
	// outside of git.path, and the limit applies to these, too.
	Written, File int64
	// Entries is how many files, directories and links there are. Defaults to 100,000.
	Entries int
	// Message is how long a server is asked for the message of a commit that a ref names. Revisions have none after that. Defaults to 30
	// seconds.
	Message time.Duration
	// Time is how long a source is resolved or fetched. Defaults to 30 minutes.
	Time time.Duration
}

func (l Limits) withDefaults() Limits {
	return Limits{
		Download: cmp.Or(l.Download, 1<<30),
		Written:  cmp.Or(l.Written, 2<<30),
		File:     cmp.Or(l.File, 32<<20),
		Entries:  cmp.Or(l.Entries, 100_000),
		Message:  cmp.Or(l.Message, 30*time.Second),
		Time:     cmp.Or(l.Time, 30*time.Minute),
	}
}

// Options are how to reach a source.
type Options struct {
	// Secret is the data of the Secret. Nil without one.
	Secret map[string][]byte
	// Allowed are networks that can be reached although they are loopback or link-local.
	Allowed []netip.Prefix
	// PlainHTTP are the registries, each HOST or HOST:PORT, that are reached without TLS besides loopback hosts.
	PlainHTTP []string
	// Limits are how large the source can be.
	Limits Limits
	// Log gets a line about what is done. The lines have no credentials. May be nil.
	Log func(format string, arguments ...any)
}

func (o Options) withDefaults() Options {
	o.Limits = o.Limits.withDefaults()
	if o.Log == nil {
		o.Log = func(string, ...any) {}
	}
	return o
}

// Revision is what a source was at a time.
type Revision struct {
	// ID is sha1: and the ID of a commit, or the digest of a manifest.
	ID string
	// Ref is the full name of the ref, such as refs/heads/main; the tag of an artifact; empty if the source names a commit or a digest.
	Ref string
	// Summary is the first line of the message of a commit, or the title of an artifact; at most 200 characters.
	Summary string
	// Time is when the commit was committed, or the artifact created. Zero if it is unknown.
	Time time.Time
}

// Tree is what was fetched.
type Tree struct {
	// Files counts regular files, and Links symbolic links.
	Files, Links int
	// Bytes is the size of all files, and Downloaded how many bytes were received.
	Bytes, Downloaded int64
}

// Resolve returns the present revision of a source. The error is an *Error, or that of ctx.
func Resolve(ctx context.Context, s Source, o Options) (*Revision, error) {
	o = o.withDefaults()
	ctx, cancel := o.deadline(ctx)
	defer cancel()
	if err := o.check(s); err != nil {
		return nil, err
	}
	if s.OCI != nil {
		return resolveArtifact(ctx, s.OCI, o)
	}
	return resolveCommit(ctx, s.Git, o)
}

// Fetch writes the files of a revision that Resolve returned to a directory, which is empty. After an error the directory can have a part of
// the files. The error is an *Error, that of the directory or that of ctx.
func Fetch(ctx context.Context, s Source, revision, directory string, o Options) (*Tree, error) {
	o = o.withDefaults()
	ctx, cancel := o.deadline(ctx)
	defer cancel()
	if err := o.check(s); err != nil {
		return nil, err
	}
	root, err := os.OpenRoot(directory)
	if err != nil {
		return nil, err
	}
	defer func() { _ = root.Close() }() // files are closed one by one
	if s.OCI != nil {
		return fetchArtifact(ctx, s.OCI, revision, root, o)
	}
	return fetchCommit(ctx, s.Git, revision, root, o)
}

// deadline returns the context of one Resolve or Fetch.
func (o *Options) deadline(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeoutCause(ctx, o.Limits.Time, failure(Unavailable, "it took longer than %s", o.Limits.Time))
}

func (o *Options) check(s Source) error {
	for _, invalid := range Check(s, len(o.Secret) > 0) {
		return failure(Unsupported, "%s", invalid.Error())
	}
	return nil
}
