// SPDX-License-Identifier: Apache-2.0

package show

import "goldsmith.dev/goldsmith/cmd/goldsmith/internal/boot"

// boots reports whether `goldsmith boot` can boot a build on this system.
var boots = boot.HasDisk
