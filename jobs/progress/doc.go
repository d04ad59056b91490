// SPDX-License-Identifier: Apache-2.0

// Package progress is for builders written in Go: it tells Goldsmith how far a build is.
//
//	client := progress.New(os.Getenv)
//	defer client.Close()
//	client.Report("packages", 40, "installing vim")
//
// No error of a report reaches the build: if the builder has no address to report to, or the server is unreachable or refuses,
// the package does nothing and logs nothing.
//
// It needs the standard library only.
package progress
