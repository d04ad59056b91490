// SPDX-License-Identifier: Apache-2.0

// Package builder serves the resource builders: the builders that the operator registered. It computes them for each request from the
// builders with which the server checks Images, so a change of those is seen at once. Nothing is stored.
//
// The package must never show the values of a builder's variables: it does not have them.
package builder
