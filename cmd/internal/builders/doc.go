// SPDX-License-Identifier: Apache-2.0

// Package builders has the flags by which an operator says which builders there are. goldsmith-controller runs them, and
// goldsmith-apiserver plans with them: both are to be told the same.
package builders
