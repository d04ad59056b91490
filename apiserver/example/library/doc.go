// SPDX-License-Identifier: Apache-2.0

// +k8s:deepcopy-gen=package
// +groupName=library.example.com

// Package library is the hub of an example API group: the version that the server works with, between those that
// clients see. Package builder calls the methods of a type for everything besides storing it: see book.go.
package library
