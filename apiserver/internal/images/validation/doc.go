// SPDX-License-Identifier: Apache-2.0

// Package validation says what is a valid object of the hub, and which changes of one are.
//
// Every limit that the public types document is held here, and every offending field is named in one answer.
// The functions are pure: they read no clock, no storage and no user, and they change nothing.
// Metadata is validated at creation only; at updates the registry does it by itself.
package validation
