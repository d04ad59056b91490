// SPDX-License-Identifier: Apache-2.0

// Package storage_test runs Kubernetes' own tests of storages against every storage of this folder.
package storage_test

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"net"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"reflect"
	goruntime "runtime"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	. "github.com/onsi/gomega"
	clientv3 "go.etcd.io/etcd/client/v3"
	"go.etcd.io/etcd/client/v3/kubernetes"
	"go.uber.org/zap"
	"google.golang.org/grpc"
	"k8s.io/apimachinery/pkg/api/apitesting"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	utilruntime "k8s.io/apimachinery/pkg/util/runtime"
	"k8s.io/apiserver/pkg/apis/example"
	examplev1 "k8s.io/apiserver/pkg/apis/example/v1"
	"k8s.io/apiserver/pkg/storage"
	"k8s.io/apiserver/pkg/storage/etcd3"
	storagetesting "k8s.io/apiserver/pkg/storage/testing"
	"k8s.io/apiserver/pkg/storage/value"
	"k8s.io/utils/clock"

	"goldsmith.dev/goldsmith/apiserver/storage/etcd"
	"goldsmith.dev/goldsmith/apiserver/storage/files"
	"goldsmith.dev/goldsmith/apiserver/storage/memory"
	"goldsmith.dev/goldsmith/e2e/require"
)

// library is the package of Kubernetes' tests.
const library = "k8s.io/apiserver/pkg/storage/testing"

// notRun are the tests of the library that do not apply, with the reason.
var notRun = map[string]string{
	"RunOptionalTestProgressNotify":                           "waits for the progress interval: memory's TestAnIdleWatchIsToldTheRevision sets the clock",
	"RunTestGetListWithoutErrorAggregation":                   "needs the feature AllowUnsafeMalformedObjectDeletion to be off, and servers have it on",
	"RunTestOptionalWatchBookmarksWithCorrectResourceVersion": "tests the watch cache, which sends these bookmarks",
	"RunTestWatchDispatchBookmarkEvents":                      "tests the watch cache, which sends these bookmarks",
}

// plain are the tests that need nothing besides a store.
var plain = []func(context.Context, *testing.T, storage.Interface){
	storagetesting.RunTestCreateWithTTL,
	storagetesting.RunTestCreateWithKeyExist,
	storagetesting.RunTestUnconditionalDelete,
	storagetesting.RunTestConditionalDelete,
	storagetesting.RunTestDeleteWithSuggestion,
	storagetesting.RunTestDeleteWithSuggestionAndConflict,
	storagetesting.RunTestDeleteWithConflict,
	storagetesting.RunTestDeleteWithSuggestionOfDeletedObject,
	storagetesting.RunTestValidateDeletionWithSuggestion,
	storagetesting.RunTestValidateDeletionWithOnlySuggestionValid,
	storagetesting.RunTestPreconditionalDeleteWithSuggestion,
	storagetesting.RunTestPreconditionalDeleteWithOnlySuggestionPass,
	storagetesting.RunTestGetListRecursivePrefix,
	storagetesting.RunTestGuaranteedUpdateWithTTL,
	storagetesting.RunTestGuaranteedUpdateWithConflict,
	storagetesting.RunTestGuaranteedUpdateWithSuggestionAndConflict,
	storagetesting.RunTestListPaging,
	storagetesting.RunTestNamespaceScopedList,
	storagetesting.RunTestKeySchema,
	storagetesting.RunTestWatch,
	storagetesting.RunTestDeleteTriggerWatch,
	storagetesting.RunTestWatchFromNonZero,
	storagetesting.RunTestDelayedWatchDelivery,
	storagetesting.RunTestWatchContextCancel,
	storagetesting.RunTestWatcherTimeout,
	storagetesting.RunTestWatchDeleteEventObjectHaveLatestRV,
	storagetesting.RunTestWatchInitializationSignal,
	storagetesting.RunTestClusterScopedWatch,
	storagetesting.RunTestNamespaceScopedWatch,
	storagetesting.RunSendInitialEventsBackwardCompatibility,
}

// alone are the tests that set a feature of the process, or that have an object whose time to live is a second.
var alone = []func(context.Context, *testing.T, storage.Interface){
	storagetesting.RunTestGet,
	storagetesting.RunWatchSemantics,
	storagetesting.RunWatchSemanticInitialEventsExtended,
	storagetesting.RunWatchListMatchSingle,
}

// hooked are the tests that look behind a store, or interfere with it.
var hooked = map[string]func(*testing.T, *store){
	"Create": func(t *testing.T, s *store) { storagetesting.RunTestCreate(t.Context(), t, s, s.checkStored) },
	"DeleteWithConflictAndMissingExpectedTransformOrDecodeError": func(t *testing.T, s *store) {
		storagetesting.RunTestDeleteWithConflictAndMissingExpectedTransformOrDecodeError(t.Context(), t, s, s.fail)
	},
	"DeleteExpectedTransformOrDecodeError": func(t *testing.T, s *store) {
		storagetesting.RunTestDeleteExpectedTransformOrDecodeError(t.Context(), t, s, s.fail)
	},
	"DeleteWithSuggestionAndMissingExpectedTransformOrDecodeError": func(t *testing.T, s *store) {
		storagetesting.RunTestDeleteWithSuggestionAndMissingExpectedTransformOrDecodeError(t.Context(), t, s)
	},
	"List": func(t *testing.T, s *store) { storagetesting.RunTestList(t.Context(), t, s, s.compact, false, s.lists) },
	"ConsistentList": func(t *testing.T, s *store) {
		storagetesting.RunTestConsistentList(t.Context(), t, s, s.write, false, true, false)
	},
	"GetListNonRecursive": func(t *testing.T, s *store) { storagetesting.RunTestGetListNonRecursive(t.Context(), t, s.write, s) },
	"GetListWithErrorAggregation": func(t *testing.T, s *store) {
		s.Interface = etcd3.NewStoreWithUnsafeCorruptObjectDeletion(s.Interface, pods)
		storagetesting.RunTestGetListWithErrorAggregation(t.Context(), t, s, damaged(t))
	},
	"ListContinuation": func(t *testing.T, s *store) { storagetesting.RunTestListContinuation(t.Context(), t, s, s.checkReads) },
	"ListPaginationRareObject": func(t *testing.T, s *store) {
		storagetesting.RunTestListPaginationRareObject(t.Context(), t, s, s.checkReads)
	},
	"ListContinuationWithFilter": func(t *testing.T, s *store) {
		storagetesting.RunTestListContinuationWithFilter(t.Context(), t, s, s.checkReads)
	},
	"ListInconsistentContinuation": func(t *testing.T, s *store) {
		storagetesting.RunTestListInconsistentContinuation(t.Context(), t, s, s.compact)
	},
	"ListResourceVersionMatch": func(t *testing.T, s *store) { storagetesting.RunTestListResourceVersionMatch(t.Context(), t, s) },
	"GuaranteedUpdate":         func(t *testing.T, s *store) { storagetesting.RunTestGuaranteedUpdate(t.Context(), t, s, s.checkStored) },
	"GuaranteedUpdateChecksStoredData": func(t *testing.T, s *store) {
		storagetesting.RunTestGuaranteedUpdateChecksStoredData(t.Context(), t, s)
	},
	"TransformationFailure": func(t *testing.T, s *store) { storagetesting.RunTestTransformationFailure(t.Context(), t, s) },
	"Stats":                 func(t *testing.T, s *store) { storagetesting.RunTestStats(t.Context(), t, s, codec, s, false) },
	"CompactRevision": func(t *testing.T, s *store) {
		storagetesting.RunTestCompactRevision(t.Context(), t, s, s.write, s.compact)
	},
	"WatchFromZero": func(t *testing.T, s *store) { storagetesting.RunTestWatchFromZero(t.Context(), t, s, s.compact) },
	"WatchError":    func(t *testing.T, s *store) { storagetesting.RunTestWatchError(t.Context(), t, s) },
	"WatchWithUnsafeDelete": func(t *testing.T, s *store) {
		storagetesting.RunTestWatchWithUnsafeDelete(t.Context(), t, s, damaged(t))
	},
	"WatchErrorIsBlockingFurtherEvents": func(t *testing.T, s *store) {
		storagetesting.RunWatchErrorIsBlockingFurtherEvents(t.Context(), t, s)
	},
}

// TestMain lets more tests run at the same time than there are CPUs, because they mostly wait.
func TestMain(m *testing.M) {
	flag.Parse()
	if err := flag.Set("test.parallel", "32"); err != nil {
		panic(err)
	}
	os.Exit(m.Run())
}

func TestMemory(t *testing.T) { //nolint:paralleltest // see alone
	run(t, func(t *testing.T) func() (*clientv3.Client, error) {
		t.Helper()
		server := memory.Start()
		t.Cleanup(server.Stop)
		return connecting(server)
	})
}

func TestFiles(t *testing.T) { //nolint:paralleltest // see alone
	run(t, func(t *testing.T) func() (*clientv3.Client, error) {
		t.Helper()
		directory := require.Value(files.Start(t.TempDir()))(t)
		t.Cleanup(func() {
			if err := directory.Stop(); err != nil {
				t.Error(err)
			}
		})
		return connecting(directory.Server())
	})
}

func connecting(server *memory.Server) func() (*clientv3.Client, error) {
	return func() (*clientv3.Client, error) {
		dial := func(ctx context.Context, address string) (net.Conn, error) { return server.Dial(ctx, "tcp", address) }
		return clientv3.New(clientv3.Config{
			Endpoints: []string{server.Endpoint()}, DialOptions: []grpc.DialOption{grpc.WithContextDialer(dial)}, Logger: zap.NewNop(),
		})
	}
}

func TestEtcd(t *testing.T) { //nolint:paralleltest // see alone
	run(t, func(t *testing.T) func() (*clientv3.Client, error) {
		t.Helper()
		server := require.Value(etcd.Start(t.Context(), ""))(t)
		t.Cleanup(func() {
			if err := server.Stop(); err != nil {
				t.Error(err)
			}
		})
		return server.Connect
	})
}

// run runs every test on a storage of its own.
func run(t *testing.T, start func(*testing.T) (connect func() (*clientv3.Client, error))) {
	t.Helper()
	for _, test := range alone {
		t.Run(nameOf(test), func(t *testing.T) { test(t.Context(), t, open(t, start(t))) })
	}
	for _, test := range plain {
		t.Run(nameOf(test), func(t *testing.T) {
			t.Parallel()
			test(t.Context(), t, open(t, start(t)))
		})
	}
	for name, test := range hooked {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, open(t, start(t)))
		})
	}
}

// nameOf is the name of a test of the library, without its prefix.
func nameOf(test func(context.Context, *testing.T, storage.Interface)) string {
	name := goruntime.FuncForPC(reflect.ValueOf(test).Pointer()).Name()
	return strings.TrimPrefix(strings.TrimPrefix(path.Ext(name), ".Run"), "Test")
}

// TestNoTestOfTheLibraryIsForgotten compares the library's tests with those that this file runs or has a reason not to run.
func TestNoTestOfTheLibraryIsForgotten(t *testing.T) {
	t.Parallel()
	directory := require.Value(exec.CommandContext(t.Context(), "go", "list", "-f", "{{.Dir}}", library).Output())(t)
	var theirs []string
	files := require.Value(filepath.Glob(filepath.Join(strings.TrimSpace(string(directory)), "*.go")))(t)
	for _, file := range files {
		ast.Inspect(parse(t, file), func(node ast.Node) bool {
			function, ok := node.(*ast.FuncDecl)
			if ok && strings.HasPrefix(function.Name.Name, "Run") && !strings.HasPrefix(function.Name.Name, "RunBenchmark") {
				theirs = append(theirs, function.Name.Name)
			}
			return true
		})
	}
	ours := slices.Collect(maps.Keys(notRun))
	ast.Inspect(parse(t, "kubernetes_test.go"), func(node ast.Node) bool {
		if called, ok := node.(*ast.SelectorExpr); ok && strings.HasPrefix(called.Sel.Name, "Run") {
			if pkg, ok := called.X.(*ast.Ident); ok && pkg.Name == "storagetesting" {
				ours = append(ours, called.Sel.Name)
			}
		}
		return true
	})
	NewWithT(t).Expect(ours).To(ConsistOf(theirs))
}

func parse(t *testing.T, file string) *ast.File {
	t.Helper()
	return require.Value(parser.ParseFile(token.NewFileSet(), file, nil, 0))(t)
}

var pods = example.Resource("pods")

// patience is how long a test waits for an expected event.
const patience = time.Minute

// codec encodes the library's example objects.
var codec = newCodec()

func newCodec() runtime.Codec {
	scheme := runtime.NewScheme()
	metav1.AddToGroupVersion(scheme, metav1.SchemeGroupVersion)
	utilruntime.Must(example.AddToScheme(scheme))
	utilruntime.Must(examplev1.AddToScheme(scheme))
	return apitesting.TestCodec(serializer.NewCodecFactory(scheme), examplev1.SchemeGroupVersion)
}

// store is a store as an API server has it, with access to what it reads and writes.
type store struct {
	storage.Interface
	client *clientv3.Client // besides the store's own, because that records
	reads  *storagetesting.KVRecorder
	lists  *storagetesting.KubernetesRecorder
	// transformer is the present one, and failing is whether it fails.
	transformer atomic.Pointer[value.Transformer]
	failing     atomic.Bool
}

// mark begins every stored value.
const mark = "test!"

func open(t *testing.T, dial func() (*clientv3.Client, error)) *store {
	t.Helper()
	connect := func() *clientv3.Client {
		client := require.Value(dial())(t)
		t.Cleanup(func() { _ = client.Close() })
		return client
	}
	client := &kubernetes.Client{Client: connect()}
	s := &store{client: connect(), lists: storagetesting.NewKubernetesRecorder(client)}
	s.reads = storagetesting.NewKVRecorder(client.KV, s.lists)
	client.KV, client.Kubernetes = s.reads, s.lists
	s.use(storagetesting.NewPrefixTransformer([]byte(mark), false))
	compactor := etcd3.NewCompactor(s.client, 0, clock.RealClock{}, nil)
	t.Cleanup(compactor.Stop)
	leases := etcd3.NewDefaultLeaseManagerConfig()
	leases.ReuseDurationSeconds = 1 // otherwise objects live for a minute longer
	versioner := storage.APIObjectVersioner{}
	inner := require.Value(etcd3.New(client, compactor, codec, func() runtime.Object { return &example.Pod{} }, func() runtime.Object { return &example.PodList{} },
		"", "/pods/", pods, s, leases, etcd3.NewDefaultDecoder(codec, versioner), versioner))(t)
	t.Cleanup(inner.Close)
	s.Interface = inner
	return s
}

func (s *store) use(transformer value.Transformer) { s.transformer.Store(&transformer) }

// TransformFromStorage makes the store a value.Transformer, which passes on to the present one.
func (s *store) TransformFromStorage(ctx context.Context, data []byte, dataCtx value.Context) ([]byte, bool, error) {
	if s.failing.Load() {
		return nil, false, errors.New("the transformer fails")
	}
	return (*s.transformer.Load()).TransformFromStorage(ctx, data, dataCtx)
}

// TransformToStorage is the other direction.
func (s *store) TransformToStorage(ctx context.Context, data []byte, dataCtx value.Context) ([]byte, error) {
	return (*s.transformer.Load()).TransformToStorage(ctx, data, dataCtx)
}

func (s *store) fail(failing bool) { s.failing.Store(failing) }

// UpdateTransformer changes the transformer until the returned function is called.
func (s *store) UpdateTransformer(change storagetesting.TransformerModifier) (restore func()) {
	before := *s.transformer.Load()
	s.use(change(before))
	return func() { s.use(before) }
}

// UpdatePrefixTransformer does so with a copy of the transformer.
func (s *store) UpdatePrefixTransformer(change storagetesting.PrefixTransformerModifier) (restore func()) {
	return s.UpdateTransformer(func(before value.Transformer) value.Transformer {
		copied := *before.(*storagetesting.PrefixTransformer) //nolint:forcetypeassert // open sets no other
		return change(&copied)
	})
}

// damaged is the error of an object that cannot be read.
func damaged(t *testing.T) error {
	t.Helper()
	failing := &store{}
	failing.fail(true)
	_, _, err := etcd3.WithCorruptObjErrorHandlingTransformer(failing).TransformFromStorage(t.Context(), nil, value.DefaultContext{})
	return err
}

// checkStored checks that an object was stored without the fields that its key and revision have.
func (s *store) checkStored(ctx context.Context, t *testing.T, key string) {
	t.Helper()
	g := NewWithT(t)
	response := require.Value(s.client.Get(ctx, key))(t)
	g.Expect(response.Kvs).To(HaveLen(1))
	stored := require.Value(runtime.Decode(codec, bytes.TrimPrefix(response.Kvs[0].GetValue(), []byte(mark))))(t)
	g.Expect(stored).To(HaveField("ObjectMeta", And(HaveField("ResourceVersion", ""), HaveField("SelfLink", ""))))
}

// checkReads checks that a list decoded no more objects than necessary, in pages that double: see etcd3.
func (s *store) checkReads(t *testing.T, page, objects uint64) {
	t.Helper()
	g := NewWithT(t)
	g.Expect((*s.transformer.Load()).(*storagetesting.PrefixTransformer).GetReadsAndReset()).To(Equal(objects))
	const maxPage = 10_000
	requests := uint64(1)
	for read := uint64(1); page > 0 && read < objects; requests++ {
		page = min(2*page, maxPage)
		read += page
	}
	g.Expect(s.reads.GetReadsAndReset() + s.reads.GetStreamReadsAndReset()).To(Equal(requests))
}

// write uses a revision.
func (s *store) write(ctx context.Context, t *testing.T) int64 {
	t.Helper()
	return require.Value(s.client.Put(ctx, "another key", ""))(t).Header.GetRevision()
}

// compact compacts as an API server does, and waits until the store knows it.
func (s *store) compact(ctx context.Context, t *testing.T, resourceVersion string) {
	t.Helper()
	g := NewWithT(t)
	revision := require.Value(s.Versioner().ParseResourceVersion(resourceVersion))(t)
	_, _, _, err := etcd3.Compact(ctx, s.client, 0, int64(revision))
	g.Expect(err).NotTo(HaveOccurred())
	g.Eventually(s.CompactRevision).WithTimeout(patience).Should(BeEquivalentTo(revision))
}
