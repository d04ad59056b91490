// SPDX-License-Identifier: Apache-2.0

package builder

import (
	"slices"

	"github.com/spf13/pflag"
)

// runFlags are the flags about how a server runs that an aggregated one has a use for. There is none for goaway-chance: the
// aggregator is its only client, and would lose connections for nothing.
var runFlags = []string{
	"max-requests-inflight", "max-mutating-requests-inflight", "request-timeout", "min-request-timeout",
	"shutdown-delay-duration", "shutdown-watch-termination-grace-period",
}

// idleFlags are flags of the library that would change nothing here, or would break the server: there is one etcd for
// all resources, a resource's Go type says how it is stored, the listener is ours, and some are no longer read.
var idleFlags = []string{
	"etcd-servers-overrides", "storage-backend", "storage-media-type", "default-watch-cache-size",
	"etcd-db-metric-poll-interval", "permit-port-sharing", "permit-address-sharing",
}

// AddFlags adds the flags of those options that the server's mode uses. There is none for a bearer token: arguments are
// visible to every user of the machine.
func (o *Options) AddFlags(flags *pflag.FlagSet) {
	recommended := o.Recommended
	notIdle := func(name string) bool { return !slices.Contains(idleFlags, name) }
	aboutRunning := func(name string) bool { return slices.Contains(runFlags, name) }
	if _, external := o.server.storage.(externalEtcd); external {
		add(flags, recommended.Etcd.AddFlags, notIdle)
	}
	if o.server.listener == nil && o.server.connProvider == nil {
		add(flags, recommended.SecureServing.AddFlags, notIdle)
		flags.Lookup("secure-port").Usage = "The port on which to serve HTTPS with authentication and authorization. If 0, a free one."
	}
	recommended.Audit.AddFlags(flags)
	if o.server.delegated {
		add(flags, o.ServerRun.AddUniversalFlags, aboutRunning)
		recommended.Authentication.AddFlags(flags)
		recommended.Authorization.AddFlags(flags)
		recommended.CoreAPI.AddFlags(flags)
		recommended.Features.AddFlags(flags)
		recommended.Admission.AddFlags(flags)
		recommended.Traces.AddFlags(flags)
	}
}

// add adds those flags of the library that are wanted.
func add(flags *pflag.FlagSet, library func(*pflag.FlagSet), wanted func(name string) bool) {
	all := pflag.NewFlagSet("", pflag.ContinueOnError)
	library(all)
	all.VisitAll(func(flag *pflag.Flag) {
		if wanted(flag.Name) {
			flags.AddFlag(flag)
		}
	})
}
