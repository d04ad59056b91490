// SPDX-License-Identifier: Apache-2.0

// Package publish pushes the artifacts of a build to a repository of an OCI registry, and fetches a published content again.
//
// An artifact becomes an OCI artifact manifest with the content as its only layer. The tar of an OCI image
// layout becomes its image, or its index of images, and is refused if it has none. Documents about an artifact, such as its SBOM, are referrers of the manifest. The same artifacts have the same
// digests in each push: no manifest has a time. Blobs are pushed first, then manifests by digest, then referrers, then an index if
// several artifacts share a tag, and tags last. So a tag always names a whole artifact, even if pushes of the tag overlap. If tests have to pass first, a
// push moves no tag, and a later attempt moves the tags to the same manifests and indexes.
//
// Package transport sends the requests. The package never sends a request itself.
package publish
