// SPDX-License-Identifier: Apache-2.0

// Package requesterrors explains to clients what is wrong with their requests. The library's errors show Go types, whole
// patches or the words of etcd. These errors name the field or the parameter, what it must be, and the remedy.
//
//   - Check refuses wrong parameters and options of deletions, before the library reads them.
//   - Serializer explains the errors of objects that cannot be read, and Patches those of patches.
//   - Storage explains the errors of the storage: objects that are too large, and resource versions that this storage never
//     assigned. With Space it also refuses writes while the storage is full.
//   - Unavailable makes the 503 of a dependency that cannot be reached.
//   - NameWrongTypes and NameUnknownFields explain the errors of a decoder to programs that read manifests themselves.
//
// The package must never refuse a request that the library accepts and can execute, nor show an object that the client did not
// send.
package requesterrors
