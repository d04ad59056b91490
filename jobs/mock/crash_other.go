// SPDX-License-Identifier: Apache-2.0

//go:build !linux

package mock

// resetSegvHandler does nothing: elsewhere Go's handler ends the process.
func resetSegvHandler() {}
