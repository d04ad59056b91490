// SPDX-License-Identifier: Apache-2.0

// Package validation has the rules that several kinds share: inputs and templates of builds, names, texts, digests, and the policy of
// the operator. The rules of one kind are in validation.go of its folder, and those of its subresources in validation_requests.go
// there. history and buildlog validate what their subresources take.
//
// Together they enforce the limits that the public types document, and name all invalid fields in one answer.
//
// The functions are pure: they read no clock, no storage and no user, and change no object. Of metadata, updates check only the
// label of a legal hold: the registry checks the rest.
package validation
