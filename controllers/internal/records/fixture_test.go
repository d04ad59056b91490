// SPDX-License-Identifier: Apache-2.0

package records

import (
	"context"
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/go-logr/logr"
	. "github.com/onsi/gomega"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/util/retry"
	"k8s.io/utils/clock"
	testingclock "k8s.io/utils/clock/testing"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/config"
	"sigs.k8s.io/controller-runtime/pkg/metrics/server"

	"goldsmith.dev/goldsmith/apis/generated/clientset/versioned"
	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/controllers/internal/apitest"
	"goldsmith.dev/goldsmith/controllers/internal/caches"
	"goldsmith.dev/goldsmith/controllers/internal/metrics"
	"goldsmith.dev/goldsmith/controllers/internal/reconciliation"
	"goldsmith.dev/goldsmith/e2e/require"
	database "goldsmith.dev/goldsmith/records"
)

const (
	namespace = "default"
	within    = 30 * time.Second
)

func TestMain(m *testing.M) {
	ctrl.SetLogger(logr.Discard()) // what controller-runtime logs by itself
	os.Exit(m.Run())
}

// errUnavailable is the error of a database that does not answer.
var errUnavailable = errors.New("nobody answers")

// faulty is a database that can be unavailable, that can refuse writes, and that counts its writes.
type faulty struct {
	*database.Store
	address string
	clock   clock.PassiveClock

	lock    sync.Mutex
	away    bool
	full    bool      // the database is read-only
	refused types.UID // a build that the database rejects
	batches int       // the number of writes of several builds
	writes  int       // the number of writes of a single build
	missing bool      // the database does not exist yet
}

func (f *faulty) change(change func()) {
	f.lock.Lock()
	defer f.lock.Unlock()
	change()
}

// open opens the database, unless it does not exist yet.
func (f *faulty) open(ctx context.Context) (*database.Store, error) {
	f.lock.Lock()
	defer f.lock.Unlock()
	if f.missing {
		return nil, errUnavailable
	}
	return database.Open(ctx, f.address, database.Options{Clock: f.clock})
}

// hasty is a clock that waits for nothing long.
type hasty struct{ clock.RealClock }

func (hasty) After(time.Duration) <-chan time.Time { return time.After(20 * time.Millisecond) }

// fault returns the error that a write of these builds fails with.
func (f *faulty) fault(builds ...*v1alpha1.ImageBuild) error {
	f.lock.Lock()
	defer f.lock.Unlock()
	switch {
	case f.away:
		return errUnavailable
	case f.full:
		return errors.New("the disk is full")
	}
	for _, build := range builds {
		if f.refused != "" && build.UID == f.refused {
			return database.ErrInvalid
		}
	}
	return nil
}

func (f *faulty) SchemaVersion(ctx context.Context) (int64, error) {
	f.lock.Lock()
	away := f.away
	f.lock.Unlock()
	if away {
		return 0, errUnavailable
	}
	return f.Store.SchemaVersion(ctx)
}

func (f *faulty) InNamespace(ctx context.Context, kind database.Kind, namespace types.UID, objects ...types.UID) error {
	if err := f.fault(); err != nil {
		return err
	}
	return f.Store.InNamespace(ctx, kind, namespace, objects...)
}

func (f *faulty) PutImage(ctx context.Context, image *v1alpha1.Image) error {
	if err := f.fault(); err != nil {
		return err
	}
	return f.Store.PutImage(ctx, image)
}

func (f *faulty) PutBuild(ctx context.Context, build *v1alpha1.ImageBuild) error {
	if err := f.fault(build); err != nil {
		return err
	}
	f.change(func() { f.writes++ })
	return f.Store.PutBuild(ctx, build)
}

func (f *faulty) PutBuilds(ctx context.Context, builds []*v1alpha1.ImageBuild) error {
	if err := f.fault(builds...); err != nil {
		return err
	}
	f.change(func() { f.batches++ })
	return f.Store.PutBuilds(ctx, builds)
}

func (f *faulty) BuildDeleted(ctx context.Context, uid types.UID, at time.Time) error {
	if err := f.fault(); err != nil {
		return err
	}
	return f.Store.BuildDeleted(ctx, uid, at)
}

func (f *faulty) ImageDeleted(ctx context.Context, uid types.UID, at time.Time) error {
	if err := f.fault(); err != nil {
		return err
	}
	return f.Store.ImageDeleted(ctx, uid, at)
}

func (f *faulty) AddOutcome(ctx context.Context, image database.ImageKey, outcome database.Outcome) error {
	if err := f.fault(); err != nil {
		return err
	}
	return f.Store.AddOutcome(ctx, image, outcome)
}

func (f *faulty) Restored(ctx context.Context, kind database.Kind, live map[types.UID]string) error {
	if err := f.fault(); err != nil {
		return err
	}
	return f.Store.Restored(ctx, kind, live)
}

func (f *faulty) UndeletedUIDs(ctx context.Context, kind database.Kind, paging database.Paging) (*database.Page[types.UID], error) {
	if err := f.fault(); err != nil {
		return nil, err
	}
	return f.Store.UndeletedUIDs(ctx, kind, paging)
}

// fixture is an API and a database.
type fixture struct {
	*WithT
	t       *testing.T
	stored  *apitest.Server
	client  versioned.Interface
	clock   *testingclock.FakePassiveClock
	records *faulty
	metrics *metrics.Records // of the process that was started last
}

func newFixture(t *testing.T) *fixture {
	w := &fixture{WithT: NewWithT(t), t: t, clock: testingclock.NewFakePassiveClock(time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC))}
	w.SetDefaultEventuallyTimeout(within)
	w.stored = apitest.New(v1alpha1.SchemeGroupVersion.WithKind("Image"), v1alpha1.SchemeGroupVersion.WithKind("ImageBuild"), corev1.SchemeGroupVersion.WithKind("Namespace"))
	t.Cleanup(w.stored.Close)
	w.client = versioned.NewForConfigOrDie(w.stored.Config("test"))
	address := "sqlite://" + filepath.Join(t.TempDir(), "records.db")
	store := require.Value(database.Open(t.Context(), address, database.Options{Clock: w.clock}))(w.t)
	t.Cleanup(func() { w.Expect(store.Close()).To(Succeed()) })
	w.records = &faulty{Store: store, address: address, clock: w.clock}
	return w
}

// run runs the controller until it is stopped, or the test ends. Each call is another process.
func (w *fixture) run() (stop func()) {
	w.t.Helper()
	given := w.stored.Config("controller")
	scheme := require.Value(caches.Scheme())(w.t)
	manager, err := ctrl.NewManager(given, ctrl.Options{
		Scheme: scheme, MapperProvider: caches.Mapper, Cache: caches.Options(),
		Metrics: server.Options{BindAddress: "0"}, Controller: config.Controller{SkipNameValidation: new(true)},
	})
	w.Expect(err).NotTo(HaveOccurred())
	w.metrics = require.Value(metrics.NewRecords(prometheus.NewRegistry(), manager.GetCache(), manager.Elected(), w.clock))(w.t)
	connection := database.NewConnection(w.t.Context(), w.records.open, hasty{})
	w.t.Cleanup(func() { w.Expect(connection.Close()).To(Succeed()) })
	w.Expect(SetupWithManager(manager, Options{
		Options:  reconciliation.Options{Client: versioned.NewForConfigOrDie(given), Kube: kubernetes.NewForConfigOrDie(given), Clock: w.clock},
		Database: connection, Metrics: w.metrics, store: func(*database.Store) Store { return w.records },
	})).To(Succeed())
	running, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- manager.Start(running) }()
	stop = sync.OnceFunc(func() {
		cancel()
		w.Eventually(ended).Should(Receive(Succeed()))
	})
	w.t.Cleanup(stop)
	return stop
}

func (w *fixture) up() float64 { return testutil.ToFloat64(w.metrics.Up) }

func (w *fixture) image(name string, change ...func(*v1alpha1.Image)) *v1alpha1.Image {
	w.t.Helper()
	image := &v1alpha1.Image{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name}}
	for _, c := range change {
		c(image)
	}
	image = require.Value(w.client.ImagesV1alpha1().Images(namespace).Create(w.t.Context(), image, metav1.CreateOptions{}))(w.t)
	return image
}

func (w *fixture) update(image *v1alpha1.Image) {
	w.t.Helper()
	require.Value(w.client.ImagesV1alpha1().Images(namespace).Update(w.t.Context(), image, metav1.UpdateOptions{}))(w.t)
}

// refuse has the API refuse every request for a resource.
func (w *fixture) refuse(resource string) {
	w.stored.Refuse(func(call apitest.Call) int {
		if call.Resource == resource {
			return http.StatusServiceUnavailable
		}
		return 0
	})
}

func (w *fixture) build(name string, image *v1alpha1.Image, change ...func(*v1alpha1.ImageBuild)) *v1alpha1.ImageBuild {
	w.t.Helper()
	build := &v1alpha1.ImageBuild{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name}}
	build.Status.Phase = v1alpha1.BuildRunning
	if image != nil {
		build.Spec.ImageRef = &v1alpha1.ImageReference{Name: image.Name, UID: image.UID}
	}
	for _, c := range change {
		c(build)
	}
	build = require.Value(w.client.ImagesV1alpha1().ImageBuilds(namespace).Create(w.t.Context(), build, metav1.CreateOptions{}))(w.t)
	return build
}

// ended is a build that has finished.
func (w *fixture) ended(phase v1alpha1.BuildPhase) func(*v1alpha1.ImageBuild) {
	return func(build *v1alpha1.ImageBuild) {
		build.Status.Phase, build.Status.Finished = phase, true
		build.Status.CompletionTime = &metav1.Time{Time: w.clock.Now()}
	}
}

func (w *fixture) change(name string, change func(*v1alpha1.ImageBuild)) {
	w.t.Helper()
	builds := w.client.ImagesV1alpha1().ImageBuilds(namespace)
	w.Expect(retry.RetryOnConflict(retry.DefaultBackoff, func() error {
		build, err := builds.Get(w.t.Context(), name, metav1.GetOptions{})
		if err != nil {
			return err
		}
		change(build)
		_, err = builds.UpdateStatus(w.t.Context(), build, metav1.UpdateOptions{})
		return err
	})).To(Succeed())
}

func (w *fixture) delete(name string) {
	w.t.Helper()
	w.Expect(w.client.ImagesV1alpha1().ImageBuilds(namespace).Delete(w.t.Context(), name, metav1.DeleteOptions{})).To(Succeed())
}

// condition is Recorded of a build, as "Status/Reason"; empty if there is none.
func (w *fixture) condition(name string) func() string {
	return func() string {
		build, err := w.client.ImagesV1alpha1().ImageBuilds(namespace).Get(context.Background(), name, metav1.GetOptions{})
		if err != nil {
			return err.Error()
		}
		found := meta.FindStatusCondition(build.Status.Conditions, v1alpha1.BuildRecorded)
		if found == nil {
			return ""
		}
		return string(found.Status) + "/" + found.Reason
	}
}

// recorded returns the record of a build, or nil if the database has no record of the build.
func (w *fixture) recorded(build *v1alpha1.ImageBuild) func() (*database.Record, error) {
	return func() (*database.Record, error) {
		record, err := w.records.Build(context.Background(), build.Namespace, build.UID)
		if errors.Is(err, database.ErrNotFound) {
			return nil, nil
		}
		return record, err
	}
}

// undeleted are the objects of a kind of which the database knows no deletion.
func (w *fixture) undeleted(kind database.Kind) func() ([]types.UID, error) {
	return func() ([]types.UID, error) {
		page, err := w.records.UndeletedUIDs(context.Background(), kind, database.Paging{})
		if err != nil {
			return nil, err
		}
		return page.Items, nil
	}
}
