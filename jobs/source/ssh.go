// SPDX-License-Identifier: Apache-2.0

package source

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"strings"
	"sync"

	"github.com/go-git/go-git/v5/plumbing/format/pktline"
	"github.com/go-git/go-git/v5/plumbing/protocol/packp"
	"github.com/go-git/go-git/v5/plumbing/transport"
	"golang.org/x/crypto/ssh"

	"goldsmith.dev/goldsmith/jobs/source/reference"
)

// secureShell is a session over SSH. Neither an agent nor a file of the user is read. go-git's own transport reads ssh_config of the user and of the
// machine, dials without a check of the address, and waits for the end of a handshake without a limit; all of these are variables of its
// package, or cannot be changed.
type secureShell struct {
	remote *reference.Remote
	signer ssh.Signer
	keys   *hostKeys

	client  *ssh.Client
	session *ssh.Session
	input   io.WriteCloser
	output  io.ReadCloser
	stderr  tail
	ended   func() bool // stops the watch of the context
}

// openSSH connects, and starts the service.
func (c *connection) openSSH(ctx context.Context, remote *reference.Remote, o Options) error {
	signer, err := identity(o.Secret)
	if err != nil {
		return err
	}
	address := net.JoinHostPort(remote.Host, remote.Port)
	if len(bytes.TrimSpace(o.Secret["known_hosts"])) == 0 {
		return failure(HostKey, "the Secret has no known_hosts, without which nobody knows whether %s is the right server; add the output of: %s", address, scan(remote))
	}
	keys, err := parseHostKeys(o.Secret["known_hosts"], remote)
	if err != nil {
		return err
	}
	s := &secureShell{remote: remote, signer: signer, keys: keys}
	conn, err := network{o.Allowed}.dial(ctx, "tcp", address)
	if err != nil {
		if own, ok := errors.AsType[*Error](err); ok {
			return own
		}
		return failure(Unavailable, "%s cannot be reached: %v", address, err)
	}
	s.ended = context.AfterFunc(ctx, func() { _ = conn.Close() }) // it is broken on purpose
	if err := s.start(conn, address); err != nil {
		_ = conn.Close() // it is not used
		s.ended()
		return err
	}
	s.output = meteredBody{s.output, c.meter}
	c.session, c.complaint = s, s.complaint
	return nil
}

// identity returns the private key of the Secret.
func identity(secret map[string][]byte) (ssh.Signer, error) {
	const encrypted, plain = "identity", "ssh-privatekey"
	for _, key := range []string{encrypted, plain} {
		if len(secret[key]) == 0 {
			continue
		}
		signer, err := ssh.ParsePrivateKey(secret[key])
		if _, missing := errors.AsType[*ssh.PassphraseMissingError](err); missing {
			password := value(secret, "password")
			if password == "" {
				return nil, failure(Denied, "%s of the Secret is encrypted; add the key password", key)
			}
			signer, err = ssh.ParsePrivateKeyWithPassphrase(secret[key], []byte(password))
		}
		if err != nil { // without its text, which could quote the key
			return nil, failure(Denied, "%s of the Secret is no private key of SSH, or its password is wrong", key)
		}
		return signer, nil
	}
	return nil, failure(Denied, "a source over SSH needs a Secret with the keys %s or %s, and known_hosts", encrypted, plain)
}

func (s *secureShell) start(conn net.Conn, address string) error {
	connected, channels, requests, err := ssh.NewClientConn(conn, address, &ssh.ClientConfig{
		User:              s.remote.User,
		Auth:              []ssh.AuthMethod{ssh.PublicKeys(s.signer)},
		HostKeyCallback:   s.keys.check,
		HostKeyAlgorithms: s.keys.algorithms(),
		ClientVersion:     "SSH-2.0-goldsmith",
	})
	if err != nil {
		return s.handshakeError(address, err)
	}
	s.client = ssh.NewClient(connected, channels, requests)
	if s.session, err = s.client.NewSession(); err != nil {
		return failure(Unavailable, "%s: %v", address, err)
	}
	s.session.Stderr = &s.stderr
	if s.input, err = s.session.StdinPipe(); err != nil {
		return err
	}
	output, err := s.session.StdoutPipe()
	if err != nil {
		return err
	}
	s.output = io.NopCloser(bufio.NewReaderSize(output, 64<<10))
	if err := s.session.Start("git-upload-pack '" + strings.NewReplacer("'", `'\''`, "!", `'\!'`).Replace(s.remote.Path) + "'"); err != nil {
		return failure(Denied, "%s does not let %s read with Git: %v", address, s.remote.User, err)
	}
	return nil
}

func (s *secureShell) handshakeError(address string, err error) error {
	if own, ok := errors.AsType[*Error](err); ok {
		return own
	}
	if negotiation, ok := errors.AsType[*ssh.AlgorithmNegotiationError](err); ok && strings.Contains(negotiation.What, "host key") {
		return failure(HostKey, "%s has host keys of other types (%s) than known_hosts (%s); compare the output of: %s, and add it to known_hosts",
			address, strings.Join(negotiation.RequestedAlgorithms, ", "), strings.Join(negotiation.SupportedAlgorithms, ", "), scan(s.remote))
	}
	if strings.Contains(err.Error(), "unable to authenticate") {
		return failure(Denied, "%s refuses the key %s of the user %s; add its public key to the server", address, ssh.FingerprintSHA256(s.signer.PublicKey()), s.remote.User)
	}
	return failure(Unavailable, "%s: %v", address, err)
}

// AdvertisedReferencesContext reads the refs, which the server sends first.
func (s *secureShell) AdvertisedReferencesContext(context.Context) (*packp.AdvRefs, error) {
	refs := packp.NewAdvRefs()
	if err := refs.Decode(s.output); err != nil && !errors.Is(err, packp.ErrEmptyAdvRefs) {
		return nil, err
	}
	if refs.IsEmpty() {
		return nil, transport.ErrEmptyRemoteRepository
	}
	transport.FilterUnsupportedCapabilities(refs.Capabilities)
	return refs, nil
}

// UploadPack asks for a pack.
func (s *secureShell) UploadPack(_ context.Context, req *packp.UploadPackRequest) (*packp.UploadPackResponse, error) {
	if err := req.Validate(); err != nil {
		return nil, err
	}
	if err := req.UploadRequest.Encode(s.input); err != nil {
		return nil, err
	}
	if err := pktline.NewEncoder(s.input).EncodeString("done\n"); err != nil {
		return nil, err
	}
	resp := packp.NewUploadPackResponse(req)
	return resp, resp.Decode(s.output)
}

// Close ends the session and the connection.
func (s *secureShell) Close() error {
	s.ended()
	return s.client.Close()
}

// complaint returns what the server wrote besides the protocol. It waits for the end of the session.
func (s *secureShell) complaint() string {
	_ = s.client.Close()
	_ = s.session.Wait() // stderr is complete then
	return s.stderr.text()
}

// tail keeps the beginning of a text.
type tail struct {
	mu   sync.Mutex
	kept []byte
}

func (t *tail) Write(b []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.kept = append(t.kept, b[:min(len(b), 2048-len(t.kept))]...)
	return len(b), nil
}

func (t *tail) text() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return string(t.kept)
}
