// SPDX-License-Identifier: Apache-2.0

package kubectl

import (
	"fmt"
	"io"
	"regexp"
	"strings"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/cmd/goldsmith/internal/client"
)

// hints are the next steps after messages of kubectl, which does not know `goldsmith up`. The first hint whose part occurs in
// the message applies.
var hints = []struct{ part, next string }{
	{"localhost:8080 was refused", "the kubeconfig has no server: set --kubeconfig or $KUBECONFIG to the kubeconfig of a server"},
	{` is forbidden: User "`, "`goldsmith kubectl auth can-i --list` lists your permissions: ask an administrator for more"},
	{"was refused", `is "goldsmith up" running?`},
	{"certificate signed by unknown authority", "use the kubeconfig that \"goldsmith up\" of this server wrote"},
	{"Unable to connect to the server", "correct the server in the kubeconfig, or name another kubeconfig with --kubeconfig"},
	{"You must be logged in to the server", "the server does not accept the credentials in the kubeconfig: use the kubeconfig that \"goldsmith up\" wrote last"},
	{"context was not found", "`goldsmith kubectl config get-contexts` lists the contexts"},
	{"connection refused", `is "goldsmith up" running?`},
	{"no matches for kind", unknownKind},
	{"could not find the requested resource", unknownResource},
	{"apiVersion not set", client.NoManifest},
	{"resource name may not be empty", "set metadata.name in the manifest"},
	{"kind not set", client.NoManifest},
	{"Object 'Kind' is missing", client.NoManifest},
	{"invalid object to validate", client.NoManifest},
	{"cannot start any token", client.TabInYAML},
	{"failed to check CRD", unknownKind}, // for users who cannot list CustomResourceDefinitions
	{"the server doesn't have a resource type", unknownResource},
}

const unknownKind = "the server has no such kind or version: `goldsmith kubectl api-resources` lists the kinds, such as kind Image of apiVersion " +
	v1alpha1.GroupName + "/v1alpha1"

const unknownResource = "`goldsmith kubectl api-resources` lists the resources; of those of Kubernetes, `goldsmith up` has only what builds need"

// hint returns the next step after a message of kubectl, or "".
func hint(message string) string {
	for _, known := range hints {
		if strings.Contains(message, known.part) {
			return known.next
		}
	}
	return ""
}

// patch is what kubectl tells of the patch that a server has refused, before the reason. The patch is a line of JSON.
var patch = regexp.MustCompile(`error when applying patch:\n[^\n]*\nto:\n(?:[^\n]*\n){1,3}?for: "[^\n"]*": `)

// report writes a message as kubectl does, without the patch of a refused update, and the next step below the message.
func report(out io.Writer, message string) {
	if message == "" {
		return
	}
	lines := strings.TrimSuffix(patch.ReplaceAllString(message, ""), "\n") + "\n"
	if next := hint(message); next != "" {
		lines += "hint: " + next + "\n"
	}
	_, _ = fmt.Fprint(out, lines) // the process ends with kubectl's exit code even if this write fails
}
