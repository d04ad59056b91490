// SPDX-License-Identifier: Apache-2.0

package shellword_test

import (
	"os/exec"
	"testing"

	"goldsmith.dev/goldsmith/cmd/goldsmith/internal/shellword"
)

func TestAShellReadsOneWord(t *testing.T) {
	for _, text := range []string{"", "/home/me/.goldsmith/kubeconfig", "/my files/it's $HOME/kubeconfig", `/a\b"c`, "a;b", "*", "~"} {
		out, err := exec.CommandContext(t.Context(), "sh", "-c", "printf '<%s>' "+shellword.Quote(text)).Output()
		if err != nil || string(out) != "<"+text+">" {
			t.Errorf("%s: the shell reads %q: %v", text, out, err)
		}
	}
	if path := "/home/me/kubeconfig"; shellword.Quote(path) != path {
		t.Errorf("got %s", shellword.Quote(path))
	}
}
