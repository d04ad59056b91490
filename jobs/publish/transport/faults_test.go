// SPDX-License-Identifier: Apache-2.0

package transport

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/e2e/require"
	"goldsmith.dev/goldsmith/jobs/publish/registrytest"
)

const always = 1 << 30

// strangeCA is the certificate of an authority that no registry has.
func strangeCA(t *testing.T) []byte {
	t.Helper()
	key := require.Value(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))(t)
	template := &x509.Certificate{SerialNumber: big.NewInt(1), IsCA: true, BasicConstraintsValid: true}
	der := require.Value(x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key))(t)
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
}

func TestFaultsHaveAClassAndARemedy(t *testing.T) {
	for _, test := range []struct {
		name     string
		registry registrytest.Options
		password string // credentials, if any
		config   string // instead of a password
		ca       func(t *testing.T) []byte
		inject   func(r *registrytest.Registry)
		want     v1alpha1.FailureReason
		says     []string
		retried  bool
	}{
		{name: "no credentials, Basic", registry: registrytest.Options{Auth: "Basic"},
			want: v1alpha1.ReasonRegistryDenied, says: []string{"401", "output.secretRef"}},
		{name: "no credentials, Bearer", registry: registrytest.Options{Auth: "Bearer"},
			want: v1alpha1.ReasonRegistryDenied, says: []string{"401", "output.secretRef"}},
		{name: "no credentials for this registry, Basic", registry: registrytest.Options{Auth: "Basic"}, config: `{"auths":{"other.example":{"username":"a","password":"b"}}}`,
			want: v1alpha1.ReasonRegistryDenied, says: []string{"401", "; add an entry for 127.0.0.1:", " in .dockerconfigjson of the Secret, which has none"}},
		{name: "no credentials for this registry, Bearer", registry: registrytest.Options{Auth: "Bearer"}, config: `{}`,
			want: v1alpha1.ReasonRegistryDenied, says: []string{"401", "; add an entry for 127.0.0.1:"}},
		{name: "wrong credentials, Basic", registry: registrytest.Options{Auth: "Basic"}, password: "not-the-password",
			want: v1alpha1.ReasonRegistryDenied, says: []string{"401", ".dockerconfigjson"}},
		{name: "wrong credentials, Bearer", registry: registrytest.Options{Auth: "Bearer"}, password: "not-the-password",
			want: v1alpha1.ReasonRegistryDenied, says: []string{"401", ".dockerconfigjson", "[hidden]"}},
		{name: "token not accepted", registry: registrytest.Options{Auth: "Bearer"}, password: registrytest.Password,
			inject: func(r *registrytest.Registry) {
				r.Inject(always, "POST", "/uploads/", func(w http.ResponseWriter, req *http.Request, _ http.Handler) {
					registrytest.WriteError(w, 403, "DENIED", "not with "+req.Header.Get("Authorization")+" at https://example.com/a?secret=b")
				})
			}, want: v1alpha1.ReasonRegistryDenied, says: []string{"403", "DENIED", "Bearer [hidden]", "https://example.com/a)", "let the account push"}},
		{name: "token server unavailable", registry: registrytest.Options{Auth: "Bearer"}, password: registrytest.Password,
			inject: func(r *registrytest.Registry) { r.Inject(always, "", "/token", registrytest.Status(503)) },
			want:   v1alpha1.ReasonRegistryUnavailable, says: []string{"503"}, retried: true},
		{name: "token server does not accept the request", registry: registrytest.Options{Auth: "Bearer"}, password: registrytest.Password,
			inject: func(r *registrytest.Registry) { r.Inject(always, "", "/token", registrytest.Status(400)) },
			want:   v1alpha1.ReasonRegistryDenied, says: []string{"400", ".dockerconfigjson"}},
		{name: "the registry keeps nothing", inject: func(r *registrytest.Registry) { r.Inject(always, "PATCH", "", registrytest.Keep(0)) },
			want: v1alpha1.ReasonRegistryUnavailable, says: []string{"416"}, retried: true},
		{name: "requests too large, and too small", inject: func(r *registrytest.Registry) {
			r.Inject(always, "POST", "", registrytest.Header("OCI-Chunk-Min-Length", "16384"))
			r.Inject(always, "PATCH", "", registrytest.Limit(16383, registrytest.Status(413)))
		}, want: v1alpha1.ReasonRegistryRefused, says: []string{"413", "accept requests of 16 KiB"}},
		{name: "forbidden", inject: status("POST", "/uploads/", 403), want: v1alpha1.ReasonRegistryDenied, says: []string{"403 Forbidden (INJECTED: Forbidden)", "output.secretRef"}},
		{name: "no repository", inject: status("POST", "/uploads/", 404), want: v1alpha1.ReasonRegistryRefused, says: []string{"404", "check that the repository exists"}},
		{name: "no registry", inject: status("POST", "/uploads/", 200), want: v1alpha1.ReasonRegistryRefused, says: []string{"HTTP 200 OK", "is an OCI registry"}},
		{name: "method not allowed", inject: status("POST", "/uploads/", 405), want: v1alpha1.ReasonRegistryRefused, says: []string{"405"}},
		{name: "blob not accepted", inject: status("PUT", "/uploads/", 400), want: v1alpha1.ReasonRegistryRefused, says: []string{"400"}},
		{name: "manifest not accepted", registry: registrytest.Options{Auth: "Bearer"}, password: registrytest.Password,
			inject: func(r *registrytest.Registry) {
				r.Inject(always, "PUT", "/manifests/", func(w http.ResponseWriter, req *http.Request, _ http.Handler) {
					registrytest.WriteError(w, 400, "MANIFEST_INVALID", "not with "+req.Header.Get("Authorization"))
				})
			}, want: v1alpha1.ReasonRegistryRefused, says: []string{"push manifest", "400", "MANIFEST_INVALID", "Bearer [hidden]"}},
		{name: "tag not accepted", inject: status("PUT", "/manifests/v1", 400), want: v1alpha1.ReasonRegistryRefused, says: []string{"push tag v1", "400"}},
		{name: "requests too large", inject: status("PATCH", "", 413), want: v1alpha1.ReasonRegistryRefused, says: []string{"413", "accept requests of 1.0 KiB"}},
		{name: "rate limit", inject: status("", "", 429), want: v1alpha1.ReasonRegistryUnavailable, says: []string{"429", "retried for"}, retried: true},
		{name: "a rate limit that outlasts the patience", inject: func(r *registrytest.Registry) {
			r.Inject(always, "", "", registrytest.Status(429, "Retry-After", "3600"))
		}, want: v1alpha1.ReasonRegistryUnavailable, says: []string{"429", "asks to wait 1h"}},
		{name: "server error", inject: status("POST", "", 500), want: v1alpha1.ReasonRegistryUnavailable, says: []string{"500"}, retried: true},
		{name: "unavailable", inject: status("PATCH", "", 503), want: v1alpha1.ReasonRegistryUnavailable, says: []string{"503"}, retried: true},
		{name: "unavailable for manifests", inject: status("PUT", "/manifests/", 503), want: v1alpha1.ReasonRegistryUnavailable, says: []string{"503"}, retried: true},
		{name: "each connection breaks", inject: func(r *registrytest.Registry) { r.Inject(always, "PATCH", "", registrytest.Reset(0)) },
			want: v1alpha1.ReasonRegistryUnavailable, says: []string{"push content (sha256:", "no answer of 127.0.0.1"}, retried: true},
		{name: "another digest of a blob", inject: header("PUT", "/uploads/"), want: v1alpha1.ReasonRegistryUnavailable, says: []string{"digest"}},
		{name: "another digest of a blob that exists", inject: func(r *registrytest.Registry) {
			r.Inject(always, "HEAD", "/blobs/", registrytest.Status(200, "Docker-Content-Digest", otherDigest))
		}, want: v1alpha1.ReasonRegistryUnavailable, says: []string{"digest"}},
		{name: "another digest of a manifest", inject: header("PUT", "/manifests/"), want: v1alpha1.ReasonRegistryUnavailable, says: []string{"digest"}},
		{name: "damaged on its way", inject: func(r *registrytest.Registry) {
			r.Inject(always, "PUT", "/uploads/", func(w http.ResponseWriter, _ *http.Request, _ http.Handler) {
				registrytest.WriteError(w, 400, "DIGEST_INVALID", "digest mismatch")
			})
		}, want: v1alpha1.ReasonRegistryUnavailable, says: []string{"DIGEST_INVALID"}, retried: true},
		{name: "nobody listens", registry: registrytest.Options{Unreachable: true}, want: v1alpha1.ReasonRegistryUnavailable, says: []string{"connection refused"}, retried: true},
		{name: "unknown authority", registry: registrytest.Options{TLS: true}, ca: strangeCA,
			want: v1alpha1.ReasonRegistryRefused, says: []string{"unknown authority", "ca.crt"}},
		{name: "no TLS", ca: strangeCA, want: v1alpha1.ReasonRegistryRefused, says: []string{"without TLS", "--plain-http-registries"}},
		{name: "upload elsewhere without TLS", inject: func(r *registrytest.Registry) {
			r.Inject(always, "POST", "/uploads/", registrytest.Status(202, "Location", "http://registry.example/upload?state=secret"))
		}, want: v1alpha1.ReasonRegistryRefused, says: []string{"refers to registry.example without TLS"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			r := registrytest.New(t, test.registry)
			o := Options{DockerConfig: []byte(test.config)}
			if test.password != "" {
				o.DockerConfig = r.DockerConfig(test.password)
			}
			if test.ca != nil {
				o.CA = test.ca(t)
			}
			if test.inject != nil {
				test.inject(r)
			}
			var notices []string
			o.Retrying = func(err error) { notices = append(notices, err.Error()) }
			skipping, err := pushIn(t, r, o, randomContent(200<<10))
			if retries := skipping.Waited > 0; retries != (len(notices) > 0) || len(notices) > 3 {
				t.Errorf("waited %s with the notices %q", skipping.Waited, notices)
			}
			failure, ok := errors.AsType[*Error](err)
			if !ok || failure.Reason != test.want {
				t.Fatalf("got %v, want %s", err, test.want)
			}
			for _, part := range append(test.says, "push to "+r.Host()+"/team/web: ") {
				if !strings.Contains(err.Error(), part) {
					t.Errorf("the error %q does not contain %q", err, part)
				}
			}
			for _, secret := range []string{registrytest.Password, "not-the-password", "token-", "secret=", "state=", "Um9ib3"} {
				if told := strings.Join(append(notices, err.Error()), "\n"); strings.Contains(told, secret) {
					t.Errorf("%q has the secret %q", told, secret)
				}
			}
			if retried := skipping.Waited > 0; retried != test.retried || skipping.Waited > defaultPatience {
				t.Errorf("the outage was retried for %s, want %t", skipping.Waited, test.retried)
			}
			if tags := r.Tags("team/web"); len(tags) != 0 {
				t.Errorf("the repository has the tags %v", tags)
			}
		})
	}
}

// TestAnImpatientUserLearnsAtOnceThatNobodyListens also holds that a registry that has answered gets the whole patience.
func TestAnImpatientUserLearnsAtOnceThatNobodyListens(t *testing.T) {
	waits, err := pushIn(t, registrytest.New(t, registrytest.Options{Unreachable: true}), Options{Impatient: true}, contentOf(nil))
	if err == nil || !strings.Contains(err.Error(), "check the host and the port") || waits.Waited == 0 || waits.Waited > firstPatience {
		t.Errorf("waited %s: %v", waits.Waited, err)
	}
	for name, inject := range map[string]func(*registrytest.Registry){
		"unavailable": status("", "", http.StatusServiceUnavailable),
		"resets":      func(r *registrytest.Registry) { r.Inject(always, "", "", registrytest.Reset(0)) },
	} {
		r := registrytest.New(t, registrytest.Options{})
		inject(r)
		waits, err = pushIn(t, r, Options{Impatient: true}, contentOf(nil))
		if err == nil || waits.Waited < defaultPatience/2 {
			t.Errorf("%s: waited %s: %v", name, waits.Waited, err)
		}
	}
}

// TestARegistryThatRestartsIsAwaited closes a registry that has answered an impatient user.
func TestARegistryThatRestartsIsAwaited(t *testing.T) {
	skipping := registrytest.NewClock()
	p := require.Value(NewPusher("127.0.0.1:1/team/web", Options{Impatient: true, Clock: skipping}))(t)
	p.reached.Store(true)
	err := p.PushBlob(t.Context(), "push content", contentOf(nil))
	if err == nil || skipping.Waited < defaultPatience/2 {
		t.Errorf("waited %s: %v", skipping.Waited, err)
	}
}

const otherDigest = "sha256:0000000000000000000000000000000000000000000000000000000000000000"

func status(method, path string, status int) func(r *registrytest.Registry) {
	return func(r *registrytest.Registry) { r.Inject(always, method, path, registrytest.Status(status)) }
}

func header(method, path string) func(r *registrytest.Registry) {
	return func(r *registrytest.Registry) {
		r.Inject(always, method, path, registrytest.Header("Docker-Content-Digest", otherDigest))
	}
}

func TestOutagesEndWithoutAnError(t *testing.T) {
	type table struct {
		name     string
		registry registrytest.Options
		tls      bool
		plain    bool
		inject   func(r *registrytest.Registry)
		waits    time.Duration // at least
		atOnce   bool
	}
	tests := []table{
		{name: "rate limit", inject: func(r *registrytest.Registry) { r.Inject(1, "POST", "", registrytest.Status(429, "Retry-After", "7")) }, waits: 7 * time.Second},
		{name: "rate limit until a date", inject: func(r *registrytest.Registry) {
			r.Inject(1, "POST", "", registrytest.Status(503, "Retry-After", time.Unix(30, 0).UTC().Format(http.TimeFormat)))
		}, waits: 29 * time.Second},
		{name: "tokens for two requests", registry: registrytest.Options{Auth: "Bearer", TokenUses: 2}},
		{name: "Basic", registry: registrytest.Options{Auth: "Basic"}},
		{name: "TLS", registry: registrytest.Options{TLS: true, Auth: "Bearer"}, tls: true},
		{name: "requests of at most 5 KB", inject: func(r *registrytest.Registry) {
			r.Inject(always, "PATCH", "", registrytest.Limit(5000, registrytest.Status(413)))
		}},
		{name: "a proxy with time for 5 KB", inject: func(r *registrytest.Registry) {
			r.Inject(always, "PATCH", "", registrytest.Limit(5000, registrytest.Status(504)))
		}},
		{name: "connections for at most 5 KB", inject: func(r *registrytest.Registry) {
			r.Inject(always, "PATCH", "", registrytest.Limit(5000, registrytest.Reset(0)))
		}},
		{name: "the registry keeps a part", inject: func(r *registrytest.Registry) { r.Inject(3, "PATCH", "", registrytest.Keep(30)) }, atOnce: true},
		{name: "HTTP/2, with streams that break", registry: registrytest.Options{TLS: true, Auth: "Bearer", TokenUses: 3}, tls: true,
			inject: func(r *registrytest.Registry) {
				r.Inject(4, "PATCH", "", func(w http.ResponseWriter, req *http.Request, next http.Handler) {
					if req.ProtoMajor != 2 {
						registrytest.Status(400)(w, req, next)
						return
					}
					registrytest.Reset(50)(w, req, next)
				})
			}},
		{name: "the registry calls itself by another name of its origin", tls: true, registry: registrytest.Options{TLS: true, Auth: "Basic"},
			inject: func(r *registrytest.Registry) {
				r.Inject(always, "POST", "/uploads/", func(w http.ResponseWriter, req *http.Request, _ http.Handler) {
					w.Header().Set("Location", "http://127.0.0.1"+req.URL.Path+"1")
					w.WriteHeader(http.StatusAccepted)
				})
			}},
		{name: "without TLS though there is an authority", inject: func(*registrytest.Registry) {}, plain: true},
		{name: "the upload is lost", inject: func(r *registrytest.Registry) { r.Inject(1, "PATCH", "", registrytest.Status(404)) }},
		{name: "another part is expected", inject: func(r *registrytest.Registry) { r.Inject(1, "PATCH", "", registrytest.Status(416)) }},
		{name: "the content is damaged on its way once", inject: func(r *registrytest.Registry) {
			r.Inject(1, "PATCH", "/uploads/", func(w http.ResponseWriter, req *http.Request, next http.Handler) {
				damaged, _ := io.ReadAll(req.Body) // the test fails if something is missing
				damaged[0]++
				req.Body = io.NopCloser(bytes.NewReader(damaged))
				next.ServeHTTP(w, req)
			})
		}},
		{name: "the answer to the end of an upload is lost", inject: func(r *registrytest.Registry) { r.Inject(2, "PUT", "/uploads/", registrytest.Truncate(0)) }},
	}
	for _, request := range []struct{ method, path string }{
		{"HEAD", "/blobs/"}, {"POST", "/uploads/"}, {"PATCH", "/uploads/"}, {"PUT", "/uploads/"}, {"HEAD", "/manifests/"}, {"PUT", "/manifests/"},
	} {
		for _, code := range []int{429, 500, 502, 503, 504} {
			tests = append(tests, table{name: fmt.Sprintf("%d to %s %s", code, request.method, request.path), waits: time.Millisecond,
				inject: func(r *registrytest.Registry) { r.Inject(2, request.method, request.path, registrytest.Status(code)) }})
		}
	}
	for _, noResume := range []bool{false, true} {
		for _, percent := range []int64{0, 50, 100} {
			for _, times := range []int{1, 4} {
				tests = append(tests, table{
					name:     fmt.Sprintf("the connection breaks %d times after %d %%, and the registry has lost the upload: %t", times, percent, noResume),
					registry: registrytest.Options{NoResume: noResume},
					inject:   func(r *registrytest.Registry) { r.Inject(times, "PATCH", "", registrytest.Reset(percent)) },
				})
			}
		}
	}
	content := randomBytes(200 << 10)
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			r := registrytest.New(t, test.registry)
			o := Options{DockerConfig: r.DockerConfig(registrytest.Password)}
			if test.tls {
				o.CA = r.CA()
			}
			if test.plain {
				o.CA, o.PlainHTTP = strangeCA(t), []string{r.Host()}
			}
			if test.inject != nil {
				test.inject(r)
			}
			var progress []int64
			o.Progress = func(bytes int64) { progress = append(progress, bytes) }
			skipping, err := pushIn(t, r, o, contentOf(content))
			require.NoError(t, err)
			if !slices.IsSorted(progress) || progress[len(progress)-1] < int64(len(content)) {
				t.Errorf("the progress was %v", progress)
			}
			if got := pulled(t, r); got != string(content) {
				t.Errorf("the registry has %d other bytes than the %d pushed", len(got), len(content))
			}
			if skipping.Waited < test.waits || test.atOnce && skipping.Waited > 0 {
				t.Errorf("waited %s, want %s or more, or nothing: %t", skipping.Waited, test.waits, test.atOnce)
			}
		})
	}
}

func TestEachChunkBreaksAndTheUploadResumes(t *testing.T) {
	r := registrytest.New(t, registrytest.Options{})
	content := randomBytes(640 << 10)
	var seen []string
	r.Inject(always, "PATCH", "", func(w http.ResponseWriter, req *http.Request, next http.Handler) {
		part := req.Header.Get("Content-Range")
		if slices.Contains(seen, part) || req.ContentLength < 4<<10 {
			next.ServeHTTP(w, req)
			return
		}
		seen = append(seen, part)
		registrytest.Reset(75)(w, req, next)
	})
	skipping, err := pushIn(t, r, Options{Patience: 10 * time.Second}, contentOf(content))
	require.NoError(t, err)
	if pulled(t, r) != string(content) {
		t.Error("the registry has another content")
	}
	posts := 0
	for _, request := range r.Requests() {
		if strings.HasPrefix(request, "POST ") {
			posts++
		}
	}
	if posts != 1 {
		t.Errorf("%d uploads began, want 1", posts)
	}
	if len(seen) < 10 || skipping.Waited < 2*time.Second {
		t.Errorf("%d connections broke, and the push waited %s: that is no test of outages that end with progress", len(seen), skipping.Waited)
	}
}

func TestASilentRegistryIsUnavailable(t *testing.T) {
	for _, request := range []struct {
		method, path string
		want         string // empty if the registry has time for the answer
	}{
		{"HEAD", "/blobs/", "silent for 1m0s"},
		{"POST", "/uploads/", "silent for 1m0s"},
		{"HEAD", "/manifests/", "silent for 1m0s"},
		{"GET", "/manifests/", "silent for 1m0s"},
		{"GET", "/blobs/", ""},
		{"PATCH", "/uploads/", ""},
		{"PUT", "/uploads/", ""},
		{"PUT", "/manifests/", ""},
	} {
		for _, tls := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s %s, TLS %t", request.method, request.path, tls), func(t *testing.T) {
				r := registrytest.New(t, registrytest.Options{TLS: tls})
				o := Options{}
				if tls {
					o.CA = r.CA()
				}
				skipping := registrytest.NewClock()
				var clients []string
				r.Inject(always, request.method, request.path, func(w http.ResponseWriter, req *http.Request, next http.Handler) {
					clients = append(clients, req.RemoteAddr)
					skipping.Step(promptStall)
					if request.want != "" {
						<-req.Context().Done()
						return
					}
					next.ServeHTTP(w, req)
				})
				err := pushAndFetchAt(t.Context(), skipping, r, o, randomContent(200<<10))
				if request.want == "" {
					require.NoError(t, err)
					return
				}
				failure, ok := errors.AsType[*Error](err)
				if !ok || failure.Reason != v1alpha1.ReasonRegistryUnavailable || !strings.Contains(err.Error(), request.want) {
					t.Errorf("got %v, want RegistryUnavailable with %q", err, request.want)
				}
				if len(slices.Compact(clients)) < 3 {
					t.Errorf("the requests came from %v, want connections of their own", clients)
				}
				if elapsed := skipping.Since(time.Unix(0, 0)); elapsed > 5*time.Minute {
					t.Errorf("the push failed after %s, want 5 minutes at most", elapsed)
				}
			})
		}
	}
}

func pushAndFetchAt(ctx context.Context, skipping *registrytest.Clock, r *registrytest.Registry, o Options, content Content) error {
	if err := pushAt(ctx, skipping, r.Host()+"/team/web", o, content); err != nil {
		return err
	}
	o.Clock = skipping
	f, err := NewFetcher(r.Host()+"/team/web", o)
	if err != nil {
		return err
	}
	f.guard.clock = skipping
	of, _ := manifestFor(content)
	if _, err := f.Manifest(ctx, of.Digest.String()); err != nil {
		return err
	}
	return f.Copy(ctx, Whole(content.Digest, content.SizeBytes), io.Discard)
}

func TestACancelledPushEndsAtOnce(t *testing.T) {
	r := registrytest.New(t, registrytest.Options{})
	ctx, cancel := context.WithCancel(t.Context())
	r.Inject(always, "PATCH", "", func(_ http.ResponseWriter, req *http.Request, _ http.Handler) {
		_, _ = io.Copy(io.Discard, req.Body) // the end of a request is found after its body
		cancel()
		<-req.Context().Done()
	})
	err := pushAt(ctx, registrytest.NewClock(), r.Host()+"/team/web", Options{Patience: time.Nanosecond}, randomContent(200<<10))
	if _, classified := errors.AsType[*Error](err); classified || !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want that the context was cancelled", err)
	}
}

func TestAContentThatIsNotItsDigestIsNoFaultOfTheRegistry(t *testing.T) {
	r := registrytest.New(t, registrytest.Options{})
	damaged := randomContent(200 << 10)
	damaged.Digest = otherDigest
	_, err := pushIn(t, r, Options{}, damaged)
	if _, classified := errors.AsType[*Error](err); classified || err == nil || !strings.Contains(err.Error(), "another digest") {
		t.Errorf("got %v, want that the content has another digest", err)
	}
	missing := randomContent(200 << 10)
	missing.Open = func() (File, error) { return nil, errors.New("no such file") }
	_, err = pushIn(t, r, Options{}, missing)
	if _, classified := errors.AsType[*Error](err); classified || err == nil || !strings.Contains(err.Error(), "no such file") {
		t.Errorf("got %v, want that there is no such file", err)
	}
	unreadable := randomContent(200 << 10)
	unreadable.Open = func() (File, error) { return badDisk{memory{bytes.NewReader(nil)}}, nil }
	skipping, err := pushIn(t, r, Options{}, unreadable)
	if _, classified := errors.AsType[*Error](err); classified || err == nil || !strings.Contains(err.Error(), "bad sector") || skipping.Waited > 0 {
		t.Errorf("got %v after %s, want that a sector is bad", err, skipping.Waited)
	}
}

// badDisk is a file that cannot be read.
type badDisk struct{ memory }

func (badDisk) ReadAt([]byte, int64) (int, error) { return 0, errors.New("bad sector") }

func TestTheSizeOfRequestsIsRemembered(t *testing.T) {
	r := registrytest.New(t, registrytest.Options{})
	var refused atomic.Int32
	r.Inject(always, "PATCH", "", registrytest.Limit(5000, func(w http.ResponseWriter, req *http.Request, next http.Handler) {
		refused.Add(1)
		registrytest.Status(413)(w, req, next)
	}))
	_, err := pushIn(t, r, Options{}, randomContent(200<<10), randomContent(190<<10))
	require.NoError(t, err)
	if got := refused.Load(); got != 2 { // 64 KiB and 16 KiB
		t.Errorf("%d requests were too large, want 2", got)
	}
}
