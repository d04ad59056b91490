// SPDX-License-Identifier: Apache-2.0

package up

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	"goldsmith.dev/goldsmith/apis/generated/clientset/versioned"
	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/e2e/require"
)

// patience is how long a test waits for an expected change.
const patience = 3 * time.Minute

// life is a build with the phase in which it must end.
type life struct {
	name       string
	parameters []v1alpha1.Parameter
	cancel     bool // once the build runs
	want       v1alpha1.BuildPhase
}

// crashCases are lives of a build. Each life is repeated, with a crash at a later write each time.
var crashCases = []life{
	{
		name:       "a build that succeeds",
		parameters: []v1alpha1.Parameter{{Name: "duration", Value: "0s"}, {Name: "steps", Value: "1"}},
		want:       v1alpha1.BuildSucceeded,
	},
	{
		name:       "a build that succeeds at its second attempt",
		parameters: []v1alpha1.Parameter{{Name: "duration", Value: "0s"}, {Name: "steps", Value: "1"}, {Name: "failAttempts", Value: "1"}, {Name: "retryable", Value: "true"}},
		want:       v1alpha1.BuildSucceeded,
	},
	{
		name:       "a build that is cancelled while it runs",
		parameters: []v1alpha1.Parameter{{Name: "duration", Value: "10m"}},
		cancel:     true,
		want:       v1alpha1.BuildCancelled,
	},
}

// TestACrashAtAnyWriteLosesNothing stops controllers and agent at each of their writes: once before the server gets the write, and
// once after, before they read the answer. Then it starts new controllers and a new agent. With -short it stops them at each sixth
// write. The six lives begin with different writes, so that together they cover all writes.
func TestACrashAtAnyWriteLosesNothing(t *testing.T) {
	program := executable(t)
	step, lives := int64(1), int64(0)
	if testing.Short() {
		step = 6
	}
	for _, life := range crashCases {
		for _, delivered := range []bool{false, true} {
			write := 1 + lives%step
			lives++
			t.Run(fmt.Sprintf("%s, delivered %t", life.name, delivered), func(t *testing.T) {
				t.Parallel()
				lab := newLaboratory(t, program)
				for lab.live(t, life, &crash{at: write, delivered: delivered, happened: make(chan struct{})}) {
					write += step
				}
				if t.Logf("no write %d", write); write < 8 {
					t.Errorf("a whole life made fewer than %d writes", write)
				}
			})
		}
	}
}

// crash stops a process at a write: earlier writes pass, and nothing passes after that write.
type crash struct {
	at        int64 // the number of the write at which it happens, from 1; 0 for never
	delivered bool  // whether the server still gets that write
	writes    atomic.Int64
	happened  chan struct{}
	once      sync.Once
}

var crashNever = crash{happened: make(chan struct{})}

var errCrashed = errors.New("this process is gone")

// around wraps a transport of the crashing process.
func (c *crash) around(next http.RoundTripper) http.RoundTripper {
	return roundTripper(func(request *http.Request) (*http.Response, error) {
		select {
		case <-c.happened:
			return nil, errCrashed
		default:
		}
		read := request.Method == http.MethodGet || strings.Contains(request.URL.Path, "/events")
		if read || c.writes.Add(1) != c.at {
			return next.RoundTrip(request)
		}
		if c.delivered {
			if response, err := next.RoundTrip(request); err == nil {
				_ = response.Body.Close() // the process crashes before it reads the answer
			}
		}
		c.once.Do(func() { close(c.happened) })
		return nil, errCrashed
	})
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(request *http.Request) (*http.Response, error) { return f(request) }

// laboratory is a server that outlives the crashes of its controllers and agents.
type laboratory struct {
	system *system
	config *rest.Config
	logs   *agentLogs
	tokens *builderTokens
	images versioned.Interface
	kube   kubernetes.Interface
}

func newLaboratory(t *testing.T, program string) *laboratory {
	t.Helper()
	options := Options{DataDirectory: t.TempDir(), Memory: true, Executable: program,
		Version: v1alpha1.SchemeGroupVersion.Version} // the committed documents must not change with each release
	require.NoError(t, options.complete())
	builders, err := options.readBuilders()
	require.NoError(t, err)
	configured, err := options.readKinds(t.Context())
	require.NoError(t, err)
	data, err := options.claim(t.Context())
	require.NoError(t, err)
	lab := &laboratory{logs: &agentLogs{}, system: &system{options: options, data: data, builders: builders, kinds: configured, components: newComponents()}}
	users, err := lab.system.newUsers()
	require.NoError(t, err)
	listener, err := listen(netip.MustParseAddrPort("127.0.0.1:0"))
	require.NoError(t, err)
	t.Cleanup(func() {
		if err := errors.Join(lab.system.components.stop(), data.Release()); err != nil {
			t.Error(err)
		}
	})
	server, err := lab.system.startServer(t.Context(), listener, users, lab.logs)
	require.NoError(t, err)
	require.NoError(t, lab.system.startCascade(t.Context(), server.ClientConfig()))
	lab.config, lab.tokens = server.ClientConfig(), users.builders
	lab.images = versioned.NewForConfigOrDie(lab.config)
	lab.kube = kubernetes.NewForConfigOrDie(lab.config)
	return lab
}

// run starts controllers and an agent, and returns a function that stops them.
func (l *laboratory) run(t *testing.T, crash *crash) (stop func()) {
	t.Helper()
	process := &system{options: l.system.options, data: l.system.data, builders: l.system.builders, artifacts: l.system.artifacts, components: newComponents()}
	config := rest.CopyConfig(l.config)
	config.Wrap(crash.around)
	start := func() error {
		attesting, err := newPublisher(config, l.tokens.grantPublisher)
		if err != nil {
			return err
		}
		if err := process.startAgent(t.Context(), rest.CopyConfig(config), nil, attesting, nil, l.logs); err != nil {
			return err
		}
		return process.startControllers(t.Context(), rest.CopyConfig(config))
	}
	require.NoError(t, start())
	return func() {
		if err := process.components.stop(); err != nil && !strings.Contains(err.Error(), errCrashed.Error()) {
			t.Error(err)
		}
	}
}

// live runs a build through a life with a crash. It reports whether the crash happened before the end of the life.
func (l *laboratory) live(t *testing.T, life life, crash *crash) bool {
	t.Helper()
	ctx, done := context.WithTimeout(t.Context(), patience)
	defer done()
	namespace := fmt.Sprintf("crash-%d", crash.at)
	_, err := l.kube.CoreV1().Namespaces().Create(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: namespace}}, metav1.CreateOptions{})
	require.NoError(t, err)
	history := l.record(ctx, t, namespace, life.cancel)
	stop := l.run(t, crash)
	image := &v1alpha1.Image{ObjectMeta: metav1.ObjectMeta{Name: "debian"}, Spec: v1alpha1.ImageSpec{
		BuildInputs: inputsFor(mockName, life.parameters...),
		Retry:       &v1alpha1.RetryPolicy{Backoff: &v1alpha1.Backoff{Initial: &v1alpha1.Duration{}, Max: &v1alpha1.Duration{}}},
	}}
	if _, err := l.images.ImagesV1alpha1().Images(namespace).Create(ctx, image, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	crashed := false
	select {
	case <-crash.happened:
		crashed = true
		stop()
		stop = l.run(t, &crashNever)
		select {
		case <-history.settled:
		case <-ctx.Done():
		}
	case <-history.settled:
	case <-ctx.Done():
	}
	stop()
	if ctx.Err() != nil {
		t.Errorf("%s: the build did not end", namespace)
	}
	history.check(t, life.want)
	return crashed
}
