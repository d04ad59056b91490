// SPDX-License-Identifier: Apache-2.0

// Package transfer moves artifacts into and out of the pods of an agent, as jobs/transfer does in the pods of a cluster. Before the builder of a
// pod starts, it provides the artifacts of the base: from the store, or from the registry in which they were published. When the builder has
// succeeded, it moves the files that the builder made into the store, and publishes them. After tests, these are their report and the tags.
//
// It trusts neither the names of the files nor what the builder reports about them. It must never store anything for a pod that is not the current
// attempt of a build, nor write the credentials of a registry to the disk. It starts no process, and writes no status.
package transfer

import (
	"context"
	"net/netip"
	"sync"

	"github.com/go-logr/logr"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	typedcorev1 "k8s.io/client-go/kubernetes/typed/core/v1"
	batchlisters "k8s.io/client-go/listers/batch/v1"
	"k8s.io/utils/clock"

	imagesv1alpha1 "goldsmith.dev/goldsmith/apis/generated/clientset/versioned/typed/images/v1alpha1"
	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/jobs/documents"
	"goldsmith.dev/goldsmith/jobs/local/artifacts"
	"goldsmith.dev/goldsmith/jobs/local/internal/reconcile"
	"goldsmith.dev/goldsmith/jobs/render"
)

// Options configure a Transfer. All but Fit, RecordLocks, Attest and PlainHTTPRegistries are required.
type Options struct {
	// Store keeps the artifacts.
	Store *artifacts.Store
	// Fit makes the artifacts fit their limit, or fails, after files were added and before they are recorded. Default: no limit.
	Fit func(context.Context) error
	// Jobs reads Jobs from a cache, and Images what controllers want Jobs for.
	Jobs   batchlisters.JobLister
	Images imagesv1alpha1.ImagesV1alpha1Interface
	// RecordLocks records the locks of artifacts, after the artifacts were stored and published. Default: locks are not recorded.
	RecordLocks func(ctx context.Context, build *v1alpha1.ImageBuild, locks []documents.Lock) error
	// Attest sends a request of the publisher of a pod to the attest subresource of a build. Default: artifacts are not attested.
	Attest func(ctx context.Context, pod *corev1.Pod, build types.NamespacedName, request *v1alpha1.BuildAttestation) (*v1alpha1.BuildAttestation, error)
	// Secrets reads credentials for registries.
	Secrets typedcorev1.SecretsGetter
	// PlainHTTPRegistries are the registries, each HOST or HOST:PORT, that are reached without TLS, besides those on loopback hosts.
	PlainHTTPRegistries []string
	// AllowedNetworks are networks of sources that are reached although they are loopback or link-local.
	AllowedNetworks []netip.Prefix
	// Clock is the clock for outages of registries.
	Clock clock.WithTicker
	// Logger gets the failures of this machine.
	Logger logr.Logger
}

// Transfer moves the artifacts of pods. It is safe for concurrent use.
type Transfer struct {
	options Options

	mu      sync.Mutex
	fetches map[string]<-chan struct{} // what is being fetched for bases, each with what is closed in the end

	sources places
}

// New returns a Transfer.
func New(o Options) *Transfer {
	return &Transfer{options: o, fetches: map[string]<-chan struct{}{}, sources: places{taken: map[string]int{}, freed: make(chan struct{})}}
}

// Pod is a pod whose artifacts are moved.
type Pod struct {
	// Ref identifies the pod.
	Ref reconcile.Ref
	// Newest returns the pod as it is known now.
	Newest func() *corev1.Pod
	// Input is the input of its builder.
	Input *render.Input
	// Base is the directory for the artifacts of its base, Source that for the files of its source, and Output that with the files that its builder made.
	Base, Source, Output string
	// Say writes a line to its log.
	Say func(format string, args ...any)
	// Waiting is called when the pod waits for somebody else, and needs no processor.
	Waiting func()
}

// pod is a pod with what moves its artifacts.
type pod struct {
	*Transfer
	Pod
}
