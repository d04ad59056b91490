// SPDX-License-Identifier: Apache-2.0

// Package api has the specs of images and builds as Kubernetes resources: reads, writes, watches, encodings, discovery and kubectl
// must behave as the API conventions require. fixture.go gives a spec its clients, replies.go sends raw requests, watching.go reads
// watches, and the other files have the specs, which environment.go puts together for a server, a storage or an aggregator.
//
// A spec uses only what a user has, and holds for every server of the API.
package api
