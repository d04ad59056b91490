// SPDX-License-Identifier: Apache-2.0

// Package artifacts keeps the artifacts of builds as an OCI image layout on disk, so that each content is stored once, under its
// digest, and tools for OCI images can read the store. Each artifact of a build has a manifest and an entry in index.json.
//
// An SBOM or a provenance document is a manifest of its own, which refers to the artifact's manifest as its subject: registries
// list such referrers, and a document with a time of creation does not change the digest of the artifact's manifest.
//
// Only this package writes to the store: it drops what other programs add. It is not for contents that a program must not keep, and
// decides nothing about how long an artifact is needed.
package artifacts
