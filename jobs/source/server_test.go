// SPDX-License-Identifier: Apache-2.0

package source_test

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/binary"
	"encoding/hex"
	"encoding/pem"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/cgi"
	"net/http/httptest"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"golang.org/x/crypto/ssh"

	"goldsmith.dev/goldsmith/e2e/require"
	"goldsmith.dev/goldsmith/jobs/source"
)

// repository is a bare repository, served from its folder.
type repository struct {
	t      testing.TB
	folder string
}

func newRepository(t testing.TB, format string) *repository {
	t.Helper()
	r := &repository{t, filepath.Join(t.TempDir(), "team", "images.git")}
	require.NoError(t, os.MkdirAll(r.folder, 0o755))
	r.git(nil, "init", "--quiet", "--bare", "--initial-branch=main", "--object-format="+format)
	return r
}

// git runs Git with the repository, and returns what it prints.
func (r *repository) git(input []byte, arguments ...string) string {
	r.t.Helper()
	command := exec.CommandContext(r.t.Context(), "git", arguments...)
	command.Dir = r.folder
	command.Stdin = bytes.NewReader(input)
	command.Env = append(gitEnvironment(), "GIT_AUTHOR_NAME=A", "GIT_AUTHOR_EMAIL=a@example.com", "GIT_COMMITTER_NAME=A", "GIT_COMMITTER_EMAIL=a@example.com",
		"GIT_AUTHOR_DATE=@1700000000 +0100", "GIT_COMMITTER_DATE=@1700000000 +0100")
	var failed strings.Builder
	command.Stderr = &failed
	output, err := command.Output()
	if err != nil {
		r.t.Fatalf("git %v: %v: %s", arguments, err, failed.String())
	}
	return strings.TrimSpace(string(output))
}

func gitEnvironment() []string {
	return []string{"PATH=" + os.Getenv("PATH"), "HOME=/nonexistent", "GIT_CONFIG_NOSYSTEM=1"}
}

// item is an entry of a tree.
type item struct {
	name string
	mode string // 100644 if empty
	data string // content or target
	id   string // of an object that exists, instead of data
	tree []item
}

// tree stores a tree as it is: Git's own commands refuse some names.
func (r *repository) tree(items ...item) string {
	r.t.Helper()
	var encoded []byte
	for _, i := range items {
		mode, object := i.mode, i.id
		switch {
		case i.tree != nil:
			mode, object = "40000", r.tree(i.tree...)
		case object == "":
			object = r.git([]byte(i.data), "hash-object", "-w", "--stdin")
		}
		if mode == "" {
			mode = "100644"
		}
		encoded = append(encoded, mode+" "+i.name+"\x00"...)
		encoded = append(encoded, require.Value(hex.DecodeString(object))(r.t)...)
	}
	return r.git(encoded, "hash-object", "-w", "--stdin", "-t", "tree", "--literally")
}

// commit stores a commit on top of the one that a ref names, and lets the ref name it.
func (r *repository) commit(ref, message string, items ...item) string {
	r.t.Helper()
	arguments := []string{"commit-tree", "-m", message, r.tree(items...)}
	if parent := r.git(nil, "for-each-ref", "--format=%(objectname)", ref); parent != "" {
		arguments = append(arguments, "-p", parent)
	}
	object := r.git(nil, arguments...)
	r.git(nil, "update-ref", ref, object)
	return object
}

// handler serves the repository over HTTP.
func (r *repository) handler() http.Handler {
	path := require.Value(exec.Command("git", "--exec-path").Output())(r.t)
	backend := &cgi.Handler{
		Path:   filepath.Join(strings.TrimSpace(string(path)), "git-http-backend"),
		Env:    append(gitEnvironment(), "GIT_PROJECT_ROOT="+filepath.Dir(filepath.Dir(r.folder)), "GIT_HTTP_EXPORT_ALL=1"),
		Stderr: io.Discard, Logger: log.New(io.Discard, "", 0),
	}
	return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		if req.ContentLength < 0 { // CGI needs the length
			http.Error(w, "chunked", http.StatusLengthRequired)
			return
		}
		backend.ServeHTTP(w, req)
	})
}

var loopback = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("::1/128")}

// serveTLS serves over TLS, and returns the URL of the repository and options to reach it.
func serveTLS(t testing.TB, handler http.Handler) (url string, o source.Options) {
	t.Helper()
	server := httptest.NewUnstartedServer(handler)
	server.Config.ErrorLog = log.New(io.Discard, "", 0) // clients that refuse the certificate
	server.StartTLS()
	t.Cleanup(server.Close)
	ca := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})
	return server.URL + "/team/images.git", source.Options{Allowed: loopback, Secret: map[string][]byte{"ca.crt": ca}}
}

// sshServer serves a repository over SSH.
type sshServer struct {
	t        testing.TB
	folder   string
	listener net.Listener
	hostKey  ssh.Signer
	client   ed25519.PrivateKey
	running  sync.WaitGroup
}

func newKey(t testing.TB) (ed25519.PrivateKey, ssh.Signer) {
	t.Helper()
	_, key, err := ed25519.GenerateKey(rand.Reader)
	require.NoError(t, err)
	return key, require.Value(ssh.NewSignerFromKey(key))(t)
}

func serveSSH(r *repository) *sshServer {
	r.t.Helper()
	s := &sshServer{t: r.t, folder: r.folder}
	s.client, _ = newKey(r.t)
	_, s.hostKey = newKey(r.t)
	s.listener = require.Value((&net.ListenConfig{}).Listen(r.t.Context(), "tcp", "127.0.0.1:0"))(r.t)
	s.running.Go(func() {
		for {
			conn, err := s.listener.Accept()
			if err != nil {
				return
			}
			s.running.Go(func() { s.serve(conn) })
		}
	})
	r.t.Cleanup(func() {
		_ = s.listener.Close()
		s.running.Wait()
	})
	return s
}

func (s *sshServer) url() string {
	return "ssh://git@" + s.listener.Addr().String() + "/team/images.git"
}

// knownHosts returns a line of known_hosts for the server with a key.
func (s *sshServer) knownHosts(key ssh.PublicKey) []byte {
	host, port, err := net.SplitHostPort(s.listener.Addr().String())
	require.NoError(s.t, err)
	return fmt.Appendf(nil, "[%s]:%s %s", host, port, ssh.MarshalAuthorizedKey(key))
}

func (s *sshServer) options() source.Options {
	block := require.Value(ssh.MarshalPrivateKey(s.client, ""))(s.t)
	return source.Options{Allowed: loopback, Secret: map[string][]byte{"identity": pem.EncodeToMemory(block), "known_hosts": s.knownHosts(s.hostKey.PublicKey())}}
}

func (s *sshServer) serve(conn net.Conn) {
	defer func() { _ = conn.Close() }()
	public := require.Value(ssh.NewPublicKey(s.client.Public()))(s.t)
	config := &ssh.ServerConfig{PublicKeyCallback: func(_ ssh.ConnMetadata, key ssh.PublicKey) (*ssh.Permissions, error) {
		if !bytes.Equal(key.Marshal(), public.Marshal()) {
			return nil, fmt.Errorf("unknown key")
		}
		return nil, nil
	}}
	config.AddHostKey(s.hostKey)
	connected, channels, requests, err := ssh.NewServerConn(conn, config)
	if err != nil {
		return
	}
	defer func() { _ = connected.Close() }()
	go ssh.DiscardRequests(requests)
	for offered := range channels {
		channel, requests, err := offered.Accept()
		if err != nil {
			return
		}
		s.session(channel, requests)
	}
}

// session runs one command.
func (s *sshServer) session(channel ssh.Channel, requests <-chan *ssh.Request) {
	for req := range requests {
		_ = req.Reply(req.Type == "exec", nil)
		if req.Type == "exec" {
			break
		}
	}
	ctx, cancel := context.WithCancel(context.WithoutCancel(s.t.Context()))
	defer cancel()
	go func() {
		ssh.DiscardRequests(requests) // until the client closes the session
		cancel()
	}()
	command := exec.CommandContext(ctx, "git", "upload-pack", s.folder)
	command.Env, command.Stdout, command.Stderr = gitEnvironment(), channel, channel.Stderr()
	input := require.Value(command.StdinPipe())(s.t)
	require.NoError(s.t, command.Start())
	go func() {
		_, _ = io.Copy(input, channel)
		_ = input.Close()
	}()
	var status uint32
	if command.Wait() != nil {
		status = 128
	}
	_, _ = channel.SendRequest("exit-status", false, binary.BigEndian.AppendUint32(nil, status))
	_ = channel.Close()
}

func listen(t testing.TB, address string) (net.Listener, error) {
	t.Helper()
	return (&net.ListenConfig{}).Listen(t.Context(), "tcp", address)
}
