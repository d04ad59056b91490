// SPDX-License-Identifier: Apache-2.0

package codecs

import (
	"bufio"
	"bytes"
	"encoding/json"
	"testing"

	"goldsmith.dev/goldsmith/e2e/require"
)

func TestJSONIsIndentedAsByTheLibrary(t *testing.T) {
	t.Parallel()
	const compact = `{"items":[],"empty":{},"a":[1,-2.5e+1,null,[[]],{"b":[true,false]}],"text":"{\"a\\\\\":[1, 2]}\\","":"","o":{"c":{"d":"ü"}}}`
	var want bytes.Buffer
	require.NoError(t, json.Indent(&want, []byte(compact), "", "  "))
	for cut := range len(compact) { // a part can end anywhere
		var got bytes.Buffer
		out := bufio.NewWriter(&got)
		indented := &indenter{out: out}
		for _, part := range []string{compact[:cut], compact[cut:] + "\n"} {
			if _, err := indented.Write([]byte(part)); err != nil {
				t.Fatal(err)
			}
		}
		if err := out.Flush(); err != nil || got.String() != want.String() {
			t.Fatalf("cut at %d: %v\n%s", cut, err, &got)
		}
	}
}
