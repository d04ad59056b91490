// SPDX-License-Identifier: Apache-2.0

// Package api has the specs of images and builds as Kubernetes resources: what Goldsmith decides about reads, writes, encodings,
// discovery and errors, and one spec for each feature of k8s.io/apiserver, which shows that it is wired up. The library and
// apiserver/storage have the other tests of these features. fixture.go gives a spec its clients, replies.go sends raw requests,
// watching.go reads watches, and environment.go puts the specs together for a server, a storage or an aggregator.
//
// A spec uses only what a user has, and holds for every server of the API.
package api
