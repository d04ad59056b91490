// SPDX-License-Identifier: Apache-2.0

// Package smoke says that Goldsmith can be installed, that it works then, and that nothing is left when it is removed.
package smoke
