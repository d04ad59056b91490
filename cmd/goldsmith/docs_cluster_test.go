// SPDX-License-Identifier: Apache-2.0

//go:build e2e

package main

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"goldsmith.dev/goldsmith/e2e/deadline"
)

// shims replace commands that would change the tested installation. make only has to know the target, which CI runs. The overlay
// and the deletion of everything are dry runs, and the loop of Tilt, which never ends, only has to exist.
const shims = `
make() { command make --dry-run "$@" >/dev/null; }
kubectl() {
  case " $* " in
    *" apply -k "*) command kubectl apply --dry-run=server -k kustomize/overlays/kind >/dev/null ;;
    *" delete -k "*) command kubectl delete --dry-run=server --ignore-not-found -k kustomize/overlays/kind >/dev/null ;;
    *" delete clusterrolebinding "*) command kubectl "$@" --dry-run=server >/dev/null ;;
    *) command kubectl "$@" ;;
  esac
}
e2e/tilt/up() { test -x e2e/tilt/up; }
`

// TestEveryClusterCommandOfTheDocsWorks runs the blocks of the docs that need a cluster. It runs them in the checkout, against
// the cluster of KUBECONFIG, where Goldsmith is installed from the images of E2E_VERSION.
func TestEveryClusterCommandOfTheDocsWorks(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), deadline.Docs.Deadline())
	defer cancel()
	tools := t.TempDir()
	command(ctx, t, "go build -trimpath -ldflags='-s -w' -o "+tools+"/kubectl-goldsmith ./cmd/goldsmith", "CGO_ENABLED=0")
	command(ctx, t, "docker tag mock-builder:"+os.Getenv("E2E_VERSION")+" hello:v1")
	path := "PATH=" + tools + string(filepath.ListSeparator) + os.Getenv("PATH")
	for _, page := range pages(t) {
		for _, block := range blocksOf(t, page) {
			if !slices.Contains(clusterLanguages, block.language) {
				continue
			}
			t.Logf("%s:%d", filepath.Base(page), block.line)
			switch block.language {
			case "sh cluster":
				block.compare(t, command(ctx, t, shims+block.script(), path))
			case "yaml cluster":
				command(ctx, t, "kubectl apply --dry-run=server --validate=strict -f - <<'END'\n"+block.text+"END", path)
			case "yaml kustomization":
				command(ctx, t, "folder=$(mktemp -d -p kustomize/overlays); trap 'rm -r \"$folder\"' EXIT; cp examples/catalog/*.yaml \"$folder\"\n"+
					"cat > \"$folder/kustomization.yaml\" <<'END'\nresources: [../default]\n"+block.text+"END\nkubectl kustomize \"$folder\" >/dev/null", path)
			}
		}
	}
}

// command runs commands in a shell in the checkout; each of them must succeed.
func command(ctx context.Context, t *testing.T, text string, environment ...string) (output string) {
	t.Helper()
	shell := exec.CommandContext(ctx, "bash", "-euo", "pipefail", "-c", text)
	shell.Dir, shell.Env = repository, append(os.Environ(), environment...)
	out, err := shell.CombinedOutput()
	t.Logf("%s", strings.TrimSpace(string(out)))
	if err != nil {
		t.Fatalf("%v (%v)", err, context.Cause(ctx))
	}
	return string(out)
}
