// SPDX-License-Identifier: Apache-2.0

// Package clients is the root of a module of its own, which `make test-all` tests: other people's programs and libraries, as they
// are released, use Goldsmith here. The module of Goldsmith requires none of them.
//
// A package of this module never imports Goldsmith's code, besides the public types and their client. The exceptions are tests of what others
// read in a file that Goldsmith writes, and of the console, to which users of a provider sign in.
package clients
