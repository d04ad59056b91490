// SPDX-License-Identifier: Apache-2.0

package signing

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"goldsmith.dev/goldsmith/apis/contents"
	"goldsmith.dev/goldsmith/e2e/require"
)

func TestASignatureOfAFileIsOfNoOtherProtocol(t *testing.T) {
	key := require.Value(Generate())(t)
	public := require.Value(key.Public())(t)
	const statement, payload = "the encoding of a statement", "the payload of the signature of an image"
	const critical = `{"identity": {"docker-reference": "$(reboot)"}, "image": {"docker-manifest-digest": "sha256:00"}, "type": "cosign container image signature"}`
	for name, test := range map[string]struct{ content, other string }{
		"checksums":                          {"00  goldsmith.tar.gz\n", ""},
		"nothing":                            {"", ""},
		"a large file":                       {strings.Repeat("large", 1<<16), ""},
		"an encoding":                        {"DSSEv1 28 application/vnd.in-toto+json 2 {}", statement},
		"an encoding of another type":        {"DSSEv1 0  9\nreboot\n", statement},
		"an encoding with lengths of others": {"DSSEv1 \nreboot", statement},
		"a text on DSSE":                     {"DSSEv1: how it works", ""},
		"another version of DSSE":            {"DSSEv2 28 application/vnd.in-toto+json 2 {}", ""},
		"a part of an encoding":              {"DSSEv1", ""},
		"a payload":                          {`{"critical":` + critical + `,"optional":null}`, payload},
		"a payload with other spaces":        {"\r\n\t { \"optional\" : {\"a\": [1]},\n\"critical\" : " + critical + "\n}\n", payload},
		"a payload with escapes":             {`{"\u0063riti\u0063al": {"\u0074ype": "x"}}`, payload},
		"a payload in other letters":         {`{"CRITICAL": {"Image": {}}}`, payload},
		"a payload of another tool":          {`{"critical": {"type": "atomic container signature"}}`, payload},
		"a payload with fields of others":    {`{"critical": 5, "critical": ` + critical + `, "critical": []}`, payload},
		"a payload with text after it":       {`{"critical": ` + critical + `}; reboot`, payload},
		"a field of another object":          {`{"alerts": {"critical": ` + critical + `}}`, ""},
		"a field that is no object":          {`{"critical": true, "type": "alert"}`, ""},
		"a list":                             {`[{"critical": ` + critical + `}]`, ""},
		"a part of a payload":                {`{"critical": ` + critical, ""},
		"no JSON":                            {`{critical: ` + critical + `}`, ""},
		"deep JSON":                          {strings.Repeat(`{"critical":`, 1<<14), ""},
		"spaces":                             {strings.Repeat(" ", 1<<16), ""},
	} {
		file := require.Value(ReadFile(iotest.OneByteReader(strings.NewReader(test.content))))(t)
		if file.Digest() != contents.Digest([]byte(test.content)) {
			t.Errorf("%s: the digest is %s", name, file.Digest())
		}
		signature, err := key.SignFile(file)
		asStatement := require.Value(key.SignStatement(file.Digest()))(t)
		if test.other != "" {
			if err == nil || !strings.Contains(err.Error(), test.other) || public.VerifyFile(file, asStatement) {
				t.Errorf("%s: got error %v, and it verifies: %t", name, err, public.VerifyFile(file, asStatement))
			}
			continue
		}
		if err != nil || !public.VerifyFile(file, signature) || public.VerifyFile(file, signature[1:]) {
			t.Errorf("%s: got error %v, or another result of the signature %x", name, err, signature)
		}
	}
}

// TestALargeFileIsNotKeptInMemory also when it begins as a payload does.
func TestALargeFileIsNotKeptInMemory(t *testing.T) {
	const limit = 1 << 12
	for _, start := range []string{`{"a": "`, "text", " "} {
		content := strings.NewReader(start + strings.Repeat(" ", 1<<20) + `", "critical": {"type": "x"}}`)
		size := content.Size()
		if other, err := otherProtocol(content, limit); err != nil || other != "" || size-int64(content.Len()) > limit {
			t.Errorf("%q: read %d bytes, and found %q, error %v", start, size-int64(content.Len()), other, err)
		}
	}
}

func TestAFileThatCannotBeReadIsAnError(t *testing.T) {
	broken := errors.New("input/output error")
	for _, start := range []string{"", "DSSEv1 ", "text", " ", `{"critical": `, strings.Repeat("large", 1<<20)} {
		if file, err := ReadFile(io.MultiReader(strings.NewReader(start), iotest.ErrReader(broken))); !errors.Is(err, broken) {
			t.Errorf("%.20q: got %v, error %v", start, file, err)
		}
	}
	if _, err := ReadFile(iotest.ErrReader(fmt.Errorf("read: %w", io.ErrUnexpectedEOF))); err == nil {
		t.Error("half a file was read")
	}
}
