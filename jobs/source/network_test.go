// SPDX-License-Identifier: Apache-2.0

package source_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/knownhosts"

	"goldsmith.dev/goldsmith/e2e/require"
	"goldsmith.dev/goldsmith/jobs/source"
)

// withPassword adds credentials to the options.
func withPassword(o source.Options) source.Options {
	o.Secret = map[string][]byte{"ca.crt": o.Secret["ca.crt"], "username": []byte("user"), "password": []byte("the password\n")}
	return o
}

func TestAnswersThatAreNoRepository(t *testing.T) {
	text := func(status int, body string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) { http.Error(w, body, status) }
	}
	advertise := func(lines ...string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/x-git-upload-pack-advertisement")
			for _, line := range lines {
				_, _ = fmt.Fprintf(w, "%04x%s", len(line)+4, line)
			}
		}
	}
	redirect := func(to string) http.HandlerFunc {
		return func(w http.ResponseWriter, req *http.Request) { http.Redirect(w, req, to, http.StatusFound) }
	}
	for _, test := range []struct {
		name   string
		serve  http.HandlerFunc
		reason string
		text   string
	}{
		{"not found", text(404, "no such repository"), source.NotFound, "HTTP 404 (no such repository)"},
		{"denied", text(401, ""), source.Denied, "HTTP 401"},
		{"forbidden, with the credentials repeated", text(403, "the password of user"), source.Denied, "HTTP 403 ([hidden] of user)"},
		{"too many requests", text(429, ""), source.Unavailable, "HTTP 429"},
		{"a failing server", text(502, ""), source.Unavailable, "HTTP 502"},
		{"a bad request", text(400, "Clients must support multi-ack."), source.Unsupported, "multi-ack"},
		{"a page", func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "<html>") }, source.NotFound, "no Git repository at this URL"},
		{"nothing", advertise(), source.Unavailable, "connection broke"},
		{"a line that is none of Git", advertise("<html>"), source.Unsupported, "does not speak Git's protocol"},
		{"a long packet", advertise(strings.Repeat("a", 65517)), source.Unsupported, "does not speak Git's protocol"},
		{"an end in the middle", advertise(strings.Repeat("1", 40) + " HEAD\x00shallow"), source.Unsupported, "does not speak Git's protocol"},
		{"version 2 of the protocol alone", advertise("version 2\n"), source.Unsupported, "does not speak Git's protocol"},
		{"SHA-256", advertise(strings.Repeat("1", 64) + " HEAD\x00shallow object-format=sha256\n"), source.Unsupported, "repositories of SHA-256 are not supported"},
		{"an error", advertise("ERR access denied to user\n"), source.Denied, "access denied to user"},
		{"an error with the credentials repeated", advertise("ERR the password\r\n"), source.Unavailable, "answers: [hidden]"},
		{"an old server", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/x-git-upload-pack-advertisement")
			_, _ = io.WriteString(w, "003c"+strings.Repeat("1", 40)+" HEAD\x00ofs-delta\n0000")
		}, source.Unsupported, "cannot give a commit without its history"},
		{"a redirect without TLS", redirect("http://git.example.com/info/refs"), source.Refused, `changes scheme from "https" to "http": http://git.example.com`},
		{"a redirect to a file", redirect("file:///etc/passwd"), source.Refused, `unsupported scheme "file"`},
		{"a redirect to itself", redirect("/team/images.git/info/refs"), source.Refused, "more than 5 redirects"},
		{"a redirect to a login page", func(w http.ResponseWriter, req *http.Request) {
			if req.URL.Path != "/login" {
				http.Redirect(w, req, "/login", http.StatusFound)
			}
		}, source.NotFound, "no Git repository"},
		{"a redirect to metadata", redirect("https://169.254.169.254/info/refs"), source.Refused, "169.254.169.254"},
	} {
		t.Run(test.name, func(t *testing.T) {
			url, o := serveTLS(t, test.serve)
			_, err := source.Resolve(t.Context(), gitSource(url, "", ""), withPassword(o))
			wantError(t, err, test.reason, test.text)
			if strings.Contains(err.Error(), "the password") {
				t.Errorf("the error has the password: %v", err)
			}
		})
	}
}

func TestAddressesAreRefusedWhateverNamesThem(t *testing.T) {
	r := newRepository(t, "sha1")
	r.commit("refs/heads/main", "m", item{name: "a"})
	inner := httptest.NewServer(r.handler())
	t.Cleanup(inner.Close)
	_, port, _ := strings.Cut(inner.Listener.Addr().String(), ":")
	server := serveSSH(r)
	for _, url := range []string{
		inner.URL + "/team/images.git", "http://localhost:" + port + "/team/images.git", "http://[::ffff:127.0.0.1]:" + port + "/team/images.git",
		"http://[64:ff9b::7f00:1]:" + port + "/a", "http://[64:ff9b:1::a9fe:a9fe]/a", "http://[2002:7f00:1::1]:" + port + "/a",
		"http://[2001:0:7f00:1::]/a", "http://[::7f00:1]:" + port + "/a", "http://[2002:6464:64c8::]/a", "http://0.1.2.3/a", "http://[fec0::2]/a",
		"http://0.0.0.0:" + port + "/a", "http://[fe80::1]:1/a", "http://169.254.169.254/a", "http://[fd00:ec2::254]/a", "http://[::ffff:100.100.100.200]/a", "http://224.0.0.1/a",
	} {
		_, err := source.Resolve(t.Context(), gitSource(url, "", ""), source.Options{})
		wantError(t, err, source.Refused, "is refused")
	}
	o := server.options()
	o.Allowed = nil
	_, err := source.Resolve(t.Context(), gitSource(server.url(), "", ""), o)
	wantError(t, err, source.Refused, "is refused")

	// An address that is allowed redirects to one that is not.
	outer := httptest.NewServer(http.RedirectHandler(inner.URL+"/team/images.git/info/refs?service=git-upload-pack", http.StatusMovedPermanently))
	t.Cleanup(outer.Close)
	host := require.Value(url.Parse(outer.URL))(t)
	o = source.Options{Allowed: []netip.Prefix{netip.MustParsePrefix("::1/128")}}
	forward := &http.Server{Handler: outer.Config.Handler, ReadHeaderTimeout: time.Minute}
	listener := require.Value(listen(t, "[::1]:0"))(t)
	go func() { _ = forward.Serve(listener) }()
	t.Cleanup(func() { _ = forward.Close() })
	_, err = source.Resolve(t.Context(), gitSource("http://"+listener.Addr().String()+"/team/images.git", "", ""), o)
	wantError(t, err, source.Refused, host.Hostname()+" is refused")

	o.Allowed = loopback // then the redirect is followed, also by the requests after it
	revision := require.Value(source.Resolve(t.Context(), gitSource("http://"+listener.Addr().String()+"/team/images.git", "", ""), o))(t)
	require.Value(source.Fetch(t.Context(), gitSource("http://"+listener.Addr().String()+"/team/images.git", "", ""), revision.ID, t.TempDir(), o))(t)
}

func TestCredentialsAreSentToTheRepositoryOnly(t *testing.T) {
	r := newRepository(t, "sha1")
	r.commit("refs/heads/main", "m", item{name: "a"})
	git := r.handler()
	var mu sync.Mutex
	var sent []string
	seen := func(name string, next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
			mu.Lock()
			defer mu.Unlock()
			sent = append(sent, name+" "+req.Header.Get("Authorization"))
			next.ServeHTTP(w, req)
		})
	}
	moved, _ := serveTLS(t, seen("moved", git))
	first, o := serveTLS(t, seen("first", http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		http.Redirect(w, req, strings.TrimSuffix(moved, "/team/images.git")+req.URL.String(), http.StatusFound)
	})))
	require.Value(source.Resolve(t.Context(), gitSource(first, "", ""), withPassword(o)))(t)
	if want := []string{"first Basic dXNlcjp0aGUgcGFzc3dvcmQ=", "moved ", "moved "}; fmt.Sprint(sent) != fmt.Sprint(want) {
		t.Errorf("got %q", sent)
	}
	o.Secret = map[string][]byte{"ca.crt": o.Secret["ca.crt"], "bearerToken": []byte("token")}
	sent = nil
	require.Value(source.Resolve(t.Context(), gitSource(moved, "", ""), o))(t)
	if sent[0] != "moved Bearer token" {
		t.Errorf("got %q", sent)
	}
}

func TestSecretsThatCannotBeUsed(t *testing.T) {
	key, signer := newKey(t)
	private := pem.EncodeToMemory(require.Value(ssh.MarshalPrivateKey(key, ""))(t))
	encrypted := pem.EncodeToMemory(require.Value(ssh.MarshalPrivateKeyWithPassphrase(key, "", []byte("password")))(t))
	known := fmt.Sprintf("git.example.com %s", ssh.MarshalAuthorizedKey(signer.PublicKey()))
	const https, secure = "https://git.example.com/a", "git@git.example.com:a"
	for _, test := range []struct {
		name, url string
		secret    map[string]string
		reason    string
		text      string
	}{
		{"none of https", https, map[string]string{"identity": "x"}, source.Denied, "none of the keys username and password"},
		{"no password", https, map[string]string{"username": "user"}, source.Denied, "add the key password"},
		{"two kinds", https, map[string]string{"password": "x", "bearerToken": "y"}, source.Denied, "both password and bearerToken"},
		{"no certificate", https, map[string]string{"ca.crt": "x"}, source.Denied, "ca.crt"},
		{"without TLS", "http://git.example.com/a", map[string]string{"password": "x"}, source.Unsupported, "must be https"},
		{"none of ssh", secure, map[string]string{"password": "x"}, source.Denied, "identity or ssh-privatekey"},
		{"no Secret", secure, nil, source.Denied, "identity or ssh-privatekey"},
		{"no key", secure, map[string]string{"identity": "x"}, source.Denied, "identity of the Secret is no private key"},
		{"no passphrase", secure, map[string]string{"ssh-privatekey": string(encrypted)}, source.Denied, "is encrypted; add the key password"},
		{"a wrong passphrase", secure, map[string]string{"identity": string(encrypted), "password": "x"}, source.Denied, "its password is wrong"},
		{"no known hosts", secure, map[string]string{"identity": string(private)}, source.HostKey, "ssh-keyscan git.example.com"},
		{"a known host that is none", secure, map[string]string{"identity": string(private), "known_hosts": known + "git.example.com ssh-ed25519 AAAA\n"}, source.HostKey, "line 2 of known_hosts of the Secret is about git.example.com and cannot be read"},
	} {
		secret := map[string][]byte{}
		for key, text := range test.secret {
			secret[key] = []byte(text)
		}
		_, err := source.Resolve(t.Context(), gitSource(test.url, "", ""), source.Options{Secret: secret})
		t.Run(test.name, func(t *testing.T) { wantError(t, err, test.reason, test.text) })
	}
}

func TestTheKeyOfTheHostIsKnown(t *testing.T) {
	r := newRepository(t, "sha1")
	r.commit("refs/heads/main", "m", item{name: "a"})
	server := serveSSH(r)
	hostKey := server.hostKey.PublicKey()
	_, other := newKey(t)
	rsaKey := require.Value(ssh.NewPublicKey(&require.Value(rsa.GenerateKey(rand.Reader, 2048))(t).PublicKey))(t)
	address := server.listener.Addr().String()
	line := func(host string, key ssh.PublicKey) string { return host + " " + string(ssh.MarshalAuthorizedKey(key)) }
	name := knownhosts.Normalize(address)
	for _, test := range []struct {
		name, known string
		texts       []string // empty if the host is known
	}{
		{"known", line(name, hostKey), nil},
		{"hashed", line(knownhosts.HashHostname(name), hostKey), nil},
		{"a pattern", line("[127.0.0.?]:*", hostKey), nil},
		{"one of two", line(name, other.PublicKey()) + line(name, hostKey), nil},
		{"other hosts, with other types of keys", "# comment\n" + line("git.example.com", rsaKey) + line(name, hostKey), nil},
		{"lines about other hosts that cannot be read", "git.example.com ssh-ed25519 AAAA\n@revoked other.example.com ssh-new AAAA\n|1|AAAA|AAAA ssh-rsa\nnonsense\r\n\n" + line(name, hostKey), nil},
		{"a line about this host that cannot be read", line(name, hostKey) + "git.example.com," + name + " ssh-ed25519 AAAA\n", []string{"line 2 of known_hosts", "ssh-keyscan -p"}},
		{"a hashed one that cannot be read", line(name, hostKey) + "# comment\n" + knownhosts.HashHostname(name) + " ssh-ed25519 AAAA\n", []string{"line 3 of known_hosts"}},
		{"a revocation that cannot be read", "@revoked * ssh-new AAAA\n" + line(name, hostKey), []string{"line 1 of known_hosts"}},
		{"unknown", line("git.example.com", hostKey), []string{"has no key for this server", ssh.FingerprintSHA256(hostKey), "ssh-keyscan -p"}},
		{"another port", line("127.0.0.1", hostKey), []string{"has no key for this server"}},
		{"not this host", line("!"+name+",*", hostKey), []string{"has no key for this server"}},
		{"hashed for another host", line(knownhosts.HashHostname("git.example.com"), hostKey), []string{"has no key for this server"}},
		{"changed", line(name, other.PublicKey()), []string{"has changed", ssh.FingerprintSHA256(hostKey), ssh.FingerprintSHA256(other.PublicKey())}},
		{"another type", line(name, rsaKey), []string{"host keys of other types (ssh-ed25519)", "ssh-keyscan"}},
		{"revoked", "@revoked " + line(name, hostKey) + line(name, hostKey), []string{"revokes"}},
		{"an authority", "@cert-authority " + line(name, hostKey), []string{"has no key for this server"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			o := server.options()
			o.Secret["known_hosts"] = []byte(test.known)
			_, err := source.Resolve(t.Context(), gitSource(server.url(), "", ""), o)
			if test.texts == nil {
				require.NoError(t, err)
				return
			}
			wantError(t, err, source.HostKey, test.texts...)
		})
	}

	o := server.options()
	key, _ := newKey(t) // the server knows another key
	o.Secret["identity"] = pem.EncodeToMemory(require.Value(ssh.MarshalPrivateKey(key, ""))(t))
	_, err := source.Resolve(t.Context(), gitSource(server.url(), "", ""), o)
	wantError(t, err, source.Denied, "refuses the key SHA256:")
	server = serveSSH(&repository{t, r.folder + "-missing"})
	_, err = source.Resolve(t.Context(), gitSource(server.url(), "", ""), server.options())
	wantError(t, err, source.NotFound, "does not appear to be a git repository")
}

func TestAKeyCanBeEncrypted(t *testing.T) {
	r := newRepository(t, "sha1")
	r.commit("refs/heads/main", "m", item{name: "a"})
	server := serveSSH(r)
	o := server.options()
	block := require.Value(ssh.MarshalPrivateKeyWithPassphrase(server.client, "", []byte("secret")))(t)
	o.Secret = map[string][]byte{
		"ssh-privatekey": bytes.TrimSpace(pem.EncodeToMemory(block)), // without a line break at its end
		"password":       []byte("secret\n"), "known_hosts": o.Secret["known_hosts"],
	}
	require.Value(source.Resolve(t.Context(), gitSource(server.url(), "", ""), o))(t)
}

func TestServersThatNeverEnd(t *testing.T) {
	r := newRepository(t, "sha1")
	commit := r.commit("refs/heads/main", "m", item{name: "a"})
	git := r.handler()
	hang := func(http.ResponseWriter, *http.Request) {}
	packet := func(w io.Writer, data string) { _, _ = fmt.Fprintf(w, "%04x%s", len(data)+4, data) }
	file := "\xbf\xff\x0f\x78\x01\x01\xff\x7f\x00\x80" + strings.Repeat("\x00", 0x7fff) + "\x7f\xff\x00\x01" // of 32 KiB, which zlib only stores
	endless := func(header, object string) http.HandlerFunc {
		return func(w http.ResponseWriter, req *http.Request) {
			_, _ = io.WriteString(w, "00000008NAK\n")
			packet(w, "\x01PACK\x00\x00\x00\x02\x00\x02\x00\x00"+header)
			for req.Context().Err() == nil {
				packet(w, "\x01"+object)
			}
		}
	}
	shallow := func(w http.ResponseWriter, req *http.Request) {
		for req.Context().Err() == nil {
			packet(w, "shallow "+commit)
		}
	}
	refs := func(w http.ResponseWriter, req *http.Request) {
		w.Header().Set("Content-Type", "application/x-git-upload-pack-advertisement")
		packet(w, commit+" HEAD\x00shallow side-band-64k")
		line := fmt.Sprintf("003e%s refs/heads/abcdef", commit)
		for req.Context().Err() == nil {
			_, _ = io.WriteString(w, strings.Repeat(line, 1000))
		}
	}
	for _, test := range []struct {
		name   string
		method string
		answer http.HandlerFunc
		limits source.Limits
		reason string
		text   string
	}{
		{"a server that hangs", "POST", hang, source.Limits{Time: 200 * time.Millisecond}, source.Unavailable, "it took longer than 200ms"},
		{"a repository of 5 GB", "POST", endless("", file), source.Limits{Download: 50 << 20}, source.TooLarge, "sends more than 50 MiB"},
		{"files of 5 GB", "POST", endless("", file), source.Limits{Written: 1 << 20}, source.TooLarge, "files of more than 4 MiB"},
		{"a file of 5 GB", "POST", endless("\xb0\x80\x80\x80\xa0\x01", file), source.Limits{}, source.TooLarge, "a file of 5120 MiB"},
		{"many places where the history is cut", "POST", shallow, source.Limits{}, source.TooLarge, "too many lines before its pack"},
		{"many refs", "GET", refs, source.Limits{}, source.TooLarge, "too many refs"},
	} {
		t.Run(test.name, func(t *testing.T) {
			ended := make(chan struct{})
			url, o := serveTLS(t, http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
				if req.Method != test.method {
					git.ServeHTTP(w, req)
					return
				}
				_, _ = io.Copy(io.Discard, req.Body) // so that the end of the connection is seen
				test.answer(w, req)
				select {
				case <-req.Context().Done():
				case <-ended:
				}
			}))
			defer close(ended)
			o.Limits = test.limits
			_, err := source.Fetch(t.Context(), gitSource(url, "", ""), "sha1:"+commit, t.TempDir(), o)
			wantError(t, err, test.reason, test.text)
		})
	}
}

// Azure DevOps refuses clients that do not ask for multi_ack.
func TestServersThatNeedMultiACK(t *testing.T) {
	r := newRepository(t, "sha1")
	commit := r.commit("refs/heads/main", "m", item{name: "a"})
	git := r.handler()
	url, o := serveTLS(t, http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		body := require.Value(io.ReadAll(req.Body))(t)
		if req.Method == http.MethodPost && !bytes.Contains(body, []byte(" multi_ack ")) {
			http.Error(w, "Clients must support multi-ack.", http.StatusBadRequest)
			return
		}
		req.Body = io.NopCloser(bytes.NewReader(body))
		git.ServeHTTP(w, req)
	}))
	require.Value(source.Resolve(t.Context(), gitSource(url, "main", ""), o))(t)
	require.Value(source.Fetch(t.Context(), gitSource(url, "main", ""), "sha1:"+commit, t.TempDir(), o))(t)
}

func TestAMessageIsNotAwaited(t *testing.T) {
	r := newRepository(t, "sha1")
	commit := r.commit("refs/heads/main", "m", item{name: "a"})
	git := r.handler()
	url, o := serveTLS(t, http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		body, _ := io.ReadAll(req.Body)
		req.Body = io.NopCloser(bytes.NewReader(body))
		if req.Method == http.MethodPost {
			<-req.Context().Done()
			return
		}
		git.ServeHTTP(w, req)
	}))
	o.Limits = source.Limits{Message: 100 * time.Millisecond, Time: 10 * time.Second}
	revision := require.Value(source.Resolve(t.Context(), gitSource(url, "main", ""), o))(t)
	if *revision != (source.Revision{ID: "sha1:" + commit, Ref: "refs/heads/main"}) {
		t.Errorf("got %+v", revision)
	}
}

func TestCertificatesThatAreRefused(t *testing.T) {
	url, o := serveTLS(t, http.NotFoundHandler())
	_, err := source.Resolve(t.Context(), gitSource(url, "", ""), source.Options{Allowed: loopback})
	wantError(t, err, source.Denied, "of an unknown authority; add the authority to the Secret as ca.crt")
	_, err = source.Resolve(t.Context(), gitSource(strings.Replace(url, "127.0.0.1", "localhost", 1), "", ""), o) // which the certificate has not
	wantError(t, err, source.Denied, "is not valid")
	key := require.Value(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))(t)
	expired := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Unix(1_700_000_000, 0), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}}
	der := require.Value(x509.CreateCertificate(rand.Reader, expired, expired, key.Public(), key))(t)
	server := httptest.NewUnstartedServer(http.NotFoundHandler())
	server.Config.ErrorLog = log.New(io.Discard, "", 0) // the server would log clients that do not trust it
	server.TLS = &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}, MinVersion: tls.VersionTLS12}
	server.StartTLS()
	t.Cleanup(server.Close)
	o.Secret = map[string][]byte{"ca.crt": pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})}
	_, err = source.Resolve(t.Context(), gitSource(server.URL+"/x.git", "", ""), o)
	wantError(t, err, source.Denied, "has expired at 2023-11-14T22:13:20Z; renew it on the server, or correct the clock of this machine")
}

// go-git takes an answer that is cut for one with a wrong length. Another attempt can succeed.
func TestAnAnswerThatIsCut(t *testing.T) {
	url, o := serveTLS(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/x-git-upload-pack-advertisement")
		w.Header().Set("Content-Length", "1000")
		_, _ = io.WriteString(w, "001e# service=git-upload-pack\n00")
	}))
	_, err := source.Resolve(t.Context(), gitSource(url, "", ""), o)
	wantError(t, err, source.Unavailable, "the connection broke")
}
