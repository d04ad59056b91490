// SPDX-License-Identifier: Apache-2.0

package requesterrors

import (
	"net/http"

	"k8s.io/apimachinery/pkg/runtime"
)

// Check refuses requests with parameters or options of the wrong type, and passes every other request to api. It keeps the text
// of patches for Patches.
func Check(api http.Handler, serializer runtime.NegotiatedSerializer) http.Handler {
	return checkNumbers(checkDeletions(keepPatches(api), serializer), serializer)
}
