// SPDX-License-Identifier: Apache-2.0

package s3test

import (
	"net/http"
	"testing"

	"goldsmith.dev/goldsmith/e2e/require"
)

// The first example of https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-header-based-auth.html
func TestTheSignatureIsThatOfTheDocumentation(t *testing.T) {
	r := require.Value(http.NewRequestWithContext(t.Context(), http.MethodGet, "https://examplebucket.s3.amazonaws.com/test.txt", nil))(t)
	for name, value := range map[string]string{
		"Range": "bytes=0-9", "X-Amz-Date": "20130524T000000Z",
		"X-Amz-Content-Sha256": "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
		"Authorization":        "AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request,SignedHeaders=host;range;x-amz-content-sha256;x-amz-date,Signature=",
	} {
		r.Header.Set(name, value)
	}
	if got := signature(r, "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"); got != "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41" {
		t.Errorf("got %s", got)
	}
}
