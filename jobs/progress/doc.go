// SPDX-License-Identifier: Apache-2.0

// Package progress is for builders written in Go: it tells Goldsmith how far a build is.
//
//	client := progress.New(os.Getenv)
//	defer client.Close()
//	client.Report("packages", 40, "installing vim")
//
// Nothing that goes wrong here concerns the build: where the builder was not told how to report, or the server cannot be
// reached or refuses, it does nothing, and says nothing.
//
// It needs the standard library only.
package progress
