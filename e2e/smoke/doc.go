// SPDX-License-Identifier: Apache-2.0

// Package smoke has the specs of an installation: Goldsmith is installed, builds an image, and is removed without leftovers.
package smoke
