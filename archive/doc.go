// SPDX-License-Identifier: Apache-2.0

// Package archive keeps the logs of builds in an object store: a directory, S3, Google Cloud Storage or Azure Blob
// Storage, chosen by a URL.
//
// What is kept of an attempt is its timestamped stream: exactly what pods/log?timestamps=true gives, any bytes, each
// line beginning with an RFC 3339 timestamp and a space. Offsets are byte offsets in that stream.
//
//	v1/<namespace>/<build uid>/<attempt>-<pod uid>/<start>-<end>.zst   bytes [start, end), at most 1 MiB, zstd
//	v1/<namespace>/<build uid>/<attempt>-<pod uid>/seal.json           the Summary, once the log is whole
//	v1/<namespace>/<build uid>/build.json                              the Build
//
// A key names its content. A chunk that grows is written anew under a longer name before the shorter one is deleted,
// and of chunks that cover the same bytes the longest counts. So writers of the same stream do each other no harm, and
// a crash between any two steps leaves at most garbage, which Seal and Sweep remove.
package archive
