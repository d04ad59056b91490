// SPDX-License-Identifier: Apache-2.0

// Package release tests that what `make release` writes can be installed on clean systems, from its files alone.
package release
