// SPDX-License-Identifier: Apache-2.0

package boot

import (
	"net"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"goldsmith.dev/goldsmith/builders/machine"
	"goldsmith.dev/goldsmith/e2e/require"
)

func TestFlagsDescribeTheGuest(t *testing.T) {
	t.Setenv("PATH", filepath.Dir(fakeQEMU(t, "exit 1")))
	for line, want := range map[string]machine.Machine{
		"":                                {Memory: 1024},
		"--memory 1536Mi --cpus 4":        {Memory: 1536, CPUs: 4},
		"--until login --timeout 1m":      {Memory: 1024},
		"--memory 2Gi --firmware bios":    {Memory: 2048},
		"--accel tcg --until boot.target": {Memory: 1024},
	} {
		command, asked := NewCommand(), &options{}
		command.ResetFlags()
		asked.addTo(command)
		require.NoError(t, command.ParseFlags(strings.Fields(line)))
		command.SetContext(t.Context())
		guest, err := asked.complete(command)
		if err != nil || guest.machine.Memory != want.Memory || guest.machine.CPUs != want.CPUs || (guest.goal != nil) != strings.Contains(line, "--until") {
			t.Errorf("%s: got %+v, error %v", line, guest, err)
		}
	}
}

func TestAPortInUseIsRefusedBeforeADiskIsFetched(t *testing.T) {
	t.Setenv("PATH", filepath.Dir(fakeQEMU(t, "exit 1")))
	listener := require.Value((&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0"))(t)
	defer func() { require.NoError(t, listener.Close()) }()
	port := strconv.Itoa(listener.Addr().(*net.TCPAddr).Port)
	command := NewCommand()
	command.SetArgs([]string{"web", "--ssh", port})
	command.SilenceErrors, command.SilenceUsage = true, true
	if err := command.ExecuteContext(t.Context()); err == nil || !strings.HasPrefix(err.Error(), "--ssh "+port+": choose another port: listen tcp 127.0.0.1:") {
		t.Errorf("got error %v", err)
	}
}
