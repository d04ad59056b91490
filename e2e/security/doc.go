// SPDX-License-Identifier: Apache-2.0

// Package security has the specs of permissions: what users may do through kube-apiserver with the roles of the installation, what
// its API server refuses to direct callers, what templates may ask the controller for, and that the installation's service accounts
// have no permission that they do not use.
package security
