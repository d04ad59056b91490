// SPDX-License-Identifier: Apache-2.0

package validation

import (
	"context"
	"regexp"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/api/operation"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

// Declared validates a value by the tags of its type, and adds the errors of the rules that tags cannot express. It leaves out
// an error of a rule if a tag requires its field, or if a tag's error of the field has the same type. It keeps all others: an update may
// violate a rule where the value that a tag refuses is unchanged.
//
// An update is validated as a creation: resources.Scope.Ratchet drops the errors of unchanged values, of all rules.
// rest.ValidateDeclaratively does not fit: it needs the RequestInfo of a request, and drops the errors of unchanged values by itself, by
// another comparison than Ratchet.
func Declared[T any](validate func(context.Context, operation.Operation, *field.Path, *T, *T) field.ErrorList, value *T, path *field.Path,
	rest field.ErrorList) field.ErrorList {
	errs := validate(context.Background(), operation.Operation{Type: operation.Create}, path, value, nil)
	if len(errs) == 0 {
		return rest
	}
	reported := map[string]bool{}
	for _, err := range errs {
		if err.Origin == "union" && err.BadValue == "" { // no member is set
			err.Type = field.ErrorTypeRequired
		}
		reported[err.Field+" "+string(err.Type)] = true
		if err.Type == field.ErrorTypeRequired || err.Origin == "union" || err.Origin == "zeroOrOneOf" {
			err.Detail = remedy(err)
		}
	}
	return append(errs, slices.DeleteFunc(rest, func(other *field.Error) bool {
		return reported[other.Field+" "+string(other.Type)] || reported[other.Field+" "+string(field.ErrorTypeRequired)]
	})...)
}

// remedies tell what to set in required fields and in unions, by the end of their path without indices.
var remedies = map[string]string{
	"base":                        "set either reference, such as debian:bookworm, or imageRef",
	"builder":                     "set either name (a builder that the operator registered) or image",
	"changes.path":                "set the path of the changed input, such as parameters[edition]",
	"checks.commands.run":         "set a command that must succeed, such as nginx -t",
	"checks.files.path":           "set the absolute path of a file, such as /etc/motd",
	"checks.ports.port":           "set a port from 1 to 65535",
	"channels.build":              "set the name of the build",
	"channels.override.reason":    "tell why the channel gets a build that lacks what the channel requires",
	"channels.name":               "set the name of the channel, such as stable",
	"configMapRef.name":           "set the name of a ConfigMap of the same namespace",
	"imageRef.name":               "set the name of an Image of the same namespace",
	"output.repository":           "set HOST[:PORT]/PATH, such as registry.example.com/team/web",
	"parameters.name":             "set a name of letters, digits, '-', '_' and '.'",
	"reason":                      "tell why",
	"reproduces.artifacts":        "list 1 to 16 artifacts that the build is to make again",
	"reproduces.artifacts.digest": "set the digest of the artifact: sha256: and 64 hex digits",
	"reproduces.artifacts.target": "set platform/format, such as linux/amd64/raw",
	"reproduces.name":             "set the name of the build whose artifacts are to be made again",
	"reproduces.uid":              "set the metadata.uid of the build whose artifacts are to be made again",
	"secretRef.name":              "set the name of a Secret of the same namespace, or remove secretRef",
	"spec.secretRef.name":         "set the name of the Secret with the private key, in the namespace of the signer",
	"source":                      "set either inline or configMapRef",
	"targets":                     "list at least one target, such as {platform: linux/amd64, format: raw}",
	"targets.format":              "set a format, such as raw",
	"targets.platform":            "set os/architecture, such as linux/amd64",
	"retests.artifacts":           "list the 1 to 16 artifacts of the earlier build",
	"retests.name":                "set the name of the build whose artifacts are tested again",
	"retests.uid":                 "set the metadata.uid of the build whose artifacts are tested again",
	"runner.name":                 "set the name of a registered builder that tests the artifact",
	"tests.name":                  "set a name, such as boots",
	"spec.uri":                    "set the address of the archive, such as http://deb.debian.org/debian",
	"text":                        "set the text of the note",
	"with":                        "set the build to compare with: ?with=NAME",
}

var indices = regexp.MustCompile(`\[[^]]*\]`)

func remedy(err *field.Error) string {
	for path, more := indices.ReplaceAllString(err.Field, ""), true; more; _, path, more = strings.Cut(path, ".") {
		if found := remedies[path]; found != "" {
			return found
		}
	}
	return err.Detail
}
