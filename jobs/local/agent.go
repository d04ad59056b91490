// SPDX-License-Identifier: Apache-2.0

package local

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/netip"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/go-logr/logr"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/types"
	batchinformers "k8s.io/client-go/informers/batch/v1"
	coreinformers "k8s.io/client-go/informers/core/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/kubernetes/scheme"
	typedcorev1 "k8s.io/client-go/kubernetes/typed/core/v1"
	batchlisters "k8s.io/client-go/listers/batch/v1"
	corelisters "k8s.io/client-go/listers/core/v1"
	"k8s.io/client-go/tools/cache"
	"k8s.io/client-go/tools/record"
	"k8s.io/utils/clock"

	imagesv1alpha1 "goldsmith.dev/goldsmith/apis/generated/clientset/versioned/typed/images/v1alpha1"
	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/jobs/documents"
	"goldsmith.dev/goldsmith/jobs/local/artifacts"
	"goldsmith.dev/goldsmith/jobs/local/internal/reconcile"
	"goldsmith.dev/goldsmith/jobs/local/jobcontroller"
	"goldsmith.dev/goldsmith/jobs/local/process"
	"goldsmith.dev/goldsmith/jobs/local/transfer"
	"goldsmith.dev/goldsmith/jobs/render"
	"goldsmith.dev/goldsmith/jobs/result"
)

const (
	// nodeName is the node name of all pods.
	nodeName = "local"
	// podWorkers is how many pods are reconciled at the same time.
	podWorkers = 4
	// stopLimit is how long builders and their last writes may take when the agent stops.
	stopLimit = 1500 * time.Millisecond
	// superviseRetry is the wait between two tries to start a supervisor.
	superviseRetry = time.Second
)

// Builder is a program that the operator registered.
type Builder struct {
	// Path is the absolute path of the executable.
	Path string
	// Args are its arguments. Users of this machine can read them.
	Args []string
	// Env are variables of its environment, beside those of the builder contract. Their names are not Reserved.
	Env []EnvVar
	// Workers is how many workers the builder can occupy. Default: all.
	Workers int
	// ChecksSources lets the program run although all workers are busy, but only in the Jobs with which a controller checks sources. The controller
	// limits them, and a build waits for them.
	ChecksSources bool
	// Unconfined lets the builder read and write all files that the user of this process can, whatever Options.Hidden.
	Unconfined bool
}

// Options configure an Agent.
type Options struct {
	// Client reaches the API server. Its rate limit should be off.
	Client kubernetes.Interface
	// Builders are the programs that may run, by name. SetBuilders replaces them.
	Builders map[string]Builder
	// Dir is where the agent keeps a directory for each pod, which it removes with the pod. Once the end of a pod is stored, the agent
	// removes everything there but the log and the marker that prevents a second start. It also keeps the output of an attempt that
	// succeeded without Artifacts. Only one agent at a time may use Dir. The agent does not touch other files in Dir.
	Dir string
	// Artifacts gets the files that the results of successful processes name, and those that are fetched for a base. It should be on the file system of Dir. The message of
	// such a process is one for result.Policy.Checked. Default: the agent does not read the files.
	Artifacts *artifacts.Store
	// AllowedNetworks are networks of sources that are reached although they are loopback or link-local.
	AllowedNetworks []netip.Prefix
	// Images reads what controllers have stored that they want Jobs for. Required with Artifacts: nothing is fetched or stored for other Jobs, and they
	// occupy at most half of the workers of builds.
	Images imagesv1alpha1.ImagesV1alpha1Interface
	// RecordLocks records the locks of artifacts. Default: locks are not recorded.
	RecordLocks func(ctx context.Context, build *v1alpha1.ImageBuild, locks []documents.Lock) error
	// Attest sends a request of the publisher of a pod to the attest subresource of a build. Default: artifacts are not attested.
	Attest func(ctx context.Context, pod *corev1.Pod, build types.NamespacedName, request *v1alpha1.BuildAttestation) (*v1alpha1.BuildAttestation, error)
	// PlainHTTPRegistries are the registries, each HOST or HOST:PORT, that are reached without TLS, besides those on loopback hosts.
	// Artifacts are published, and those of a base are fetched, only if Artifacts is set.
	PlainHTTPRegistries []string
	// Fit makes the artifacts fit their limit, or fails, after files were added and before they are recorded. Default: no limit.
	Fit func(context.Context) error
	// Results is what a result must have, so that its files are read. Its Checked is not used.
	Results result.Policy
	// Hidden are absolute paths without links that builders cannot read. Dir is below one of them. If any are set, builders can write
	// only to their own output, result and temporary directory, and cannot signal other processes, as far as the kernel's Landlock
	// can restrict them. Default: builders can do what the user of this process can.
	Hidden []string
	// Workers is how many processes run at the same time, at least 1, without those of tests and checks. Further pods wait: that of the namespace with
	// the fewest workers is next, then the oldest.
	Workers int
	// TestWorkers is how many processes run tests at the same time, and CheckWorkers how many ask archives. Default: Workers.
	TestWorkers, CheckWorkers int
	// Reporting lets builders report their progress. Default: builders do not report.
	Reporting *Reporting
	// Supervisor is the command that calls process.Supervise, for instance {"/proc/self/exe", "supervise"}.
	Supervisor []string
	// Clock is the clock for statuses, logs and deadlines. Default: the real clock.
	Clock clock.WithTicker
	// Logger gets the messages that have no place in a status. Default: none.
	Logger logr.Logger
}

// Agent runs the Jobs of one API server. It is safe for concurrent use.
type Agent struct {
	options Options
	dirs    podDirs

	builders atomic.Pointer[map[string]Builder] // never changed, only replaced
	workers  *workers
	queue    reconcile.Queue // of pods
	pods     corelisters.PodLister
	recorder record.EventRecorder
	transfer *transfer.Transfer // nil without Options.Artifacts
	programs programs           // of builders

	// Set by Run, before any object is reconciled.
	writes   context.Context // outlives Run's ctx by the time that last writes take
	stopping chan struct{}   // closed when builders are to end

	supervising sync.RWMutex        // locked while there is no supervisor
	processes   *process.Supervisor // guarded by supervising

	mu      sync.Mutex
	running bool
	stopped bool
	runs    map[types.UID]*run // pods with a process, until their end is seen in the cache
	active  sync.WaitGroup
}

// New creates an agent that does nothing until Run.
func New(o Options) (*Agent, error) {
	switch {
	case o.Client == nil:
		return nil, errors.New("local agent: no client")
	case o.Workers < 1:
		return nil, fmt.Errorf("local agent: %d workers, at least 1 is needed", o.Workers)
	case len(o.Supervisor) == 0:
		return nil, errors.New("local agent: no supervisor command")
	case o.Dir == "":
		return nil, errors.New("local agent: no directory")
	case o.Artifacts != nil && o.Images == nil:
		return nil, errors.New("local agent: artifacts, but no images")
	}
	dir, err := filepath.Abs(o.Dir)
	if err != nil {
		return nil, fmt.Errorf("local agent: %w", err)
	}
	if o.Clock == nil {
		o.Clock = clock.RealClock{}
	}
	a := &Agent{
		options:  o,
		dirs:     podDirs(dir),
		queue:    reconcile.NewQueue(o.Clock),
		stopping: make(chan struct{}),
		runs:     map[types.UID]*run{},
	}
	a.workers = newWorkers([classes]int{
		builds: o.Workers, tests: cmp.Or(o.TestWorkers, o.Workers), checks: cmp.Or(o.CheckWorkers, o.Workers), sources: render.MaxSourceChecks,
	}, a.queue.Add)
	if err := a.SetBuilders(o.Builders); err != nil {
		return nil, err
	}
	return a, nil
}

// Run runs Jobs until ctx is done, then ends every process and returns nil. The pods of those processes are not changed: the
// next Run reports them as lost. If the supervisor cannot start, Run returns an error at once. If the supervisor ends later, or
// is stopped by a signal, Run ends its processes, reports their pods as lost, and starts another supervisor. An agent runs once.
func (a *Agent) Run(ctx context.Context) (err error) {
	a.mu.Lock()
	if a.running {
		a.mu.Unlock()
		return errors.New("local agent: it has run before")
	}
	a.running = true
	a.mu.Unlock()

	if err := a.dirs.create(); err != nil {
		return fmt.Errorf("local agent: %w", err)
	}
	if a.processes, err = process.NewSupervisor(a.options.Supervisor); err != nil {
		return fmt.Errorf("local agent: %w", err)
	}
	defer func() {
		if closeErr := a.currentSupervisor().Close(); closeErr != nil && err == nil {
			err = fmt.Errorf("local agent: running builds are lost: %w", closeErr)
		}
	}()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	writes, endWrites := context.WithCancel(context.WithoutCancel(ctx))
	defer endWrites()
	a.writes = writes

	wait, err := a.begin(ctx)
	defer func() {
		cancel()
		a.queue.ShutDown()
		a.stopBuilders(endWrites)
		wait()
	}()
	if err != nil {
		return err
	}
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-a.currentSupervisor().Done():
			a.replaceSupervisor(ctx)
		}
	}
}

// replaceSupervisor starts a supervisor after the last one has ended. It tries until ctx is done.
func (a *Agent) replaceSupervisor(ctx context.Context) {
	a.supervising.Lock()
	defer a.supervising.Unlock()
	a.options.Logger.Error(a.processes.Err(), "The supervisor of builders ended, its builders are lost: starting another")
	for {
		next, err := process.NewSupervisor(a.options.Supervisor)
		if err == nil {
			a.processes = next
			return
		}
		a.options.Logger.Error(err, "The supervisor of builders cannot be started, will retry")
		select {
		case <-ctx.Done():
			return
		case <-a.options.Clock.After(superviseRetry):
		}
	}
}

// currentSupervisor returns the supervisor. It waits for one that is being started.
func (a *Agent) currentSupervisor() *process.Supervisor {
	a.supervising.RLock()
	defer a.supervising.RUnlock()
	return a.processes
}

// Running returns how many pods have a process that runs or is being started.
func (a *Agent) Running() int { return a.workers.busy() }

// begin starts the informers and, once they have synced, the workers. wait waits until all have ended.
func (a *Agent) begin(ctx context.Context) (wait func(), err error) {
	broadcaster := record.NewBroadcaster(record.WithContext(ctx))
	broadcaster.StartRecordingToSink(&typedcorev1.EventSinkImpl{Interface: a.options.Client.CoreV1().Events("")})
	a.recorder = broadcaster.NewRecorder(scheme.Scheme, corev1.EventSource{Component: "goldsmith-agent"})

	// A factory of informers would link those of all kinds of Kubernetes.
	byNamespace := func() cache.Indexers { return cache.Indexers{cache.NamespaceIndex: cache.MetaNamespaceIndexFunc} }
	jobs := batchinformers.NewJobInformer(a.options.Client, metav1.NamespaceAll, 0, byNamespace())
	pods := coreinformers.NewPodInformer(a.options.Client, metav1.NamespaceAll, 0, byNamespace())
	a.pods = corelisters.NewPodLister(pods.GetIndexer())
	if a.options.Artifacts != nil {
		a.transfer = transfer.New(transfer.Options{
			Store: a.options.Artifacts, Fit: a.options.Fit, Jobs: batchlisters.NewJobLister(jobs.GetIndexer()), Images: a.options.Images, RecordLocks: a.options.RecordLocks, Attest: a.options.Attest, Secrets: a.options.Client.CoreV1(),
			PlainHTTPRegistries: a.options.PlainHTTPRegistries, AllowedNetworks: a.options.AllowedNetworks, Clock: a.options.Clock, Logger: a.options.Logger,
		})
	}
	var group sync.WaitGroup
	wait = func() {
		broadcaster.Shutdown()
		group.Wait()
	}
	if err := errors.Join(jobs.SetTransform(strip), pods.SetTransform(strip)); err != nil {
		return wait, fmt.Errorf("local agent: %w", err)
	}
	controller, err := jobcontroller.New(jobs, pods, jobcontroller.Options{
		Client: a.options.Client, Recorder: a.recorder, NodeName: nodeName, Clock: a.options.Clock, Logger: a.options.Logger,
	})
	if err != nil {
		return wait, fmt.Errorf("local agent: %w", err)
	}
	enqueue := func(object any) {
		if pod, ok := object.(*corev1.Pod); ok {
			a.queue.Add(reconcile.RefOf(pod))
		}
	}
	if _, err := pods.AddEventHandler(reconcile.Handle(enqueue)); err != nil {
		return wait, fmt.Errorf("local agent: watch pods: %w", err)
	}
	group.Go(func() { jobs.RunWithContext(ctx) })
	group.Go(func() { pods.RunWithContext(ctx) })
	if !cache.WaitForCacheSync(ctx.Done(), jobs.HasSynced, pods.HasSynced) {
		return wait, nil // ctx is done
	}
	if err := a.removeOrphanDirs(); err != nil {
		return wait, fmt.Errorf("local agent: %w", err)
	}
	group.Go(func() { controller.Run(ctx) })
	for range podWorkers {
		group.Go(func() { a.queue.Work(ctx, "Pod", a.options.Logger, a.syncPod) })
	}
	return wait, nil
}

// removeOrphanDirs removes the directories of deleted pods.
func (a *Agent) removeOrphanDirs() error {
	pods, err := a.pods.List(labels.Everything())
	if err != nil {
		return err
	}
	known := make(map[types.UID]bool, len(pods))
	for _, pod := range pods {
		known[pod.UID] = true
	}
	return a.dirs.removeExcept(known)
}

// stopBuilders ends every process and waits for the last writes, both for a limited time. The supervisor kills processes that
// do not end.
func (a *Agent) stopBuilders(endWrites context.CancelFunc) {
	a.mu.Lock()
	a.stopped = true
	close(a.stopping)
	a.mu.Unlock()

	done := make(chan struct{})
	go func() {
		a.active.Wait()
		close(done)
	}()
	limit := time.NewTimer(stopLimit)
	defer limit.Stop()
	select {
	case <-done:
		return
	case <-limit.C:
	}
	endWrites()
	if err := a.currentSupervisor().Close(); err != nil {
		a.options.Logger.Error(err, "The supervisor did not end cleanly")
	}
	<-done
}
