// SPDX-License-Identifier: Apache-2.0

// Package imagebuild serves the resource imagebuilds and its subresources status, cancel, report, attest, diff, packages,
// vulnerabilities and artifacts. It also sets the priority of a build, from its PriorityClass. Package buildlog serves the subresource log, and package
// image rerun and tests. The subresource report takes the progress of a running build, and attest the locks of its artifacts; package imagereport
// serves the resource imagereports.
//
// It validates builds: the spec is a record that never changes, except that spec.cancelRequested can be set once. The status
// follows the phase table for every writer. It never decides the next step of a build, which the controller does.
package imagebuild
