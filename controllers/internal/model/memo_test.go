// SPDX-License-Identifier: Apache-2.0

package model_test

import (
	"context"
	"errors"

	"github.com/go-logr/logr"
	"github.com/prometheus/client_golang/prometheus"
	"k8s.io/client-go/rest"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/controllers/internal/metrics"
	"goldsmith.dev/goldsmith/jobs/capability"
	"goldsmith.dev/goldsmith/jobs/inputs"
)

// memo remembers answers of pure functions that hash or encode: schedules ask them the same over and over.
type memo struct {
	builders    inputs.Builders
	resolutions map[resolveKey]resolution
	ctx         context.Context
	counts      *metrics.Builds
	checks      *metrics.Checks
	waits       *metrics.Queue
	logs        func() *rest.Request
}

// resolveKey is all that inputs differ in here.
type resolveKey struct {
	builder, reference, image, channel, source, queue, repository string
	checks                                                        string
	attest                                                        v1alpha1.AttestPolicy
	parameters                                                    [2]v1alpha1.Parameter
	baseThere                                                     bool
	baseDigest, awaited, channels                                 string
}

// maxRemembered is how many answers of a kind are kept: more cost the garbage collector more than they save.
const maxRemembered = 2000

func newMemo() *memo {
	counts, err := metrics.NewBuilds(prometheus.NewRegistry())
	waits, err2 := metrics.NewQueue(prometheus.NewRegistry())
	checks, err3 := metrics.NewSourceChecks(prometheus.NewRegistry())
	if err := errors.Join(err, err2, err3); err != nil {
		panic(err)
	}
	return &memo{
		builders:    inputs.Builders{Registered: map[string]inputs.Builder{"mock": {Image: "mock:1", Capabilities: capability.Capabilities{Probe: true}}, inputs.Tester: {Image: "tester:1"}, otherRunner: {Image: "theirs:1"}}, Publisher: inputs.Publisher{Agent: true, Checker: "checker:1"}},
		resolutions: map[resolveKey]resolution{},
		ctx:         logr.NewContext(context.Background(), logr.Discard()),
		counts:      counts, waits: waits, checks: checks, logs: newLogs(),
	}
}

// registered are the builders that a process has, which may lack the one.
func (m *memo) registered(gone bool) inputs.Builders {
	if gone {
		return inputs.Builders{}
	}
	return m.builders
}

// registered are the builders that a process has. In a cluster their pods publish, otherwise the agent would.
func (w *environment) registered(gone bool) inputs.Builders {
	builders := w.memo.registered(gone)
	if w.cluster {
		builders.Publisher = inputs.Publisher{Image: "controller:1"}
	}
	return builders
}

// lookup finds a builder, which may not be registered at the moment.
func (m *memo) lookup(builder v1alpha1.BuilderReference, gone bool) *v1alpha1.BuildFailure {
	builders := m.registered(gone)
	if _, ok := builders.Registered[builder.Name]; ok && builder.Image == "" {
		return nil
	}
	_, failure := builders.Lookup(builder)
	return failure
}

func keyOf(given *v1alpha1.BuildInputs) resolveKey {
	key := resolveKey{builder: given.Builder.Name, reference: given.Base.Reference}
	copy(key.parameters[:], given.Parameters)
	if ref := given.Base.ImageRef; ref != nil {
		key.image, key.channel = ref.Name, ref.Channel
	}
	if of := given.Source; of != nil && of.Git != nil {
		key.source = of.Git.URL + " " + of.Git.Ref
	} else if of != nil {
		key.source = of.ConfigMapRef.Name
	}
	if given.Template != nil {
		key.queue = given.Template.QueueName
	}
	if given.Output != nil {
		key.repository, key.attest = given.Output.Repository, given.Output.Attest
	}
	return key
}

// resolve resolves inputs with the checks of their source and with their base, if it exists, which may be revoked. No ConfigMap ever exists.
func (m *memo) resolve(given *v1alpha1.BuildInputs, base *v1alpha1.Image, revoked *v1alpha1.Revocation, checks *v1alpha1.ImageSource) resolution {
	key := keyOf(given)
	if checks != nil && inputs.Checked(given.Source) {
		key.checks = checks.Question + inputs.Revision(checks.Found)
		if checks.Failure != nil {
			key.checks += string(checks.Failure.Reason) + checks.Failure.Message
		}
	}
	if base != nil {
		key.baseThere, key.awaited = true, inputs.AwaitedBuild(base)
		if latest := base.Status.LatestSuccessful; latest != nil && key.channel == "" {
			key.baseDigest = latest.Artifacts[0].Digest
		}
		for _, channel := range base.Status.Channels {
			if channel.Name == key.channel {
				key.baseDigest = channel.Digest
			}
			if key.channel != "" { // a message lists them
				key.channels += channel.Name + " "
			}
		}
	}
	if revoked != nil {
		resolved, unresolved := inputs.Resolve(*given, inputs.Found{Base: base, Revoked: revoked, Source: checks})
		return resolution{resolved, unresolved}
	}
	known, ok := m.resolutions[key]
	if !ok {
		known.resolved, known.unresolved = inputs.Resolve(*given, inputs.Found{Base: base, Source: checks})
		remember(m.resolutions, key, known)
	}
	return known
}

func remember[K comparable, V any](known map[K]V, key K, value V) {
	if len(known) >= maxRemembered {
		clear(known)
	}
	known[key] = value
}
