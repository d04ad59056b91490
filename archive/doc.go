// SPDX-License-Identifier: Apache-2.0

// Package archive keeps the logs of builds in an object store: a directory, S3, Google Cloud Storage or Azure Blob
// Storage, chosen by a URL.
//
// The archive keeps the timestamped stream of an attempt: the bytes of pods/log?timestamps=true, where each line begins with an
// RFC 3339 timestamp and a space. Offsets are byte offsets in this stream.
//
//	v1/<namespace>/<build uid>/<attempt>-<pod uid>/<start>-<end>-<text>-<text end>.zst   bytes [start, end), at most 1 MiB, zstd
//	v1/<namespace>/<build uid>/<attempt>-<pod uid>/seal.json                             the Summary, once the log is whole
//	v1/<namespace>/<build uid>/<attempt>-<pod uid>/cut-<start>-<end>                     empty: the limit has cut the bytes [start, end)
//	v1/<namespace>/<build uid>/build.json                                                the Build
//	format.json                                                                          only of a later format: who can read the archive
//
// The text is the stream without timestamps: what the builder wrote. Limits count the text, so a chunk's name has the range of its
// text as well.
//
// A key names its content. A chunk that grows is in pieces, which are merged under a new key before the old objects are deleted. Of chunks
// that cover the same bytes, the longest counts. So several writers of a stream do not conflict, and a crash between two
// steps leaves at most garbage, which Seal and Sweep delete.
package archive
