// SPDX-License-Identifier: Apache-2.0

package model_test

import (
	"k8s.io/apimachinery/pkg/types"

	batchv1 "k8s.io/api/batch/v1"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/jobs/inputs"
	"goldsmith.dev/goldsmith/jobs/render"
)

// memo remembers answers of pure functions that hash or encode: schedules ask them the same over and over.
type memo struct {
	builders    inputs.Builders
	resolutions map[resolveKey]resolution
	jobs        map[jobKey]*batchv1.Job
}

// resolveKey is all that inputs differ in here.
type resolveKey struct {
	builder, reference, image, channel, source, queue string
	parameters                                        [2]v1alpha1.Parameter
	baseThere                                         bool
	baseDigest                                        string
}

// maxRemembered is how many answers of a kind are kept: more cost the garbage collector more than they save.
const maxRemembered = 2000

type jobKey struct {
	build           types.UID
	namespace, name string
	attempt         int32
	inputs          resolveKey
	digest          string
}

func newMemo() *memo {
	return &memo{
		builders:    inputs.Builders{Registered: map[string]inputs.Builder{"mock": {Image: "mock:1"}}},
		resolutions: map[resolveKey]resolution{},
		jobs:        map[jobKey]*batchv1.Job{},
	}
}

// lookup finds a builder, which may not be registered at the moment.
func (m *memo) lookup(builder v1alpha1.Builder, gone bool) *v1alpha1.BuildFailure {
	builders := m.builders
	if gone {
		builders = inputs.Builders{}
	}
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
	if given.Source != nil {
		key.source = given.Source.ConfigMapRef.Name
	}
	if given.Template != nil {
		key.queue = given.Template.QueueName
	}
	return key
}

// resolve resolves inputs with their base, if it exists. No ConfigMap ever exists.
func (m *memo) resolve(given *v1alpha1.BuildInputs, base *v1alpha1.Image) resolution {
	key := keyOf(given)
	if base != nil {
		key.baseThere = true
		if latest := base.Status.LatestSuccessful; latest != nil && key.channel == "" {
			key.baseDigest = latest.Artifacts[0].Digest
		}
		for _, channel := range base.Status.Channels {
			if channel.Name == key.channel {
				key.baseDigest = channel.Digest
			}
		}
	}
	known, ok := m.resolutions[key]
	if !ok {
		known.resolved, known.unresolved = inputs.Resolve(*given, inputs.Found{Base: base})
		remember(m.resolutions, key, known)
	}
	return known
}

// job renders the Job of an attempt.
func (m *memo) job(build *v1alpha1.ImageBuild, attempt int32) (*batchv1.Job, error) {
	key := jobKey{build: build.UID, namespace: build.Namespace, name: build.Name, attempt: attempt, inputs: keyOf(&build.Spec.Inputs)}
	if build.Status.Resolved != nil {
		key.digest = build.Status.Resolved.InputsDigest
	}
	if known, ok := m.jobs[key]; ok {
		return known, nil
	}
	job, err := render.Job(build, attempt, m.builders.Registered["mock"])
	if err == nil {
		render.KeepFingerprint(job)
		remember(m.jobs, key, job)
	}
	return job, err
}

// pinned returns the resolved inputs of a rerun.
func (m *memo) pinned(build *v1alpha1.ImageBuild) *v1alpha1.ResolvedInputs {
	key := keyOf(&build.Spec.Inputs)
	key.baseThere, key.baseDigest = true, "pinned "+build.Spec.Pinned.BaseDigest
	known, ok := m.resolutions[key]
	if !ok {
		known.resolved = inputs.ResolvePinned(build.Spec.Inputs, build.Spec.Pinned)
		remember(m.resolutions, key, known)
	}
	return known.resolved
}

func remember[K comparable, V any](known map[K]V, key K, value V) {
	if len(known) >= maxRemembered {
		clear(known)
	}
	known[key] = value
}
