// SPDX-License-Identifier: Apache-2.0

// Package troubleshooting breaks an installation in each of the ways that docs/troubleshooting.md explains for clusters, and
// runs the commands of that page. Each command must print the output on the page.
//
// The expected output is only on the page, never in this package.
package troubleshooting
