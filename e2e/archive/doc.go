// SPDX-License-Identifier: Apache-2.0

// Package archive has the specs of the log archive. A log reads the same from its pod, from the archive, and while a reader is
// switched from the pod to the archive. This holds for partial reads and for followers. It also holds after the build is deleted,
// and while the archive, a controller or a worker is unavailable.
package archive
