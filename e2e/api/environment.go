// SPDX-License-Identifier: Apache-2.0

package api

import (
	"time"

	. "github.com/onsi/ginkgo/v2"
	"k8s.io/client-go/rest"
)

// Environment is a server, whose storage compacts old versions every few seconds.
type Environment struct {
	// Config connects as a user with all permissions.
	Config *rest.Config
	// Archived is whether there is an archive of logs, which reports a condition on finished builds.
	Archived bool
	// Recorded is whether there is a database of records, which reports a condition on finished builds.
	Recorded bool
	// Disposable is whether the server is discarded after the specs.
	Disposable bool
	// Patience is how long a spec waits for one thing to happen, Polling how often it looks.
	Patience, Polling time.Duration
}

// Specs are all specs that hold everywhere. Each creates a namespace of its own, and no build runs in it unless the spec requests
// one. What they hold is Goldsmith's own; for each feature of k8s.io/apiserver there is one spec which shows that it is wired up.
// The specs of a subject hold for Images and for a kind of the catalog.
func Specs(environment func() Environment) {
	Describe("the API", func() {
		w := newFixture(environment)
		describeImages(w)
		describeWritten(images(w))
		describeStrategicPatches(w)
		describeImageApply(w)
		describeImageDryRun(w)
		describeImageSelectors(w)
	})
	Describe("the API of a kind", func() {
		w := newFixture(environment)
		establishAppliances(w)
		describeStored(appliances(w))
		describeForwarded(appliances(w))
		describeWritten(appliances(w))
		describeCatalogBuilds(appliances(w))
		describeKindDeletion(w)
	})
}

// StorageSpecs are the specs that read and write through every feature of a storage. What a storage has to do is tested in
// apiserver/storage; these specs show that a server uses it.
func StorageSpecs(environment func() Environment) {
	Describe("the API", func() {
		w := newFixture(environment)
		describeStored(images(w))
		describeImageUpdates(w)
		describeImageDeletion(w)
	})
}

// AggregationSpecs are those of Specs that can fail behind kube-apiserver and pass in front of one server: kube-apiserver
// forwards the request, merges discovery and OpenAPI, or spreads the requests of a client over several replicas.
func AggregationSpecs(environment func() Environment) {
	Describe("the API", func() { describeImages(newFixture(environment)) })
}

// ClusterSpecs are those that hold only where a whole Kubernetes is around.
func ClusterSpecs(environment func() Environment) {
	Describe("the API in a cluster", func() {
		describeQuota(newFixture(environment))
	})
	Describe("the API of a kind in a cluster", Label("catalog"), func() {
		w := newFixture(environment)
		establishAppliances(w)
		describeStored(appliances(w))
		describeForwarded(appliances(w))
		describeKindQuota(appliances(w))
		describeCollection(appliances(w))
		describeInformer(appliances(w))
		describeKindDeletion(w)
		describeCatalogBuilds(appliances(w))
	})
}

// describeImages depends on the storage or the aggregator of images and builds.
func describeImages(w *fixture) {
	describeStored(images(w))
	describeForwarded(images(w))
	describeImageUpdates(w)
	describeImageDeletion(w)
	describeImageFieldValidation(w)
	describeWarnings(w)
	describeBuildTables(w)
	describeProtobuf(w)
	describeSubresources(w)
}

// describeStored depends on the storage, and on which replica's cache of it answers.
func describeStored(w *subject) {
	describePages(w)
	describeWatches(w)
	describeExpiry(w)
	describeUpdates(w)
	describeDeletion(w)
}

// describeForwarded depends on how a request and its answer are encoded, merged and forwarded.
func describeForwarded(w *subject) {
	describeNumbers(w)
	describeRefusals(w)
	describeFieldValidation(w)
	describeTables(w)
	describeEncodings(w)
	describeDiscovery(w)
	describeOpenAPI(w)
}

// describeWritten depends on how the server changes an object.
func describeWritten(w *subject) {
	describeCreation(w)
	describePatches(w)
	describeApply(w)
	describeDryRun(w)
	describeSelectors(w)
}
