// SPDX-License-Identifier: Apache-2.0

// Package imagebuild serves the resource imagebuilds and its subresources status, cancel, report and diff. It also sets the
// priority of a build, from its PriorityClass. Package buildlog serves the subresource log, and package image rerun.
//
// It decides what a build may be and become: its spec is a record that never changes, and its status follows the
// phase table whoever writes it. It never decides what comes next for a build; that is its controller's.
package imagebuild
