// SPDX-License-Identifier: Apache-2.0

// Package validation validates objects of the API, and their changes.
//
// It enforces the limits that the public types document, except those of BuildReport, which package imagebuild checks. It names
// all invalid fields in one answer. requests.go validates what subresources take: requests, channels, and the options of logs and
// diffs.
//
// The functions are pure: they read no clock, no storage and no user, and change no object. Of metadata, updates check only the
// label of a legal hold: the registry checks the rest.
package validation
