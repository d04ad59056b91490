// SPDX-License-Identifier: Apache-2.0

package transport

import (
	"cmp"
	"net/netip"
	"time"

	"k8s.io/utils/clock"
)

// defaultPatience is how long an outage of a registry is retried by default.
const defaultPatience = 2 * time.Minute

// Login is where a user has stored credentials for registries.
type Login struct {
	// File names the configuration in errors.
	File string
	// Config is the content of the file, in the format of DockerConfig. Its credHelpers and credsStore may name programs to run. Nil
	// without a file.
	Config []byte
	// Command is the command that stores credentials there, such as docker login.
	Command string
}

// Options are how to reach a registry.
type Options struct {
	// DockerConfig is the content of a .dockerconfigjson. Nil for an anonymous client.
	DockerConfig []byte
	// Logins are the credentials of the user who runs this process, instead of DockerConfig. The first of them that has some for the
	// repository counts. Remedies in errors name a command to log in instead of a Secret.
	Logins []Login
	// CA are certificates of authorities as PEM, which are trusted besides those of the system. With them, loopback hosts are
	// reached with TLS, too.
	CA []byte
	// PlainHTTP are the hosts, each HOST or HOST:PORT, that are reached without TLS besides loopback hosts.
	PlainHTTP []string
	// Control refuses addresses to which no connection is made. A name is checked by each address that it resolves to, as Route tells. May be nil.
	Control func(netip.Addr) error
	// SecretField is the field that names the Secret, for errors. Defaults to spec.output.secretRef.
	SecretField string
	// Patience is how long an outage of the registry is retried: rate limits, server errors and broken connections. An outage ends
	// with progress. Defaults to 2 minutes.
	Patience time.Duration
	// Impatient limits the retries to some seconds while the registry has not answered, and its host refuses connections or does not exist: a
	// user who mistypes it learns so at once.
	Impatient bool
	// Clock is the clock of outages. Defaults to the real one.
	Clock clock.Clock
	// UserAgent is sent to registries. Defaults to "goldsmith".
	UserAgent string
	// Progress is called with the number of bytes of all contents that the registry has, or that are sent to it. It never decreases.
	// May be nil.
	Progress func(bytes int64)
	// Retrying is called with an *Error before a request is repeated, but at most once a minute, because an outage can end after each
	// request. May be nil.
	Retrying func(err error)
	// Log gets one line before an artifact is pushed, and one after an artifact was pushed or fetched. The lines have no secrets. Defaults
	// to none.
	Log func(format string, args ...any)
}

// WithDefaults returns the options with the defaults of SecretField, Patience, Clock, UserAgent and Log.
func (o Options) WithDefaults() Options {
	o.SecretField = cmp.Or(o.SecretField, "spec.output.secretRef")
	o.UserAgent, o.Patience = cmp.Or(o.UserAgent, "goldsmith"), cmp.Or(o.Patience, defaultPatience)
	if o.Clock == nil {
		o.Clock = clock.RealClock{}
	}
	if o.Log == nil {
		o.Log = func(string, ...any) {}
	}
	return o
}
