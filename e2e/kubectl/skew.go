// SPDX-License-Identifier: Apache-2.0

package kubectl

import (
	"context"
	"fmt"
	"io"
	"os/exec"
	"strings"
)

// BuildOlder returns the paths of kubectl of the two minor releases before the newest one, by their minor versions: those
// that the version skew policy of Kubernetes supports. script is the path of the script kubectls of this folder, which builds a
// kubectl on its first use, and writes its progress to progress.
func BuildOlder(ctx context.Context, script string, progress io.Writer) (map[string]string, error) {
	build := exec.CommandContext(ctx, script)
	build.Stderr = progress
	lines, err := build.Output()
	if err != nil {
		return nil, fmt.Errorf("build older kubectls: %w", err)
	}
	paths := map[string]string{}
	for line := range strings.Lines(string(lines)) {
		minor, path, _ := strings.Cut(strings.TrimSpace(line), " ")
		paths[minor] = path
	}
	return paths, nil
}
