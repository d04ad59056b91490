// SPDX-License-Identifier: Apache-2.0

// Package deadline has the deadlines of all specs. Each deadline is the sum of timers, which take as long on any machine, and of
// work, which takes longer on a busy machine. Work is multiplied by a factor that is measured once in each test process. Only a
// failing spec waits until its deadline, so deadlines may be generous.
package deadline

import "time"

// Wait is the time after which a spec fails, by its parts.
type Wait struct {
	// Timers is the sum of intervals, leases and back-offs.
	Timers time.Duration
	// Work is how long the CPUs of an idle machine need, and the disk.
	Work time.Duration
}

// Deadline returns how long to wait on this machine, in whole seconds: some are timeouts of builds, which have no fractions.
func (w Wait) Deadline() time.Duration {
	return w.times(Factor())
}

func (w Wait) times(factor float64) time.Duration {
	exact := w.Timers + time.Duration(factor*float64(w.Work))
	return (exact + time.Second - 1).Truncate(time.Second)
}

// Waits of specs against one process.
var (
	// InProcess is one step of a server or a controller in the test process. The longest timer is the last retry of
	// jobs/local/cascade: 30 s.
	InProcess = Wait{Timers: 30 * time.Second, Work: 30 * time.Second}
	// Local is one step of `goldsmith up`: a build starts two processes and ends, or a kubectl runs. The longest timer is
	// that of InProcess. Up to four builds, and kubectls beside them, share the CPUs.
	Local = Wait{Timers: 30 * time.Second, Work: 90 * time.Second}
	// LocalBuilderStart is BuilderStart for builders that are processes.
	LocalBuilderStart = Wait{Work: 3 * time.Second}
	// InProcessSuite is a whole suite of specs like those of InProcess.
	InProcessSuite = Wait{Work: 10 * time.Minute}
)

// Waits of specs against a cluster.
var (
	// Step is one step of Goldsmith in a cluster, including one container that was killed on the way. Timers are the lease of
	// a leader (15 s) and the kubelet's back-off after the third crash (40 s). Work is that of some ten pods that start at
	// the same time.
	Step = Wait{Timers: time.Minute, Work: 2 * time.Minute}
	// BuilderStart is how long a builder takes to start beside others: specs have builds that must not end earlier.
	BuilderStart = Wait{Work: 15 * time.Second}
	// Rollout is how long an installation, or its removal, takes: Step for each part, most of them side by side.
	Rollout = Wait{Timers: time.Minute, Work: 2 * time.Minute}
	// WorkerGivenUp is how long Kubernetes takes to give up a worker that is silent. It is not ready after some 50 s, and pods
	// of builds tolerate that for 60 s. A kube-controller-manager that restarts meanwhile counts both again.
	WorkerGivenUp = Wait{Timers: 2 * (50 + 60) * time.Second, Work: 20 * time.Second}
	// NamespaceTerminates is how long a namespace takes to terminate. Kubernetes retries after waits that grow to one minute.
	NamespaceTerminates = Wait{Timers: time.Minute, Work: time.Minute}
	// CollectorNotices is how long the garbage collector takes to notice that an API exists no more. It asks every 30 s.
	CollectorNotices = Wait{Timers: 30 * time.Second, Work: 10 * time.Second}
	// SecretReachesPod is how long the kubelet takes to write a changed Secret to the volume of a running pod: it synchronizes a
	// pod every 60 to 90 s, from a cache that is up to 60 s old.
	SecretReachesPod = Wait{Timers: 150 * time.Second, Work: 30 * time.Second}
	// HistoryCatchesUp is how far the recorded history of a namespace may be behind what a client reads. A watch that hears of
	// nothing is trusted for 20 s, and the list after it has 10 s.
	HistoryCatchesUp = Wait{Timers: 30 * time.Second, Work: 10 * time.Second}
	// Answer is how long one request of the upgrade probe may take: it may meet an API server that has just stopped.
	Answer = Wait{Work: 15 * time.Second}
	// Fleet is how long 50 images take that are built in three layers, while a leader of the controllers is lost.
	Fleet = Wait{Timers: 2 * time.Minute, Work: 10 * time.Minute}
	// DebianBuild is a build of the builder debian, the first one with packages from the network, beside a guest that boots.
	DebianBuild = Wait{Timers: time.Minute, Work: 10 * time.Minute}
	// Boot is a boot of a guest whose processor is emulated, until a login.
	Boot = Wait{Timers: time.Minute, Work: 4 * time.Minute}
	// Dump is how long what is kept of a failed spec takes to collect.
	Dump = Wait{Work: time.Minute}
	// Docs is how long all commands of the docs for a cluster take together.
	Docs = Wait{Timers: 2 * time.Minute, Work: 8 * time.Minute}
)
