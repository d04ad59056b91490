// SPDX-License-Identifier: Apache-2.0

// Package faults says what becomes of builds while parts of the system that runs them fail: nothing. A part is killed,
// taken away or frozen while twenty builds run, and all of them end as if it had not been, each of them once.
//
// It must never look at more than an administrator of a cluster can: the specs break what such a person can break.
package faults
