// SPDX-License-Identifier: Apache-2.0

// Package source resolves the source of an image to a revision, and fetches its files: a commit of a Git repository, or an OCI artifact. It knows
// no object of Kubernetes but the data of a Secret, and reads no configuration of the user or of the machine except for proxies.
//
// The client of Git is go-git. A client of our own needed 16 MiB of memory for a file of any size, and 7 seconds for 10,000 files of 500 MB, where
// go-git needs 113 MiB for a file of 32 MiB, and 14 seconds; but it was 1,100 lines of protocol and packs that nobody else reads and tests.
// The program git also has the largest file in memory, and neither git nor ssh can judge the addresses to which they connect.
//
// # What go-git cannot do
//
// It speaks version 0 of the protocol, whose servers list all refs at each request. 100,000 refs are 7 MB at each poll, and 15 MiB of memory.
// A server that lists more than 32 MiB, about 480,000 refs, is refused. A server that answers in version 2 without being asked is one that
// "does not speak Git's protocol". It does not negotiate multi_ack, which Azure DevOps needs; this package asks for multi_ack and then needs
// no negotiation. Its transport of SSH is not used (ssh.go tells why).
//
// It does not know SHA-256: such a repository is refused with "repositories of SHA-256 are not supported; use one of SHA-1". The API takes the
// ID of such a commit as a ref, and a check refuses it.
//
// Neither submodules nor files of Git LFS are fetched, and a server that only has files, without the service git-upload-pack, has no repository.
//
// # What a server can do to go-git
//
// go-git trusts sizes: the refs, the answer before a pack, and each object with its chain of deltas are in its memory. An object that is twice in a
// pack can end the process. So this package limits each answer, and refuses a pack by the sizes that its objects declare before
// go-git makes an index of it (pack.go). It changes no variable of go-git.
//
// A fetch of usual repositories needs less than 128 MiB of memory. With GOMEMLIMIT=200MiB no pack within the default limits needs
// more than 256 MiB; without it a hostile pack needs 460 MiB.
//
// The ID of the commit is the hash of everything: each object that is used is named by its hash, and SHA-1 detects collisions. Files are written
// through os.Root, and links are created last.
package source
