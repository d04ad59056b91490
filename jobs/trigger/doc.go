// SPDX-License-Identifier: Apache-2.0

// Package trigger decides when a build of an Image is due, why, and under which request; what the Image's status says
// meanwhile; and which of its builds are superseded or too old. It is pure: objects and a time are all it needs, so
// that the controller and a plan come to the same answer.
package trigger
