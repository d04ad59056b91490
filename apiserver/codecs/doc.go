// SPDX-License-Identifier: Apache-2.0

// Package codecs chooses how objects are encoded: ForClients in requests and answers, and StorageFactory in the storage.
//
// It must never offer a client an encoding that a kind of its group lacks. Unless the storage version names a newer form, it
// stores only forms that a server of the previous release can read.
package codecs
