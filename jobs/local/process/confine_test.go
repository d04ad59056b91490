// SPDX-License-Identifier: Apache-2.0

package process

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"goldsmith.dev/goldsmith/e2e/require"
)

// TestAConfinedCommandReadsWhatIsNotHiddenAndChangesOnlyItsOwn runs as every user. Without Landlock it checks that the command can do
// all of this.
func TestAConfinedCommandReadsWhatIsNotHiddenAndChangesOnlyItsOwn(t *testing.T) {
	confines := func(version int) bool { return LandlockVersion() >= version }
	top := require.Value(filepath.EvalSymlinks(t.TempDir()))(t)
	for path, content := range map[string]string{
		"neighbour/file": "", "data/token": "secret", "data/pods/other/result": "", "data/pods/own/input": "", "data/pods/own/result": "",
		"data/pods/own/log": "", "data/pods/own/output/file": "", "kubeconfig": "",
	} {
		path = filepath.Join(top, path)
		require.NoError(t, errors.Join(os.MkdirAll(filepath.Dir(path), 0o700), os.WriteFile(path, []byte(content), 0o600)))
	}
	require.NoError(t, os.Symlink(filepath.Join(top, "data"), filepath.Join(top, "link")))
	s := startSupervisor(t)
	bystander, _ := start(t, s, shell("exec sleep 1000"))
	own, server := filepath.Join(top, "data/pods/own"), strconv.Itoa(os.Getpid())
	for script, denied := range map[string]bool{
		"cat neighbour/file /etc/passwd":  false,
		"ls neighbour /usr":               false,
		"echo >/dev/null; cat </dev/null": false,
		"cat data/pods/own/input":         false,
		"echo x >data/pods/own/result":    false,
		"cd data/pods/own/output; mkdir -p a b; echo >a/x; mv a/x b; rm -r b": false,
		"sleep 1000 & kill $!": false,
		"cat data/token":       confines(1),
		"cat link/token":       confines(1),
		"cat /proc/" + strconv.Itoa(os.Getpid()) + "/root" + top + "/data/token": confines(1),
		"readlink /proc/" + strconv.Itoa(os.Getpid()) + "/cwd":                   confines(1),
		// It reads none of a process that it did not start, the environment with passwords among it.
		"cat /proc/" + server + "/environ":                                            confines(1),
		"cat /proc/" + server + "/maps":                                               confines(1),
		"exec 3</proc/" + server + "/mem":                                             confines(1),
		"readlink /proc/" + server + "/fd/1":                                          confines(1),
		"readlink /proc/" + server + "/exe":                                           confines(1),
		"cat /proc/$PPID/environ":                                                     confines(1),
		"cat /proc/" + strconv.Itoa(bystander.PID()) + "/environ":                     confines(1),
		"sleep 1000 & cat /proc/$!/environ /proc/$!/maps /proc/self/environ; kill $!": false,
		"cat kubeconfig":                                                              confines(1),
		"ls data":                                                                     confines(1),
		"ls .":                                                                        confines(1),
		"cat data/pods/other/result":                                                  confines(1),
		"cat data/pods/own/log":                                                       confines(1),
		"echo >data/pods/own/log":                                                     confines(1),
		"rm data/pods/own/result":                                                     confines(1),
		"mkfifo data/pods/own/log2":                                                   confines(1),
		"echo >neighbour/file":                                                        confines(1),
		"touch neighbour/new":                                                         confines(1),
		"ln neighbour/file data/pods/own/output/l":                                    confines(1),
		"truncate -s 1 neighbour/file":                                                confines(LandlockTruncate),
		"kill -0 $PPID":                                                               confines(LandlockSignals),
		"kill -0 " + strconv.Itoa(bystander.PID()):                                    confines(LandlockSignals),
	} {
		c := shell("set -e; cd " + top + "; " + script)
		c.Confinement = &Confinement{
			Hidden:   []string{filepath.Join(top, "data"), filepath.Join(top, "kubeconfig")},
			Readable: []string{filepath.Join(own, "input")},
			Writable: []string{filepath.Join(own, "output"), filepath.Join(own, "result")},
		}
		p, out := start(t, s, c)
		said := require.Value(io.ReadAll(out))(t)
		if status := wait(t, p).Status(); (status != 0) != denied || strings.Contains(string(said), "secret") && denied {
			t.Errorf("%s: exit code %d, want a refusal: %t: %s", script, status, denied, said)
		}
	}
	if !alive(bystander.PID()) {
		t.Error("a bystander ended")
	}
	if _, err := s.Start(Command{Path: "/bin/bash", Dir: "/", Confinement: &Confinement{Writable: []string{"/no/such/file"}}}, os.Stderr, os.Stderr); confines(1) && !errors.Is(err, unix.ENOENT) {
		t.Errorf("a confinement that cannot be applied: %v", err)
	}
}

func TestANeighbourThatCannotBeOpenedHindersNoCommand(t *testing.T) {
	deep := t.TempDir()
	for len(deep) < unix.PathMax-220 {
		deep = filepath.Join(deep, strings.Repeat("d", 100))
	}
	require.NoError(t, os.MkdirAll(deep, 0o700))
	root := require.Value(os.OpenRoot(deep))(t)
	tooLong := strings.Repeat("f", 250) // as part of an absolute path
	require.NoError(t, errors.Join(root.WriteFile(tooLong, nil, 0o600), root.Close()))
	c := shell("true")
	c.Confinement = &Confinement{Hidden: []string{filepath.Join(deep, "hidden")}}
	if p, _ := start(t, startSupervisor(t), c); wait(t, p).Status() != 0 {
		t.Error("the command failed")
	}
}
