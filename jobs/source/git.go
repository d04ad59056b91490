// SPDX-License-Identifier: Apache-2.0

package source

import (
	"context"
	"errors"
	"io"
	"os"
	"path"
	"strings"
	"time"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/filemode"
	"github.com/go-git/go-git/v5/plumbing/object"
	"github.com/go-git/go-git/v5/plumbing/protocol/packp"
	"github.com/go-git/go-git/v5/plumbing/protocol/packp/capability"
	"golang.org/x/text/encoding/htmlindex"

	"goldsmith.dev/goldsmith/jobs/source/reference"
)

const (
	// commitObjects is how many objects a server without filters can send before the commit: it sends the commit first.
	commitObjects = 16
	// recent is how many commits of a ref are fetched to find one that the ref has named, before all of them are.
	recent = 50
	// maxWalked is how many bytes the lists of a directory and of all above it have.
	maxWalked = 16 << 20
	// scratchFolder is where the pack is while files are written. No source has such an entry.
	scratchFolder = ".git"
	packName      = scratchFolder + "/pack"
	// maxSeconds is the beginning of the year 10000: a later time has no standard text.
	maxSeconds = 253402300800
)

// resolveCommit returns the commit to which a ref leads.
func resolveCommit(ctx context.Context, g *Git, o Options) (*Revision, error) {
	c, err := connect(ctx, g, o, &meter{limit: o.Limits.Download})
	if err != nil {
		return nil, wrap(ctx, g, "resolve", err)
	}
	defer c.close()
	found, err := c.resolve(ctx, g, o)
	if err != nil {
		return nil, wrap(ctx, g, "resolve", c.explain(ctx, err))
	}
	return found, nil
}

func wrap(ctx context.Context, g *Git, verb string, err error) error {
	return explain(ctx, verb+" "+g.URL, err)
}

func (c *connection) resolve(ctx context.Context, g *Git, o Options) (*Revision, error) {
	named, err := find(c.refs, g.Ref)
	if err != nil {
		return nil, err
	}
	revision := &Revision{ID: "sha1:" + named.commit.String(), Ref: named.name}
	read, err := c.commit(ctx, named, o.Limits.Message)
	switch own, _ := errors.AsType[*Error](err); {
	case errors.Is(err, errLate): // a server without filters compresses all files first
		o.Log("%s did not send the commit %s within %s; its message is left out", g.URL, named.commit, o.Limits.Message)
		return revision, nil
	case own != nil && own.Reason == NotFound && named.name == "" && !c.refs.Capabilities.Supports(capability.AllowReachableSHA1InWant):
		o.Log("%s does not give the commit %s by its ID; its message is left out", g.URL, named.commit)
		return revision, nil
	case err != nil:
		return nil, err
	}
	summary, _, _ := strings.Cut(message(read), "\n")
	revision.Summary, revision.Time = printable(summary, 200), timeOf(read)
	return revision, nil
}

// errLate reports a commit that a ref names, and that did not arrive in time.
var errLate = errors.New("the commit did not arrive in time")

// commit reads a commit. A server without filters sends the files, too: the connection is closed as soon as the commit was read, which comes first.
func (c *connection) commit(ctx context.Context, named *namedCommit, patience time.Duration) (*object.Commit, error) {
	short, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	defer context.AfterFunc(short, c.close)()
	read, err := c.readCommit(short, named)
	if err != nil && named.name != "" && short.Err() != nil && ctx.Err() == nil {
		return nil, errLate
	}
	if err != nil {
		return nil, c.explain(ctx, err)
	}
	return read, nil
}

func (c *connection) readCommit(ctx context.Context, named *namedCommit) (*object.Commit, error) {
	stream, err := c.pack(ctx, attempt{named.tip, 1}, packp.FilterTreeDepth(0))
	if err != nil {
		return nil, err
	}
	defer func() { _ = stream.Close() }() // only read from
	return readCommit(stream, named.commit)
}

// message returns the message of a commit, which names its encoding if that is not UTF-8. Bytes of an unknown encoding stay as they are.
func message(c *object.Commit) string {
	encoding, err := htmlindex.Get(string(c.Encoding))
	if err != nil {
		return c.Message
	}
	text, err := encoding.NewDecoder().String(c.Message)
	if err != nil {
		return c.Message
	}
	return text
}

// timeOf returns when a commit was committed. Zero if that is no time.
func timeOf(c *object.Commit) time.Time {
	if seconds := c.Committer.When.Unix(); seconds > 0 && seconds < maxSeconds {
		return time.Unix(seconds, 0).UTC()
	}
	return time.Time{}
}

// namedCommit is what a server knows about a ref.
type namedCommit struct {
	name   string        // empty for the ID of a commit
	tip    plumbing.Hash // what the ref names
	commit plumbing.Hash // to which an annotated tag leads
}

// find returns what a text names.
func find(refs *packp.AdvRefs, text string) (*namedCommit, error) {
	if reference.IsCommit(text) {
		if !plumbing.IsHash(text) {
			return nil, errSHA256()
		}
		id := plumbing.NewHash(text)
		return &namedCommit{tip: id, commit: id}, nil
	}
	if text == "" || text == "HEAD" {
		if refs.Head == nil {
			return nil, failure(NotFound, "the repository has no default branch, or no commit; name a ref in git.ref")
		}
		found := &namedCommit{"HEAD", *refs.Head, *refs.Head}
		for _, link := range refs.Capabilities.Get(capability.SymRef) {
			if target, ok := strings.CutPrefix(link, "HEAD:"); ok {
				found.name = target
			}
		}
		return found, nil
	}
	names := []string{"refs/heads/" + text, "refs/tags/" + text} // a short name can be that of a branch and of a tag
	if strings.HasPrefix(text, "refs/") {
		names = []string{text}
	}
	var found *namedCommit
	for _, name := range names {
		tip, ok := refs.References[name]
		switch {
		case !ok:
			continue
		case found != nil:
			return nil, failure(Unsupported, "%s is a branch and a tag; write refs/heads/%s or refs/tags/%s as git.ref", text, text, text)
		}
		found = &namedCommit{name, tip, tip}
		if peeled, ok := refs.Peeled[name]; ok {
			found.commit = peeled
		}
	}
	if found == nil {
		remedy := "correct git.ref"
		if len(text) >= 4 && len(text) < 64 && strings.Trim(text, "0123456789abcdef") == "" {
			remedy += ", and give all 40 digits of a commit: an abbreviated one is not resolved"
		}
		return nil, failure(NotFound, "the repository has no ref %s; %s", strings.Join(names, " or "), remedy)
	}
	return found, nil
}

// attempt is a way to get a commit: what a server is asked for, and how many commits of its history. Zero is all of them.
type attempt struct {
	want  plumbing.Hash
	depth int
}

// attempts returns the ways to get a commit, the cheapest first. Servers give what a ref names, and some give other commits by their IDs. In any
// other case the history of the ref has the commit, if the ref has named it.
func attempts(refs *packp.AdvRefs, g *Git, commit plumbing.Hash) []attempt {
	for name, tip := range refs.References {
		if tip == commit || refs.Peeled[name] == commit {
			return []attempt{{tip, 1}}
		}
	}
	ref := g.Ref
	if reference.IsCommit(ref) {
		ref = "" // the default branch
	}
	found := []attempt{{commit, 1}}
	if named, err := find(refs, ref); err == nil {
		found = append(found, attempt{named.tip, recent}, attempt{named.tip, 0})
	}
	return found
}

// fetchCommit writes the files of a commit.
func fetchCommit(ctx context.Context, g *Git, revision string, root *os.Root, o Options) (*Tree, error) {
	kind, text, _ := strings.Cut(revision, ":")
	if kind != "sha1" || !plumbing.IsHash(text) {
		return nil, failure(Unsupported, "%q is no revision of a Git repository of SHA-1", printable(revision, 100))
	}
	f := &fetcher{git: g, id: plumbing.NewHash(text), root: root, options: o, meter: &meter{limit: o.Limits.Download}}
	tree, err := f.fetch(ctx)
	if err != nil {
		return nil, wrap(ctx, g, "fetch", err)
	}
	tree.Downloaded = f.meter.received
	o.Log("fetched %d files of %s from %s, %s were received", tree.Files, text, g.URL, bytesText(tree.Downloaded))
	return tree, nil
}

// fetcher fetches the files of one commit.
type fetcher struct {
	git     *Git
	id      plumbing.Hash
	root    *os.Root
	options Options
	meter   *meter

	pack     *pack
	filtered bool // whether the server left large files out
	out      *checkout
	walked   int64 // bytes of the trees that are walked at a time
}

func (f *fetcher) fetch(ctx context.Context) (tree *Tree, err error) {
	if err := f.root.Mkdir(scratchFolder, 0o700); err != nil {
		return nil, &fileError{err}
	}
	defer func() {
		if removed := f.root.RemoveAll(scratchFolder); err == nil && removed != nil {
			err = &fileError{removed}
		}
	}()
	commit, err := f.receive(ctx)
	if err != nil {
		return nil, err
	}
	defer f.pack.close()
	modified := timeOf(commit)
	if modified.IsZero() {
		modified = time.Unix(0, 0)
	}
	f.out = newCheckout(f.root, f.options.Limits, modified)
	directory, err := f.descend(commit.TreeHash, f.git.Directory())
	if err != nil {
		return nil, err
	}
	if err := f.walk(ctx, directory, ""); err != nil {
		return nil, err
	}
	return f.out.finish()
}

// receive gets a pack that has the commit.
func (f *fetcher) receive(ctx context.Context) (*object.Commit, error) {
	c, err := connect(ctx, f.git, f.options, f.meter)
	if err != nil {
		return nil, err
	}
	defer func() { c.close() }()
	gone := failure(NotFound, "no ref names the commit %s any more, and it is not in the history of the ref", f.id)
	last := gone
	for i, a := range attempts(c.refs, f.git, f.id) {
		if i > 0 {
			c.close()
			if c, err = connect(ctx, f.git, f.options, f.meter); err != nil {
				return nil, err
			}
		}
		commit, err := f.try(ctx, c, a)
		own, _ := errors.AsType[*Error](err)
		switch {
		case commit != nil:
			return commit, nil
		case own != nil && own.Reason == TooLarge && a.depth != 1:
			return nil, failure(NotFound, "no ref names the commit %s any more, the server does not give it by its ID, and the history of the ref is too large (%s)", f.id, own.Message)
		case own != nil && own.Reason == NotFound:
			last = own
		case err != nil:
			return nil, err
		default:
			last = gone
		}
	}
	return nil, last
}

// try returns the commit, or nil if the pack does not have it.
func (f *fetcher) try(ctx context.Context, c *connection, a attempt) (*object.Commit, error) {
	if err := f.download(ctx, c, a); err != nil {
		return nil, c.explain(ctx, err)
	}
	opened, err := openPack(ctx, f.root, packName)
	if err != nil {
		return nil, c.explain(ctx, err)
	}
	commit, err := opened.commit(f.id)
	if commit == nil {
		opened.close()
		return nil, err
	}
	f.pack, f.filtered = opened, c.refs.Capabilities.Supports(capability.Filter)
	return commit, nil
}

func (f *fetcher) download(ctx context.Context, c *connection, a attempt) error {
	stream, err := c.pack(ctx, a, packp.FilterBlobLimit(uint64(f.options.Limits.File)+1, packp.BlobLimitPrefixNone)) //nolint:gosec // it is positive
	if err != nil {
		return err
	}
	defer func() { _ = stream.Close() }() // only read from
	file, err := f.root.OpenFile(packName, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return &fileError{err}
	}
	return errors.Join(receivePack(stream, file, f.options.Limits), local(file.Close()))
}

// tree reads a directory.
func (f *fetcher) tree(id plumbing.Hash) (entries []object.TreeEntry, size int64, err error) {
	if id == plumbing.ComputeHash(plumbing.TreeObject, nil) { // which servers can leave out
		return nil, 0, nil
	}
	found, err := f.pack.Get(id)
	if err != nil {
		return nil, 0, f.missing("tree", id, err)
	}
	if found.Size() > maxWalked {
		return nil, 0, failure(TooLarge, "a directory has a list of %s; distribute its files", bytesText(found.Size()))
	}
	tree, err := object.DecodeTree(nil, found)
	if err != nil {
		return nil, 0, malformed(err)
	}
	return tree.Entries, found.Size(), nil
}

func (f *fetcher) missing(kind string, id plumbing.Hash, err error) error {
	if errors.Is(err, plumbing.ErrObjectNotFound) {
		return failure(Unavailable, "the server did not send the %s %s", kind, id)
	}
	return malformed(err)
}

// descend finds the tree of a directory.
func (f *fetcher) descend(tree plumbing.Hash, directory string) (plumbing.Hash, error) {
	for name := range strings.SplitSeq(directory, "/") {
		if directory == "" {
			break
		}
		entries, _, err := f.tree(tree)
		if err != nil {
			return tree, err
		}
		var found *object.TreeEntry
		for i := range entries {
			if entries[i].Name == name {
				found = &entries[i]
			}
		}
		switch {
		case found == nil:
			return tree, failure(NotFound, "the commit has no directory %q; correct git.path", name)
		case found.Mode != filemode.Dir:
			return tree, failure(NotFound, "git.path names %q, which is no directory of the commit; correct git.path", name)
		}
		tree = found.Hash
	}
	return tree, nil
}

// walk writes the files of a tree.
func (f *fetcher) walk(ctx context.Context, tree plumbing.Hash, folder string) error {
	entries, size, err := f.tree(tree)
	if err != nil {
		return err
	}
	if f.walked += size; f.walked > maxWalked {
		return failure(TooLarge, "the directory %q and those above it have more than %s of names; distribute their files", folder, bytesText(maxWalked))
	}
	for i := range entries {
		if err := f.enter(ctx, &entries[i], folder); err != nil {
			return err
		}
	}
	f.walked -= size
	return nil
}

func (f *fetcher) enter(ctx context.Context, entry *object.TreeEntry, folder string) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if err := checkName(folder, entry.Name); err != nil {
		return err
	}
	if err := f.out.enter(); err != nil {
		return err
	}
	name := path.Join(folder, entry.Name)
	switch entry.Mode {
	case filemode.Dir:
		if err := f.out.directory(name); err != nil {
			return err
		}
		return f.walk(ctx, entry.Hash, name)
	case filemode.Submodule: // and whatever else is no file
		return failure(Unsupported, "%q is a submodule, which is not supported; copy its files into the repository, or name a directory without it in git.path", name)
	}
	content, err := f.pack.Get(entry.Hash)
	if errors.Is(err, plumbing.ErrObjectNotFound) && f.filtered {
		return failure(TooLarge, "%q has more than %s; move it elsewhere", name, bytesText(f.options.Limits.File))
	}
	if err != nil {
		return f.missing("file", entry.Hash, err)
	}
	if content.Type() != plumbing.BlobObject {
		return errMalformed
	}
	return f.write(name, entry.Mode, content)
}

func (f *fetcher) write(name string, mode filemode.FileMode, content plumbing.EncodedObject) error {
	from, err := content.Reader()
	if err != nil {
		return malformed(err)
	}
	defer func() { _ = from.Close() }() // only read from
	if mode != filemode.Symlink {
		return f.out.file(name, mode == filemode.Executable, content.Size(), from)
	}
	target, err := io.ReadAll(io.LimitReader(from, maxPath+1))
	if err != nil {
		return malformed(err)
	}
	return f.out.link(name, string(target))
}
