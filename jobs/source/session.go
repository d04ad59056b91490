// SPDX-License-Identifier: Apache-2.0

package source

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strings"

	"github.com/go-git/go-git/v5/plumbing/format/pktline"
	"github.com/go-git/go-git/v5/plumbing/protocol/packp"
	"github.com/go-git/go-git/v5/plumbing/protocol/packp/capability"
	"github.com/go-git/go-git/v5/plumbing/protocol/packp/sideband"
	"github.com/go-git/go-git/v5/plumbing/transport"
)

const (
	// maxAdvertisement is how many bytes of refs a server can list: go-git has all of them in memory. 100,000 refs are 7 MB.
	maxAdvertisement = 32 << 20
	// maxHeader is how many bytes a server can send before a pack: where the history is cut, and what the client has.
	maxHeader = 1 << 20
)

// objectFormat is the capability that names the hash of a repository. Servers without it have SHA-1.
const objectFormat capability.Capability = "object-format"

var (
	// errProtocol reports an answer that is none of Git.
	errProtocol = errors.New("the server does not speak Git's protocol")
	// errMalformed reports a pack or an object that Git cannot have written.
	errMalformed = errors.New("the server sent a malformed pack")
)

// meter ends transfers at their limits, and keeps the error, because go-git drops the causes of some errors.
type meter struct {
	limit     int64 // bytes of all answers
	received  int64
	remaining int64  // bytes of the present answer
	content   string // of the present answer
	failure   error
	broken    bool // an answer was cut, which go-git takes for a wrong length
}

// expect limits the next answer.
func (m *meter) expect(bytes int64, content string) { m.remaining, m.content = bytes, content }

func (m *meter) fail(err error) error {
	if m.failure == nil {
		m.failure = err
	}
	return err
}

// meteredBody is an answer that is limited.
type meteredBody struct {
	io.ReadCloser
	meter *meter
}

func (b meteredBody) Read(to []byte) (int, error) {
	n, err := b.ReadCloser.Read(to)
	m := b.meter
	m.received += int64(n)
	m.remaining -= int64(n)
	switch {
	case m.received > m.limit:
		return 0, m.fail(failure(TooLarge, "the server sends more than %s; move large files elsewhere", bytesText(m.limit)))
	case m.remaining < 0:
		return 0, m.fail(failure(TooLarge, "the server sends too many %s; use a smaller repository", m.content))
	case err != nil && !errors.Is(err, io.EOF):
		m.broken = true
	}
	return n, err
}

// bytesText shows a number of bytes.
func bytesText(bytes int64) string {
	if bytes >= 1<<20 && bytes%(1<<20) == 0 {
		return fmt.Sprintf("%d MiB", bytes>>20)
	}
	return fmt.Sprintf("%d bytes", bytes)
}

// session is a part of go-git's sessions.
type session interface {
	AdvertisedReferencesContext(ctx context.Context) (*packp.AdvRefs, error)
	UploadPack(ctx context.Context, req *packp.UploadPackRequest) (*packp.UploadPackResponse, error)
	Close() error
}

// connection asks a server: first for its refs, then for one pack.
type connection struct {
	session
	meter     *meter
	hidden    secrets
	complaint func() string // what the server wrote besides the protocol, once the protocol has failed
	refs      *packp.AdvRefs
}

// connect asks for the refs of a repository.
func connect(ctx context.Context, g *Git, o Options, m *meter) (*connection, error) {
	remote, err := g.Remote()
	if err != nil {
		return nil, err
	}
	c := &connection{meter: m, complaint: func() string { return "" }}
	if remote.Scheme == "ssh" {
		err = c.openSSH(ctx, remote, o)
	} else {
		err = c.openHTTPS(remote, o)
	}
	if err != nil {
		return nil, err
	}
	m.failure = nil
	m.expect(maxAdvertisement, "refs")
	c.refs, err = c.AdvertisedReferencesContext(ctx)
	if errors.Is(err, transport.ErrEmptyRemoteRepository) {
		err = failure(NotFound, "the repository has no default branch, or no commit; name a ref in git.ref")
	}
	if err == nil && slices.Contains(c.refs.Capabilities.Get(objectFormat), "sha256") {
		err = errSHA256()
	}
	if err != nil {
		defer c.close()
		return nil, c.explain(ctx, err)
	}
	return c, nil
}

func errSHA256() error {
	return failure(Unsupported, "repositories of SHA-256 are not supported; use one of SHA-1")
}

func (c *connection) close() { _ = c.Close() } // nothing is written by it

// explain makes an *Error of a failure of the protocol.
func (c *connection) explain(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return err
	}
	if c.meter.failure != nil {
		return c.meter.failure
	}
	if _, ok := errors.AsType[*Error](err); ok {
		return err
	}
	if _, ok := errors.AsType[*fileError](err); ok {
		return err
	}
	if errors.Is(err, errMalformed) {
		return failure(Unavailable, "%v", err)
	}
	if unexpected, ok := errors.AsType[*packp.ErrUnexpectedData](err); ok {
		if strings.Contains(string(unexpected.Data), string(objectFormat)+"=sha256") {
			return errSHA256()
		}
		err = errProtocol
	}
	if !c.meter.broken && (errors.Is(err, errProtocol) || errors.Is(err, pktline.ErrInvalidPktLen)) {
		return failure(Unsupported, "%v", errProtocol)
	}
	if _, text, ok := strings.Cut(err.Error(), "http redirect: "); ok {
		return failure(Refused, "a redirect is refused: %s; correct git.url", c.hidden.hide(text))
	}
	return c.explainAnswer(err)
}

// explainAnswer makes an *Error of what a server answers instead.
func (c *connection) explainAnswer(err error) error {
	_, said, ok := strings.Cut(err.Error(), "upload-pack response: ") // of go-git, which drops the type
	if line, is := errors.AsType[*pktline.ErrorLine](err); is {
		said = line.Text
	} else if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, packp.ErrEmptyInput) || errors.Is(err, transport.ErrEmptyUploadPackRequest) {
		said = c.complaint()
	} else if !ok {
		_, said, _ = strings.Cut(err.Error(), "unexpected error: ") // of a side band
	}
	said = printable(c.hidden.hide(said), 200)
	has := func(texts ...string) bool {
		lower := strings.ToLower(said)
		return slices.ContainsFunc(texts, func(text string) bool { return strings.Contains(lower, text) })
	}
	switch {
	case has("not our ref"):
		return failure(NotFound, "the server does not give this commit (%s): it was deleted, or no branch or tag leads to it", said)
	case has("not found", "not exist", "not appear", "not be found", "no such", "cannot find", "not exported"):
		return failure(NotFound, "the server answers: %s", said)
	case has("denied", "permission", "authoriz", "authent", "forbidden", "access rights"):
		return failure(Denied, "the server answers: %s", said)
	case said != "":
		return failure(Unavailable, "the server answers: %s", said)
	}
	return failure(Unavailable, "the connection broke: %s", c.hidden.hide(err.Error()))
}

// pack asks for the pack of an attempt. The filter can be empty; a server without filters ignores it. The caller closes the pack.
func (c *connection) pack(ctx context.Context, a attempt, filter packp.Filter) (io.ReadCloser, error) {
	offered := c.refs.Capabilities
	if !offered.Supports(capability.Shallow) || !offered.Supports(capability.Sideband64k) {
		return nil, failure(Unsupported, "the server cannot give a commit without its history")
	}
	req := packp.NewUploadPackRequestFromCapabilities(offered)
	req.Wants, req.Depth = append(req.Wants, a.want), packp.DepthCommits(a.depth)
	// Azure DevOps refuses clients without multi_ack. go-git hides whether a server has it, and reads its answers if nothing is negotiated.
	wanted := []capability.Capability{capability.MultiACK, capability.Shallow}
	if offered.Supports(capability.NoProgress) {
		wanted = append(wanted, capability.NoProgress)
	}
	if filter != "" && offered.Supports(capability.Filter) {
		wanted, req.Filter = append(wanted, capability.Filter), filter
	}
	for _, name := range wanted {
		if err := req.Capabilities.Set(name); err != nil {
			return nil, err
		}
	}
	c.meter.expect(maxHeader, "lines before its pack")
	resp, err := c.UploadPack(ctx, req)
	if err != nil {
		return nil, err
	}
	c.meter.expect(math.MaxInt64, "")
	return struct {
		io.Reader
		io.Closer
	}{sideband.NewDemuxer(sideband.Sideband64k, resp), resp}, nil
}
