// SPDX-License-Identifier: Apache-2.0

// Package builders has the flags that tell which builders an operator allows. goldsmith-controller runs builds with them, and
// goldsmith-apiserver plans builds with them, so an operator gives both programs the same.
package builders
