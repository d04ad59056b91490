// SPDX-License-Identifier: Apache-2.0

// Package publish pushes the artifacts of a build to a repository of an OCI registry, and fetches a published content again.
//
// An artifact becomes an OCI artifact manifest with the content as its only layer. The tar of an OCI image
// layout becomes its image, or its index of images, and is refused if it has none. SBOM and provenance are referrers of the manifest. The same artifacts have the same
// digests in each push: no manifest has a time. Blobs are pushed first, then manifests by digest, then referrers, then an index if
// several artifacts share a tag, and tags last. So a tag always names a whole artifact, even if pushes of the tag overlap.
//
// Authentication, manifests, referrers and their fallback come from oras-go, because it adds one module, refuses realms and redirects
// that would take credentials elsewhere, and takes a client of ours, which retries by class with an injected clock. Its push of a
// blob is one request, which a broken connection ends: upload.go sends blobs in chunks instead, and resumes. regclient does resume,
// but needs 8 modules, waits in real time as long as a registry's Retry-After says, and loses the status in its errors;
// go-containerregistry sends a blob in one request, too, and needs the modules of Docker's CLI.
//
// The package never reads the configuration of a user or a machine by itself, never runs a credential helper unless
// Options.Logins names it, and never puts credentials, tokens, or URLs with a query into errors. It sends credentials
// only to the registry's host and to the token server that the registry names.
package publish
