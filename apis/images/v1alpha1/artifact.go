// SPDX-License-Identifier: Apache-2.0

package v1alpha1

import (
	"path"
	"regexp"
	"strings"
	"unicode"
)

// MaxLocationBytes is the maximum length of an artifact's location.
const MaxLocationBytes = 2048

var mediaTypePattern = regexp.MustCompile(`\A[A-Za-z0-9][A-Za-z0-9!#$&^_.+-]{0,126}/[A-Za-z0-9][A-Za-z0-9!#$&^_.+-]{0,126}\z`)

// ValidMediaType reports whether a text is a media type without parameters, as RFC 6838 defines it.
func ValidMediaType(text string) bool { return mediaTypePattern.MatchString(text) }

// ValidLocation reports whether a text can be the location of an artifact: at most MaxLocationBytes, printable, without white
// space. Goldsmith does not interpret locations. An empty text is valid.
func ValidLocation(text string) bool {
	return len(text) <= MaxLocationBytes && Printable(text) && !strings.ContainsFunc(text, unicode.IsSpace)
}

// ArtifactPath returns the path of the API server from which the content with a digest can be fetched, if the server keeps it: the
// subresource artifacts of a build.
func ArtifactPath(namespace, build, digest string) string {
	return path.Join("/apis", SchemeGroupVersion.String(), "namespaces", namespace, "imagebuilds", build, "artifacts", digest)
}
