// SPDX-License-Identifier: Apache-2.0

package builder_test

import (
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"

	. "github.com/onsi/gomega"
	"github.com/onsi/gomega/gbytes"
	"go.etcd.io/etcd/api/v3/mvccpb"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"
	typedcorev1 "k8s.io/client-go/kubernetes/typed/core/v1"

	"goldsmith.dev/goldsmith/apiserver/builder"
	"goldsmith.dev/goldsmith/apiserver/builder/buildertest"
	"goldsmith.dev/goldsmith/apiserver/storage/etcd"
	"goldsmith.dev/goldsmith/apiserver/storage/memory"
	"goldsmith.dev/goldsmith/e2e/require"
)

func TestAFullDatabaseAllowsReadsAndDeletionsOnly(t *testing.T) {
	g := buildertest.Parallel(t)
	directory, lines := t.TempDir(), gbytes.NewBuffer()
	running, stop := buildertest.Start(t, buildertest.CoreKinds(builder.EmbeddedEtcd(directory, etcd.WithQuota(2<<20))).WithWriter(lines))
	client := withoutRetries(t, running)
	kept := configMap("kept")
	kept.Finalizers = []string{"example.org/kept"}
	kept = create(t, client, kept)
	large := strings.Repeat("x", 500_000)
	objects := 0
	g.Eventually(func() error {
		object := configMap(fmt.Sprintf("large-%d", objects))
		object.Data = map[string]string{"value": large}
		_, err := client.Create(t.Context(), object, metav1.CreateOptions{})
		if err == nil {
			objects++
		}
		return err
	}).WithTimeout(buildertest.Patience).Should(MatchError(MatchRegexp("objects use [0-9]+ of 2 MiB: delete images or builds")))
	g.Eventually(lines).WithTimeout(buildertest.Patience).Should(gbytes.Say("test-apiserver: the database is full: .* MiB: delete images or builds; space is freed within seconds\n"))
	stop()

	// The start drops old versions, which may be all that exceeded the quota, so the second server has a smaller one.
	running, _ = buildertest.Start(t, buildertest.CoreKinds(builder.EmbeddedEtcd(directory, etcd.WithQuota(1<<20))).WithWriter(lines))
	client = withoutRetries(t, running)
	g.Expect(withToken.asking(t, running, "/readyz")()).To(And(HavePrefix("500 "), ContainSubstring("[-]storage-space failed")))
	g.Expect(withToken.asking(t, running, "/readyz?exclude=storage-space")()).To(Equal("200 ok"))
	g.Expect(withToken.asking(t, running, "/readyz/storage-space")()).To(MatchRegexp("objects use [0-9]+ of 1 MiB"))
	_, err := client.Create(t.Context(), configMap("another"), metav1.CreateOptions{})
	expectFull(g, err)
	_, err = client.Patch(t.Context(), "large-0", types.MergePatchType, []byte(`{"data":{"value":null}}`), metav1.PatchOptions{})
	expectFull(g, err)

	g.Expect(client.Delete(t.Context(), kept.Name, metav1.DeleteOptions{})).To(Succeed(), "a deletion that begins with an update")
	_, err = client.Patch(t.Context(), kept.Name, types.MergePatchType, []byte(`{"metadata":{"finalizers":null}}`), metav1.PatchOptions{})
	g.Expect(err).NotTo(HaveOccurred(), "the update that ends the deletion")
	g.Expect(errorOf(client.Get(t.Context(), kept.Name, metav1.GetOptions{}))).To(Satisfy(apierrors.IsNotFound))
	for i := range objects {
		g.Expect(client.Delete(t.Context(), fmt.Sprintf("large-%d", i), metav1.DeleteOptions{})).To(Succeed())
	}
	g.Eventually(withToken.asking(t, running, "/readyz")).WithTimeout(buildertest.Patience).Should(Equal("200 ok"))
	g.Eventually(lines).WithTimeout(buildertest.Patience).Should(gbytes.Say("test-apiserver: the database has space again and accepts writes\n"))
	create(t, client, configMap("another"))
}

// fullDisk is a journal that can refuse writes, like an etcd in a cluster whose space is exhausted.
type fullDisk struct {
	full atomic.Bool
}

func (d *fullDisk) Commit(int64, []*mvccpb.KeyValue) error {
	if d.full.Load() {
		return fmt.Errorf("write: %w", syscall.ENOSPC)
	}
	return nil
}

func TestAStorageThatRefusesWritesIsNoErrorOfTheServer(t *testing.T) {
	g := buildertest.Parallel(t)
	disk := &fullDisk{}
	running, _ := buildertest.Start(t, buildertest.CoreKinds(builder.Memory(memory.WithJournal(disk, memory.Content{}))))
	client := withoutRetries(t, running)
	create(t, client, configMap("a"))
	g.Expect(withToken.asking(t, running, "/readyz")()).To(Equal("200 ok"))
	disk.full.Store(true)
	_, err := client.Create(t.Context(), configMap("b"), metav1.CreateOptions{})
	expectFull(g, err)
	_, err = client.Patch(t.Context(), "a", types.MergePatchType, []byte(`{"data":{"a":"b"}}`), metav1.PatchOptions{})
	expectFull(g, err)
	expectFull(g, client.Delete(t.Context(), "a", metav1.DeleteOptions{}))
	g.Expect(withToken.asking(t, running, "/readyz")()).To(And(HavePrefix("500 "), ContainSubstring("[-]storage-space failed")))
}

// expectFull expects the answer of a full storage.
func expectFull(g *WithT, err error) {
	status, ok := err.(apierrors.APIStatus)
	g.Expect(ok).To(BeTrue(), "%v", err)
	g.Expect(status.Status().Code).To(BeEquivalentTo(507), "%v", err)
	g.Expect(status.Status().Details.RetryAfterSeconds).To(BeEquivalentTo(1), "%v", err)
	g.Expect(status.Status().Message).To(ContainSubstring("is full"))
}

// withoutRetries returns a client that does not try again when the server asks for it.
func withoutRetries(t *testing.T, running *builder.Running) typedcorev1.ConfigMapInterface {
	t.Helper()
	config := running.ClientConfig()
	config.WrapTransport = withoutRetryAfter
	return require.Value(kubernetes.NewForConfig(config))(t).CoreV1().ConfigMaps(metav1.NamespaceDefault)
}

// roundTripper is a function as an http.RoundTripper.
type roundTripper func(*http.Request) (*http.Response, error)

func (r roundTripper) RoundTrip(request *http.Request) (*http.Response, error) { return r(request) }

func withoutRetryAfter(next http.RoundTripper) http.RoundTripper {
	return roundTripper(func(request *http.Request) (*http.Response, error) {
		response, err := next.RoundTrip(request)
		if err == nil {
			response.Header.Del("Retry-After")
		}
		return response, err
	})
}
