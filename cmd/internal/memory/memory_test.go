// SPDX-License-Identifier: Apache-2.0

package memory

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"goldsmith.dev/goldsmith/e2e/require"
)

func TestAttemptsFollowWhatTheyGaveBack(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		wait          time.Duration
		before, after uint64
		attempts      int
		next          time.Duration
	}{
		"a small heap":              {late, 40 << 20, 40 << 20, 0, soon},
		"a peak":                    {late, 1500 << 20, 90 << 20, 1, soon},
		"a large heap, all of it":   {soon, 500 << 20, 499 << 20, 1, 2 * soon},
		"a large heap for minutes":  {late, 500 << 20, 499 << 20, 1, late},
		"growth during the attempt": {soon, 500 << 20, 600 << 20, 1, 2 * soon},
	} {
		heap, attempts := c.before, 0
		next := giveBack(c.wait, func() uint64 { return heap }, func() { heap, attempts = c.after, attempts+1 })
		if attempts != c.attempts || next != c.next {
			t.Errorf("%s: %d attempts, the next in %s", name, attempts, next)
		}
	}
}

func TestTheSmallestLimitCounts(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		files map[string]string
		want  int64
	}{
		"nothing is known": {nil, 0},
		"the machine":      {map[string]string{"proc/meminfo": "MemTotal:        2048 kB\nMemFree: 1 kB\n"}, 2 << 20},
		"a cgroup without a limit": {map[string]string{
			"proc/meminfo": "MemTotal: 2048 kB\n", "proc/self/cgroup": "0::/\n", "sys/fs/cgroup/memory.max": "max\n",
		}, 2 << 20},
		"the cgroup above": {map[string]string{
			"proc/meminfo": "MemTotal: 2048 kB\n", "proc/self/cgroup": "0::/a.slice/b.scope\n",
			"sys/fs/cgroup/a.slice/memory.max": "1000000\n", "sys/fs/cgroup/a.slice/b.scope/memory.max": "1500000\n",
		}, 1000000},
		"version 1": {map[string]string{
			"proc/meminfo": "MemTotal: 2048 kB\n", "proc/self/cgroup": "3:cpu:/x\n2:memory:/x\n",
			"sys/fs/cgroup/memory/memory.limit_in_bytes": "900000\n",
		}, 900000},
	} {
		root := t.TempDir()
		for path, content := range c.files {
			path = filepath.Join(root, path)
			require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o700))
			require.NoError(t, os.WriteFile(path, []byte(content), 0o600))
		}
		if got := available(root); got != c.want {
			t.Errorf("%s: %d bytes, want %d", name, got, c.want)
		}
	}
}
