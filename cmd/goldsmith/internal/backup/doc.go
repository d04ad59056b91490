// SPDX-License-Identifier: Apache-2.0

// Package backup implements `goldsmith backup` and `goldsmith restore`. It reads a data directory while a server may use it, and must never change
// one but the new one that it restores.
package backup
