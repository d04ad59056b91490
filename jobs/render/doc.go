// SPDX-License-Identifier: Apache-2.0

// Package render turns one attempt at a build, or the check of an archive, into the Kubernetes Job that runs it, and reads back which attempt or
// Archive a Job belongs to.
//
// Everything in it is a pure function of its arguments: rendering the same attempt twice gives the same Job. Every pod
// it renders meets the Pod Security standard "restricted".
package render
