// SPDX-License-Identifier: Apache-2.0

// Package builders has the flags that set which builders an operator allows. goldsmith-controller runs builds with these builders, and
// goldsmith-apiserver plans builds with them, so an operator sets the same flags for both programs.
package builders
