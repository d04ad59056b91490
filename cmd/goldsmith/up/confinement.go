// SPDX-License-Identifier: Apache-2.0

package up

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"goldsmith.dev/goldsmith/apiserver/storage/etcd"
	"goldsmith.dev/goldsmith/jobs/local/process"
)

// hidden returns the paths that builders cannot read: everything of the server, without links.
func (s *system) hidden() ([]string, error) {
	data, err := filepath.EvalSymlinks(s.data.Path)
	if err != nil {
		return nil, fmt.Errorf("find the data directory: %w", err)
	}
	entries, err := os.ReadDir(data)
	if err != nil {
		return nil, fmt.Errorf("read the data directory: %w", err)
	}
	hidden := []string{data}
	for _, entry := range entries {
		// A user may have moved builds to a larger disk.
		if path, err := filepath.EvalSymlinks(filepath.Join(data, entry.Name())); err == nil && entry.Type() == fs.ModeSymlink {
			hidden = append(hidden, path)
		}
	}
	// The kubeconfig is written last, perhaps into a new directory.
	directory := filepath.Dir(s.options.Kubeconfig)
	if err := os.MkdirAll(directory, 0o700); err != nil {
		return nil, fmt.Errorf("create the directory of the kubeconfig: %w", err)
	}
	if directory, err = filepath.EvalSymlinks(directory); err != nil {
		return nil, fmt.Errorf("find the directory of the kubeconfig: %w", err)
	}
	hidden = append(hidden, filepath.Join(directory, filepath.Base(s.options.Kubeconfig)))
	temporary, err := etcd.TemporaryDirectories()
	if err != nil {
		return nil, fmt.Errorf("find the temporary directories of etcd: %w", err)
	}
	for _, path := range temporary {
		if path, err := filepath.EvalSymlinks(path); err == nil { // it is deleted if its server ends
			hidden = append(hidden, path)
		}
	}
	return hidden, nil
}

// manyNeighbours is how many files beside hidden paths cost each start of a builder some 10 ms: each file needs a rule of Landlock.
const manyNeighbours = 2000

// neighboursNotice returns the directory that delays every start of a builder, because it has more files beside hidden paths than the
// limit, or "".
func neighboursNotice(hidden []string, limit int) string {
	seen := map[string]bool{}
	for _, path := range hidden {
		for path != "/" {
			path = filepath.Dir(path)
			if seen[path] || slices.Contains(hidden, path) {
				continue
			}
			seen[path] = true
			if entries, err := os.ReadDir(path); err == nil && len(entries) > limit {
				return fmt.Sprintf("every builder starts later, because %s has %d files, which builders can read: set --data-dir to a directory elsewhere", path, len(entries))
			}
		}
	}
	return ""
}

// confinementNotice returns what the kernel's version of Landlock cannot prevent, or "".
func confinementNotice(version int) string {
	const next = "; register only programs that you trust with your whole user account"
	switch {
	case version == 0:
		return "builders are not confined, because this kernel has no Landlock: they can read and change all your files" + next
	case version < process.LandlockTruncate:
		return "builders are confined in part, because this kernel is older than Linux 6.2: they can empty your files and signal your processes" + next
	case version < process.LandlockSignals:
		return "builders are confined in part, because this kernel is older than Linux 6.12: they can signal your processes" + next
	}
	return ""
}
