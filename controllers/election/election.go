// SPDX-License-Identifier: Apache-2.0

// Package election elects one of several processes, which alone acts: the process that holds a Lease.
package election

import (
	"fmt"
	"os"
	"time"

	"k8s.io/apimachinery/pkg/util/uuid"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/leaderelection/resourcelock"
	ctrl "sigs.k8s.io/controller-runtime"

	"goldsmith.dev/goldsmith/controllers/outages"
	"goldsmith.dev/goldsmith/controllers/quiet"
)

const (
	// leaseDuration is how long a lease is valid without renewal. After the holder's node is lost, another process takes over
	// after this time. A holder that stops gives its lease up at once.
	leaseDuration = time.Minute
	// renewDeadline is how long the API may be unavailable before the holder ends. It is longer than a kube-apiserver takes to
	// restart.
	renewDeadline = 45 * time.Second
	// retryPeriod is the interval at which a process renews or requests the lease.
	retryPeriod = 2 * time.Second
	// requestTimeout keeps a request that hangs from using up the renew deadline.
	requestTimeout = 10 * time.Second
)

// Options of an election. All are required.
type Options struct {
	// Namespace of the Lease.
	Namespace string
	// Identity of this process, which no other process has at the same time. A process that restarts with its identity
	// continues with its lease.
	Identity string
}

// UniqueIdentity is an identity for a process that has no name of its own.
func UniqueIdentity() (string, error) {
	host, err := os.Hostname()
	if err != nil {
		return "", fmt.Errorf("create an identity for the election: %w", err)
	}
	return host + "_" + string(uuid.NewUUID()), nil
}

// NewManager creates a manager that acts only while it holds the lease of that name. Without an election, that is with nil
// Options, it always acts. If another process takes the lease, the manager ends with an error. The process must end as soon
// as the manager does. The monitor sees the requests of config.
func (o *Options) NewManager(config *rest.Config, settings ctrl.Options, lease string, monitor *outages.Monitor) (ctrl.Manager, error) {
	if o == nil {
		return ctrl.NewManager(config, settings)
	}
	kept, err := resourcelock.NewFromKubeconfig(resourcelock.LeasesResourceLock, o.Namespace, lease,
		resourcelock.ResourceLockConfig{Identity: o.Identity}, config, 2*requestTimeout)
	if err != nil {
		return nil, fmt.Errorf("election by Lease %s/%s: %w", o.Namespace, lease, err)
	}
	lock := newLock(kept)
	settings.Logger = quiet.Demote(settings.Logger, isLogged(monitor))
	settings.LeaderElection = true
	settings.LeaderElectionResourceLockInterface = lock
	settings.LeaderElectionReleaseOnCancel = true
	settings.LeaseDuration = new(leaseDuration)
	settings.RenewDeadline = new(renewDeadline)
	settings.RetryPeriod = new(retryPeriod)
	mgr, err := ctrl.NewManager(config, settings)
	if err != nil {
		return nil, err
	}
	return mgr, mgr.Add(lock)
}

// isLogged picks the lines about failed tries. There is one every few seconds while the API is unavailable, and package
// outages logs the outage anyway. The loss of the lease ends the manager with an error.
func isLogged(monitor *outages.Monitor) func(quiet.Line) bool {
	const loggerName = "leaderelection" // the name that a manager gives to the log of its election
	return func(line quiet.Line) bool {
		return line.Name == loggerName && line.Error && len(monitor.Reasons()) > 0
	}
}
