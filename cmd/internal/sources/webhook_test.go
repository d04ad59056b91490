// SPDX-License-Identifier: Apache-2.0

package sources

import (
	"bufio"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"goldsmith.dev/goldsmith/apis/generated/clientset/versioned/fake"
	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/controllers/sourcehook"
	"goldsmith.dev/goldsmith/e2e/require"
)

// These secrets are what openssl printed with the command of the docs.
const (
	secretOfWeb = "ac42f48e053f18138b842aefcb75dab20c624d2bb369c211491c32d78fbc8aa7"
	secretOfDB  = "2864a30110fa8f085e00a080191156991d0c2596197be8e8ed6d8a08e80f8f76"
	// newSecretOfWeb is that of newKey.
	newKey         = "another secret of webhooks"
	newSecretOfWeb = "7945c51cda967561415b242d3cbcbd2afdb2d2f26c176400a0656b399ee6b129"
)

// post sends a webhook as a server of Git does, and returns the status of the answer.
func post(t *testing.T, url string, headers map[string]string) int {
	t.Helper()
	const body = `{"ref":"refs/heads/main","after":"1481a2de7b2a7d02428ad93446ab166be7793fbb","repository":{"url":"https://other.example.com/x.git"}}`
	request := require.Value(http.NewRequestWithContext(t.Context(), http.MethodPost, url, strings.NewReader(body)))(t)
	request.Header.Set("Content-Type", "application/json")
	for name, value := range headers {
		if secret, sign := strings.CutPrefix(value, "signed by "); sign {
			of := hmac.New(sha256.New, []byte(secret))
			_, _ = of.Write([]byte(body))
			value = "sha256=" + hex.EncodeToString(of.Sum(nil))
		}
		request.Header.Set(name, value)
	}
	answer, err := http.DefaultClient.Do(request)
	require.NoError(t, err)
	require.NoError(t, answer.Body.Close())
	return answer.StatusCode
}

func github(secret string) map[string]string {
	return map[string]string{
		"User-Agent": "GitHub-Hookshot/044aadd", "X-GitHub-Event": "push", "X-GitHub-Hook-ID": "292430182",
		"X-Hub-Signature": "sha1=6dcb09b5b57875f334f61aebed695e2e4193db5e", "X-Hub-Signature-256": "signed by " + secret,
	}
}

func gitlab(secret string) map[string]string {
	return map[string]string{"User-Agent": "GitLab/18.5.0", "X-Gitlab-Event": "Push Hook", "X-Gitlab-Instance": "https://gitlab.example.com", "X-Gitlab-Token": secret}
}

func TestSignedWebhooksAreReceived(t *testing.T) {
	images := fake.NewSimpleClientset()
	for _, name := range []string{"web", "db", "cache"} {
		image := &v1alpha1.Image{ObjectMeta: metav1.ObjectMeta{Namespace: "team", Name: name}}
		image.Spec.Source = &v1alpha1.Source{Git: &v1alpha1.GitSource{URL: "https://git.example.com/a.git"}}
		image.Status.Source = &v1alpha1.ImageSource{Question: "sha256:0"}
		require.NoError(t, images.Tracker().Add(image))
	}
	file := keyFile(t, key+"\n")
	flags := require.Value(parse(t, "--source-webhook-address=127.0.0.1:0", "--source-webhook-secret-file="+file))(t)
	ctx, stop := context.WithCancel(t.Context())
	addresses, failures, ended := make(chan string, 1), make(chan error, 1), make(chan error, 1)
	go func() {
		ended <- flags.Serve(ctx, images.ImagesV1alpha1(), func(err error) { failures <- err }, func(address string) { addresses <- address })
	}()
	url := "http://" + <-addresses + "/hooks/source/team/"
	for name, test := range map[string]struct {
		image   string
		headers map[string]string
		code    int
	}{
		"GitHub":                       {"web", github(secretOfWeb), 202},
		"GitLab":                       {"db", gitlab(secretOfDB), 202},
		"GitHub, of another image":     {"cache", github(secretOfWeb), 401},
		"GitLab, of another image":     {"cache", gitlab(secretOfWeb), 401},
		"the server's secret":          {"cache", gitlab(key), 401},
		"an image that there is not":   {"none", gitlab(secretOfWeb), 401},
		"a signature that is only old": {"cache", map[string]string{"X-Hub-Signature": github("")["X-Hub-Signature"]}, 401},
	} {
		if code := post(t, url+test.image, test.headers); code != test.code {
			t.Errorf("%s: the answer is %d", name, code)
		}
	}
	for name, hinted := range map[string]bool{"web": true, "db": true, "cache": false} {
		image := require.Value(images.ImagesV1alpha1().Images("team").Get(t.Context(), name, metav1.GetOptions{}))(t)
		if stored := image.Status.Source.HintTime; (stored != nil) != hinted {
			t.Errorf("%s has the hint %v", name, stored)
		}
	}

	require.NoError(t, os.WriteFile(file, []byte(newKey), 0o600)) // a new secret needs no new process
	if old, now := post(t, url+"web", github(secretOfWeb)), post(t, url+"web", github(newSecretOfWeb)); old != 401 || now != 202 {
		t.Errorf("the old secret is answered with %d, and the new one with %d", old, now)
	}
	require.NoError(t, os.Remove(file))
	if code := post(t, url+"web", github(newSecretOfWeb)); code != 503 {
		t.Errorf("without a secret, the answer is %d", code)
	}
	if err := <-failures; !strings.Contains(err.Error(), "--source-webhook-secret-file "+file+": no such file") {
		t.Errorf("the operator is told: %v", err)
	}
	stop()
	require.NoError(t, <-ended)
	http.DefaultClient.CloseIdleConnections()
}

// TestTheDocsDeriveSecretsAsHere compares the docs with the command that printed the secrets of these tests.
func TestTheDocsDeriveSecretsAsHere(t *testing.T) {
	for _, page := range []string{"docs/sources.md", "kustomize/components/source-webhooks/kustomization.yaml"} {
		text := string(require.Value(os.ReadFile(filepath.Join("../../..", page)))(t))
		if !regexp.MustCompile(`printf [\w/]+ \| openssl dgst -sha256 -hmac "\$\(cat webhooks\.secret\)" -r \| cut -d' ' -f1\n`).MatchString(text) {
			t.Errorf("%s has another command", page)
		}
	}
}

func TestAnAddressInUseNamesItsFlag(t *testing.T) {
	listener := require.Value((&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0"))(t)
	defer listener.Close() //nolint:errcheck // nothing to lose
	flags := Flags{Webhook: listener.Addr().String(), WebhookSecret: keyFile(t, key)}
	if err := flags.Serve(t.Context(), nil, nil, nil); err == nil || !strings.HasPrefix(err.Error(), "--source-webhook-address: listen tcp ") {
		t.Errorf("the error is %v", err)
	}
}

// pipes are connections in memory, whose deadlines follow the clock of a bubble.
type pipes chan net.Conn

func (p pipes) Accept() (net.Conn, error) {
	if conn, open := <-p; open {
		return conn, nil
	}
	return nil, net.ErrClosed
}

func (p pipes) Close() error {
	close(p)
	return nil
}

func (pipes) Addr() net.Addr { return &net.TCPAddr{} }

// connect opens a connection. It waits while the server accepts none.
func (p pipes) connect() net.Conn {
	client, server := net.Pipe()
	p <- server
	return client
}

// receiving runs a test with the receiver, which knows no image.
func receiving(t *testing.T, test func(*testing.T, pipes)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		listener, ended := make(pipes), make(chan error, 1)
		ctx, stop := context.WithCancel(t.Context())
		handler := sourcehook.New(sourcehook.Options{Key: func() (sourcehook.Key, error) { return sourcehook.NewKey([]byte(key)) }})
		go func() { ended <- serve(ctx, listener, handler) }()
		test(t, listener)
		stop()
		require.NoError(t, <-ended)
	})
}

// trickle writes a byte each second of the bubble's clock until the connection ends.
func trickle(conn net.Conn) {
	second := time.NewTicker(time.Second)
	defer second.Stop()
	for range second.C {
		if _, err := conn.Write([]byte("x")); err != nil {
			return
		}
	}
}

func TestAConnectionEndsSoon(t *testing.T) {
	const headers = "POST /hooks/source/team/web HTTP/1.1\r\nHost: goldsmith\r\n"
	for name, test := range map[string]struct {
		// sent is what the sender sends at once. slow senders go on byte by byte, and others send nothing more.
		sent string
		slow bool
		// code is that of the answer, or 0 if there is none.
		code  int
		after time.Duration
	}{
		"nothing is sent":         {after: readLimit},
		"headers come slowly":     {sent: headers + "X-", slow: true, code: 400, after: readLimit},
		"the body comes slowly":   {sent: headers + "Content-Length: 26214400\r\n\r\n", slow: true, code: 408, after: readLimit},
		"no body comes":           {sent: headers + "Content-Length: 1\r\n\r\n", code: 408, after: readLimit},
		"no request follows":      {sent: headers + "Content-Length: 0\r\n\r\n", code: 401, after: idleLimit},
		"headers without any end": {sent: headers + "X: " + strings.Repeat("x", 2*maxHeader) + "\r\n\r\n", code: 431},
	} {
		t.Run(name, func(t *testing.T) {
			receiving(t, func(t *testing.T, listener pipes) {
				start, conn := time.Now(), listener.connect()
				var sender sync.WaitGroup
				sender.Go(func() {
					if _, err := io.WriteString(conn, test.sent); err == nil && test.slow {
						trickle(conn)
					}
				})
				reader, code := bufio.NewReader(conn), 0
				if answer, err := http.ReadResponse(reader, nil); err == nil {
					code = answer.StatusCode
					_, err := io.Copy(io.Discard, answer.Body)
					require.NoError(t, errors.Join(err, answer.Body.Close()))
				}
				if _, err := reader.ReadByte(); err == nil {
					t.Error("the answer goes on")
				}
				if took := time.Since(start); code != test.code || took.Truncate(time.Second) != test.after {
					t.Errorf("it ended with %d after %s, not with %d after %s", code, took, test.code, test.after)
				}
				require.NoError(t, conn.Close())
				sender.Wait()
			})
		})
	}
}

func TestConnectionsAreFew(t *testing.T) {
	receiving(t, func(t *testing.T, listener pipes) {
		accepted := atomic.Int32{}
		for range maxConnections + 1 {
			go func() {
				conn := listener.connect()
				accepted.Add(1)
				_, _ = conn.Read(make([]byte, 1)) // until it ends
				_ = conn.Close()
			}()
		}
		synctest.Wait()
		if open := accepted.Load(); open != maxConnections {
			t.Errorf("%d connections are open", open)
		}
		<-time.After(readLimit + time.Second) // of the bubble's clock
		if open := accepted.Load(); open != maxConnections+1 {
			t.Errorf("%d connections were open in turn", open)
		}
	})
}
