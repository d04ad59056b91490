// SPDX-License-Identifier: Apache-2.0

// Package registry is the list of the builders of `goldsmith up`: those that ship, those of flags, and those of documents, which it reads again when
// they change. It never runs a builder.
package registry
