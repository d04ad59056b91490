// SPDX-License-Identifier: Apache-2.0

// Package mock is a builder that builds nothing. It follows the builder contract, takes a configured time, and fails in
// configured ways. It is for trying Goldsmith, and for tests.
//
// The artifact of each target is a file with the input of the builder, without build, attempt and the other targets. Of a source from Git or a
// registry it has a digest of the files, instead of its address and its commit. The same
// inputs therefore give the same digests, and each target has a digest of its own. All targets have the same lock. It knows nothing of Kubernetes, and
// talks to a network only where it is told to report its progress, which is its step and how many of its steps are done, or has an archive.
//
// An archive is a text at a URL. Its first line is its date, such as `date: 2026-11-28T10:00:00Z`. Each other line is a version of a package,
// NAME VERSION [security] [ADVISORY]..., such as `openssl 3.5.7-1 security CVE-2026-1`. Later lines of a name are newer versions. The builder
// answers which packages have newer versions there.
//
// Its parameters, all optional; others are ignored:
//
//	duration      how long the build takes, in all (1s). Of a list such as 10m,0s each attempt has its own, and the
//	              last one is for all further attempts
//	steps         the number of steps that it is divided into (5)
//	linesPerStep  how many lines each step logs when it starts (1)
//	lineBytes     how long each of these lines is, with its newline (as long as its text)
//	failAt        the step in which it fails, after that step's lines
//	failReason    the reason it gives (MockFailed)
//	failClass     the class that it gives (none)
//	retryable     whether it reports that another attempt may help (false)
//	failAttempts  how many attempts fail, from the first: the others ignore failAt, exitCode, result and crash
//	              (all, where one of these is set; it fails in the first step where failAt is not set)
//	exitCode      the exit code (0, or 1 where it fails)
//	result        good, none, malformed, oversized or baddigest: what it leaves as its result (good)
//	packages      the packages in its lock, as the builder debian takes them: openssl=3.5.6-1 curl. Without a version
//	              it is 1.0 (three that do not exist)
//	distribution  the distribution of these packages in the lock, such as debian:13, for advisories (none)
//	archive       the URL of an archive: packages without a version have their newest version there, and the lock and the
//	              artifacts have the archive and the packages. Images that are based on such an image have them, too (none)
//	reproducible  whether builds of the same inputs make the same content: otherwise it has the build and the attempt (true)
//	sourceFile    the path of a file of the source, whose first 64 KiB are in the log (none)
//	lock          good, none or malformed: the lock that it writes, one for all targets (good)
//	onTerm        what it does when it is told to end: exit with code 143, ignore it, or hurry, which is to do the
//	              rest without waiting (exit)
//	crash         segv or oom: ends by a segmentation fault, or by using up memory, where it would fail. oom stops
//	              at 256 MiB and then kills itself: a machine without a limit survives it
package mock
