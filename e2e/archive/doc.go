// SPDX-License-Identifier: Apache-2.0

// Package archive has the specs of the archive of logs: a log reads the same from its pod, from the archive, and across the
// change from one to the other, whatever happens meanwhile.
package archive
