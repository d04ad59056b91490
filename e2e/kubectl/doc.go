// SPDX-License-Identifier: Apache-2.0

// Package kubectl has the specs of everyday kubectl commands on images and builds: they must work as for built-in resources, with
// each release of kubectl that Kubernetes' version skew policy supports. Every spec runs the commands of a user, and checks what
// they print.
package kubectl
