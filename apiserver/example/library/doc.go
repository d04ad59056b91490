// SPDX-License-Identifier: Apache-2.0

// +k8s:deepcopy-gen=package
// +groupName=library.example.com

// Package library is the hub of an example API group: the version that the server works with, between those that
// clients see.
package library
