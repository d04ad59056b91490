// SPDX-License-Identifier: Apache-2.0

package archive

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"maps"
	"net"
	"net/http"
	"net/netip"
	"os"
	"slices"
	"time"

	"goldsmith.dev/goldsmith/jobs/source/addresses"
)

// maxRedirects is the maximum number of redirects of a request, as for apt.
const maxRedirects = 10

// Client fetches the files of archives.
type Client struct {
	// Transport sends requests. It must not decompress answers, because digests are those of the compressed files.
	Transport http.RoundTripper
	// Silence is how long a mirror may send nothing.
	Silence time.Duration
	// Work is the directory for files that are verified before they are read. Nothing stays there.
	Work string
}

// checksum is what a signed file tells about another file.
type checksum struct {
	sha256 string
	size   int64
}

// reply is what a mirror has answered, without the body.
type reply struct {
	code   int
	header http.Header
}

// errNotFound reports a file that a mirror does not have.
var errNotFound = errors.New("404 Not Found")

// get sends a request, and copies the body of an answer with status 200. A longer body than limit bytes is an error. Status 304 is an answer
// without a body.
func (c *Client) get(ctx context.Context, address string, conditions http.Header, limit int64, to io.Writer) (reply, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	silence := time.AfterFunc(c.Silence, func() { cancel(fmt.Errorf("the mirror sent nothing for %v", c.Silence)) })
	defer silence.Stop()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, address, http.NoBody)
	if err != nil {
		return reply{}, unavailable(address, err)
	}
	maps.Copy(request.Header, conditions)
	client := http.Client{Transport: c.Transport, CheckRedirect: checkRedirect}
	response, err := client.Do(request)
	if err == nil {
		defer func() { _ = response.Body.Close() }() // only read from
		err = receive(response, limit, to, func() { silence.Reset(c.Silence) })
	}
	if err != nil {
		if cause := context.Cause(ctx); cause != nil {
			err = cause
		}
		return reply{}, unavailable(address, err)
	}
	return reply{code: response.StatusCode, header: response.Header}, nil
}

// checkRedirect refuses what apt refuses: many redirects, and one from HTTPS to HTTP.
func checkRedirect(request *http.Request, via []*http.Request) error {
	last := via[len(via)-1].URL
	switch {
	case len(via) > maxRedirects:
		return fmt.Errorf("the mirror redirects more than %d times", maxRedirects)
	case last.Scheme == "https" && request.URL.Scheme != "https":
		return fmt.Errorf("the mirror redirects from HTTPS to %s", request.URL.Redacted())
	case isPrivate(request.Context(), request.URL.Hostname()) && !isPrivate(request.Context(), via[0].URL.Hostname()):
		return fmt.Errorf("the mirror redirects to the private address of %s", request.URL.Hostname())
	}
	return nil
}

// isPrivate reports whether a host has an address that only machines of its own network reach, so that a mirror elsewhere must not send others there. The
// addresses of a host that only a proxy knows are not looked at.
func isPrivate(ctx context.Context, host string) bool {
	found, err := net.DefaultResolver.LookupNetIP(ctx, "ip", host)
	return err == nil && slices.ContainsFunc(found, func(address netip.Addr) bool {
		return slices.ContainsFunc(addresses.Reached(address), addresses.IsPrivate)
	})
}

func receive(response *http.Response, limit int64, to io.Writer, received func()) error {
	switch {
	case response.StatusCode == http.StatusNotModified:
		return nil
	case response.StatusCode == http.StatusNotFound:
		return errNotFound
	case response.StatusCode != http.StatusOK:
		return errors.New(response.Status)
	case response.ContentLength > limit:
		return fmt.Errorf("the mirror sends %d bytes, more than %d", response.ContentLength, limit)
	}
	length, err := io.Copy(to, io.LimitReader(&activity{response.Body, received}, limit+1))
	if err == nil && length > limit {
		err = fmt.Errorf("the mirror sends more than %d bytes", limit)
	}
	return err
}

// activity tells when bytes come.
type activity struct {
	io.Reader
	received func()
}

func (a *activity) Read(buffer []byte) (int, error) {
	n, err := a.Reader.Read(buffer)
	if n > 0 {
		a.received()
	}
	return n, err
}

// text returns a small file.
func (c *Client) text(ctx context.Context, address string, conditions http.Header, limit int64) ([]byte, reply, error) {
	var text bytes.Buffer
	reply, err := c.get(ctx, address, conditions, limit, &text)
	return text.Bytes(), reply, err
}

// file returns the file at the first of some addresses that exists, after it is verified. The file has no name: it is deleted when it is closed.
func (c *Client) file(ctx context.Context, want checksum, addresses ...string) (*os.File, error) {
	file, err := os.CreateTemp(c.Work, "archive-")
	if err != nil {
		return nil, fmt.Errorf("make a file for an archive: %w", err)
	}
	err = os.Remove(file.Name())
	if err == nil {
		err = c.fill(ctx, file, want, addresses)
	}
	if err != nil {
		return nil, errors.Join(err, file.Close())
	}
	return file, nil
}

func (c *Client) fill(ctx context.Context, file *os.File, want checksum, addresses []string) error {
	for i, address := range addresses {
		sum := sha256.New()
		switch _, err := c.get(ctx, address, nil, want.size, io.MultiWriter(file, sum)); {
		case errors.Is(err, errNotFound) && i < len(addresses)-1:
			continue
		case err != nil:
			return err
		}
		if digest := digestOf(sum); digest != want.sha256 {
			return refuse(Unavailable, "%s has the SHA-256 %s, not %s as the signed release file tells: perhaps the mirror is being updated", address, digest, want.sha256)
		}
		break
	}
	_, err := file.Seek(0, io.SeekStart)
	return err
}

func digestOf(sum hash.Hash) string { return hex.EncodeToString(sum.Sum(nil)) }
