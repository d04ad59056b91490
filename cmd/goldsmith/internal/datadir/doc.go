// SPDX-License-Identifier: Apache-2.0

// Package datadir is the data directory of `goldsmith up`: the names of its files, its lock, what a server remembers in it, the key of stored
// Secrets, what to do about damage, and as whom root uses it. It must never change a directory that another process has claimed.
package datadir
