// SPDX-License-Identifier: Apache-2.0

// Package sources has the flags for sources of images from Git and registries. Programs that run the controllers, or fetch sources, share it.
package sources

import (
	"cmp"
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"time"

	"github.com/spf13/pflag"

	"goldsmith.dev/goldsmith/cmd/internal/duration"
	"goldsmith.dev/goldsmith/jobs/render"
)

const (
	interval   = "source-interval"
	webhook    = "source-webhook-address"
	webhookKey = "source-webhook-secret-file"
	// defaultInterval is what users of Flux and Argo CD are used to.
	defaultInterval = 5 * time.Minute
	// minInterval keeps the load of servers small.
	minInterval = 10 * time.Second
)

// Flags are the values of the flags. The zero value is the default.
type Flags struct {
	// Interval is the time between two checks of a source. 0 is five minutes.
	Interval time.Duration
	// Allowed are networks, ADDRESS/BITS, that are reached although they are loopback or link-local.
	Allowed Networks
	// Webhook is the address, HOST:PORT, at which webhooks are received over HTTP. Empty: they are not.
	Webhook string
	// WebhookSecret is the file from which the secrets of their senders are derived. It is read for each webhook.
	WebhookSecret string
}

// AddTo adds the flags of a program that runs the controllers.
func (f *Flags) AddTo(flags *pflag.FlagSet) {
	duration.Var(flags, &f.Interval, interval, defaultInterval, "time between two checks of a source from Git or a registry, such as 10m")
	f.Allowed.AddTo(flags)
	flags.StringVar(&f.Webhook, webhook, "", "`address`, HOST:PORT, that receives webhooks of Git servers over HTTP, at /hooks/source/NAMESPACE/IMAGE (default none)")
	flags.StringVar(&f.WebhookSecret, webhookKey, "", "`file` with a secret of at least 16 bytes, from which the secret of each image's webhook is derived")
}

// Read returns the values, or an error that names a flag.
func (f *Flags) Read() (Flags, error) {
	read := *f
	read.Interval = cmp.Or(f.Interval, defaultInterval)
	if read.Interval < minInterval {
		return read, fmt.Errorf("--%s %s: must be at least %s", interval, f.Interval, minInterval)
	}
	if _, err := f.Allowed.Prefixes(); err != nil {
		return read, err
	}
	if (f.Webhook == "") != (f.WebhookSecret == "") {
		return read, fmt.Errorf("--%s and --%s need each other: set both, or none", webhook, webhookKey)
	}
	if f.Webhook == "" {
		return read, nil
	}
	_, port, err := net.SplitHostPort(f.Webhook)
	if err == nil {
		_, err = strconv.ParseUint(port, 10, 16)
	}
	if err != nil {
		return read, fmt.Errorf("--%s %q: must be HOST:PORT, such as 127.0.0.1:8082 or :8082", webhook, f.Webhook)
	}
	_, err = f.key()
	return read, err
}

// Networks are networks as a flag has them.
type Networks []string

// AddTo adds the flag.
func (n *Networks) AddTo(flags *pflag.FlagSet) {
	flags.StringSliceVar((*[]string)(n), render.AllowedNetworksFlag, nil,
		"loopback or link-local network `ADDRESS/BITS` in which sources from Git and registries may be, such as 127.0.0.0/8; repeatable (default none)")
}

// Prefixes returns the networks, or an error that names the flag.
func (n Networks) Prefixes() (prefixes []netip.Prefix, err error) {
	for _, text := range n {
		prefix, err := netip.ParsePrefix(text)
		if err != nil {
			return nil, fmt.Errorf("--%s %q: must be a network, such as 127.0.0.0/8", render.AllowedNetworksFlag, text)
		}
		prefixes = append(prefixes, prefix.Masked())
	}
	return prefixes, nil
}
