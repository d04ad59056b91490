// SPDX-License-Identifier: Apache-2.0

package kept

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"os"
	"strconv"
	"strings"
)

// EnvSocket is the variable with the path of the socket of a Server. Without a Server it is empty.
const EnvSocket = "DEBIAN_BUILDER_CACHE"

// ErrNothing reports that nothing is kept under a key.
var ErrNothing = errors.New("nothing is kept")

// Client is the only client of a Server.
type Client struct {
	socket    string
	transport *http.Transport
}

// NewClient returns a client that connects to a socket when it is first used. The caller closes it before anybody else can connect.
func NewClient(socket string) *Client {
	var dialer net.Dialer
	return &Client{socket, &http.Transport{
		MaxConnsPerHost: 1,
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return dialer.DialContext(ctx, "unix", socket)
		},
	}}
}

// Close closes the connection, and removes the socket. So nobody else can connect, even if there was no connection.
func (c *Client) Close() error {
	c.transport.CloseIdleConnections()
	if err := os.Remove(c.socket); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// Get writes what is kept under a key, which is a SHA-256 in hexadecimal digits, to a new file. It returns the digest of the kept file.
// After an error, such as ErrNothing, there is no file.
func (c *Client) Get(ctx context.Context, key, path string) (digest string, err error) {
	answer, err := c.do(ctx, http.MethodGet, key, nil)
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, answer.Body.Close()) }()
	file, err := os.Create(path)
	if err != nil {
		return "", err
	}
	_, err = io.Copy(file, answer.Body)
	if err = errors.Join(err, file.Close()); err != nil {
		return "", errors.Join(err, os.Remove(path))
	}
	return answer.Header.Get(headerDigest), nil
}

// Put keeps the content of a file under the key of Get. It returns the digest and the size of what is kept.
func (c *Client) Put(ctx context.Context, key, path string) (digest string, size int64, err error) {
	file, err := os.Open(path)
	if err != nil {
		return "", 0, err
	}
	defer func() { _ = file.Close() }() // only read from
	answer, err := c.do(ctx, http.MethodPut, key, file)
	if err != nil {
		return "", 0, err
	}
	size, err = strconv.ParseInt(answer.Header.Get(headerSize), 10, 64)
	return answer.Header.Get(headerDigest), size, errors.Join(err, answer.Body.Close())
}

func (c *Client) do(ctx context.Context, method, key string, body io.Reader) (*http.Response, error) {
	request, err := http.NewRequestWithContext(ctx, method, "http://kept/"+key, body)
	if err != nil {
		return nil, err
	}
	answer, err := c.transport.RoundTrip(request)
	if err != nil {
		return nil, err
	}
	if answer.StatusCode == http.StatusOK {
		return answer, nil
	}
	const maxText = 1000
	text, err := io.ReadAll(io.LimitReader(answer.Body, maxText))
	if err = errors.Join(err, answer.Body.Close()); err != nil {
		return nil, err
	}
	if answer.StatusCode == http.StatusNotFound {
		return nil, ErrNothing
	}
	return nil, fmt.Errorf("%s", strings.TrimSpace(string(text)))
}
