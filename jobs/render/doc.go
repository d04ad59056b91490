// SPDX-License-Identifier: Apache-2.0

// Package render turns one attempt at a build into the Kubernetes Job that runs it, and reads back which attempt a Job
// belongs to.
//
// Everything in it is a pure function of its arguments: rendering the same attempt twice gives the same Job. Every pod
// it renders meets the Pod Security standard "restricted".
package render
