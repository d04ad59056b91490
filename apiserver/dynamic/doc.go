// SPDX-License-Identifier: Apache-2.0

// Package dynamic serves an API group whose kinds are replaced while the server serves. It does for kinds that a program
// describes what kube-apiserver does for custom resources, but a kind brings its own storage, and nothing about the kind is stored.
//
//	group := dynamic.NewGroup("shop.example.com", "v1")
//	server := builder.New("shop").WithDynamicGroup(group)
//	…
//	err := group.Replace([]dynamic.Kind{toys, games}) // at any time, from any goroutine
//
// Until the first Replace, the server is not ready and answers every request of the group with 503. It never answers 404 before it
// knows its kinds: a garbage collector that reads 404 deletes the dependents of objects. After the first Replace, the versions of
// the group are always served, even without kinds. kube-apiserver does not delete namespaces while a version of a group is missing.
//
// Read it in this order:
//
//  1. kind.go describes a kind.
//  2. group.go replaces kinds: compile.go checks a kind, served.go combines it with its storages.
//  3. handler.go answers requests, with the verbs of verbs.go. serializer.go and objects.go read and write objects, watch.go
//     ends the watches of a kind that is replaced. subresource.go serves requests of other kinds at subresources.
//  4. discovery.go and openapi.go describe the kinds to clients, and operations.go their subresources.
//
// The package must never know a kind.
package dynamic
