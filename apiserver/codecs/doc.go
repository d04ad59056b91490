// SPDX-License-Identifier: Apache-2.0

// Package codecs chooses how objects are encoded: ForClients in requests and answers, and StorageFactory in the storage.
//
// It must never offer a client an encoding that a kind of its group lacks, nor store an object in a form that a server of the
// previous release cannot read, unless the storage version names it.
package codecs
