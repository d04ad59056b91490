// SPDX-License-Identifier: Apache-2.0

// Package kustomize has the manifests of Goldsmith for a cluster.
package kustomize

import _ "embed" // for the roles

// Roles are the permissions of users: ClusterRoles, which a server outside a cluster grants too.
//
//go:embed base/roles.yaml
var Roles []byte
