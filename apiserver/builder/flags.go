// SPDX-License-Identifier: Apache-2.0

package builder

import (
	"slices"

	"github.com/spf13/pflag"

	"goldsmith.dev/goldsmith/apiserver/filters"
)

// runFlags are the library's flags about running a server that an aggregated server uses. goaway-chance is not among them:
// the aggregator is the only client, and would lose connections without need.
var runFlags = []string{
	"max-requests-inflight", "max-mutating-requests-inflight", "request-timeout", "min-request-timeout",
	"shutdown-delay-duration", "shutdown-watch-termination-grace-period",
}

// idleFlags are flags of the library that would have no effect here, or would break the server. All resources share one etcd,
// a resource's Go type determines its encoding, the listener is our own, and the library no longer reads some flags.
var idleFlags = []string{
	"etcd-servers-overrides", "storage-backend", "storage-media-type", "default-watch-cache-size",
	"etcd-db-metric-poll-interval", "permit-port-sharing", "permit-address-sharing",
}

// AddFlags adds the flags of the options that the server's mode uses. A bearer token has no flag, because every user of the
// machine can see arguments.
func (o *Options) AddFlags(flags *pflag.FlagSet) {
	recommended := o.Recommended
	notIdle := func(name string) bool { return !slices.Contains(idleFlags, name) }
	aboutRunning := func(name string) bool { return slices.Contains(runFlags, name) }
	if _, external := o.server.storage.(externalEtcd); external {
		add(flags, recommended.Etcd.AddFlags, notIdle)
	}
	if o.server.listener == nil {
		add(flags, recommended.SecureServing.AddFlags, notIdle)
		flags.Lookup("secure-port").Usage = "The port on which to serve HTTPS with authentication and authorization. If 0, a free one."
	}
	recommended.Audit.AddFlags(flags)
	if o.server.delegated != nil {
		add(flags, o.ServerRun.AddUniversalFlags, aboutRunning)
		filters.AddOriginsFlag(flags, &o.ServerRun.CorsAllowedOriginList)
		recommended.Authentication.AddFlags(flags)
		recommended.Authorization.AddFlags(flags)
		recommended.CoreAPI.AddFlags(flags)
		recommended.Features.AddFlags(flags)
		recommended.Admission.AddFlags(flags)
		recommended.Traces.AddFlags(flags)
	}
}

// add adds the given flags of the library.
func add(flags *pflag.FlagSet, library func(*pflag.FlagSet), wanted func(name string) bool) {
	all := pflag.NewFlagSet("", pflag.ContinueOnError)
	library(all)
	all.VisitAll(func(flag *pflag.Flag) {
		if wanted(flag.Name) {
			flags.AddFlag(flag)
		}
	})
}
