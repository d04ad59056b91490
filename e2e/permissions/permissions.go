// SPDX-License-Identifier: Apache-2.0

// Package permissions states what users with the roles view, edit and admin of a cluster can do with the API. The tests of kustomize
// compare the manifests with it, and the specs of security compare what a cluster permits.
package permissions

import (
	"fmt"

	"goldsmith.dev/goldsmith/apis/generated/discovery"
)

// Roles are the roles of users. Each role includes the permissions of the roles before it.
var Roles = []string{"view", "edit", "admin"}

// exceptions are the permissions that do not follow the rule of the function role. "" means that no role of users includes them.
var exceptions = map[string]string{
	"create imageplans":             "view", // a question: nothing is stored, and nothing starts
	"patch images/status":           "",     // the controllers write the status
	"update images/status":          "",
	"patch imagebuilds/status":      "",
	"update imagebuilds/status":     "",
	"create imagebuilds/report":     "", // the service accounts of pods have a role of their own for both
	"create imagebuilds/attest":     "",
	"update imagekinds/status":      "", // the server and the controllers write the status
	"patch imagekinds/status":       "",
	"create imagebuilds/signatures": "", // the signer alone, which also writes the status of its keys
	"update signingkeys/status":     "",
	"patch signingkeys/status":      "",
	// Administrators of a namespace revoke builds, because that stops what is based on them.
	"create imagebuilds/revoke":  "admin",
	"create imagebuilds/restore": "admin",
	"delete revokedartifacts":    "admin",
	// The controller alone makes Archives, and writes their status.
	"create archives":           "",
	"update archives":           "",
	"patch archives":            "",
	"delete archives":           "",
	"deletecollection archives": "",
	"update archives/status":    "",
	"patch archives/status":     "",
	// Administrators of the cluster make the keys that sign builds of all namespaces. Users read the public keys.
	"create signingkeys":           "",
	"update signingkeys":           "",
	"patch signingkeys":            "",
	"delete signingkeys":           "",
	"deletecollection signingkeys": "",
	// Administrators of the cluster offer kinds to all namespaces.
	"create imagekinds":           "",
	"update imagekinds":           "",
	"patch imagekinds":            "",
	"delete imagekinds":           "",
	"deletecollection imagekinds": "",
}

// role returns the first role that permits a verb of a resource: users with view can read, and users with edit can change.
func role(verb, resource string) string {
	if role, ok := exceptions[verb+" "+resource]; ok {
		return role
	}
	switch verb {
	case "get", "list", "watch":
		return "view"
	default:
		return "edit"
	}
}

// ByRole returns the permissions that each role adds to the roles before it, such as "create imagebuilds/cancel". It covers
// every verb of every resource that the server serves. The role "" has the permissions that no role of users includes.
func ByRole() (map[string][]string, error) {
	served, err := discovery.Resources()
	if err != nil {
		return nil, fmt.Errorf("read the resources of the server: %w", err)
	}
	// Only administrators of a namespace can build as another service account than the namespace's default, and override rules of channels.
	permissions := map[string][]string{"admin": {"use serviceaccounts", "override images/channels"}}
	for _, resource := range served {
		for _, verb := range resource.Verbs {
			first := role(verb, resource.Name)
			permissions[first] = append(permissions[first], verb+" "+resource.Name)
		}
	}
	return permissions, nil
}
