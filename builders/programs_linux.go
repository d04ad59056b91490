// SPDX-License-Identifier: Apache-2.0

package builders

import (
	"errors"
	"os/exec"

	"goldsmith.dev/goldsmith/builders/debian"
	"goldsmith.dev/goldsmith/builders/debian/program"
	"goldsmith.dev/goldsmith/builders/debian/sandbox"
	"goldsmith.dev/goldsmith/builders/debian/tools"
	"goldsmith.dev/goldsmith/builders/tester"
	"goldsmith.dev/goldsmith/jobs/inputs"
	"goldsmith.dev/goldsmith/jobs/mock"
)

// programs are the programs of the builders, by their names.
var programs = map[string]Programs{
	mockName: {Main: mock.Main},
	debian.Name: {
		Main: sandbox.Main, Inside: program.Main,
		Missing:     func() func() error { return new(tools.Checked).Missing },
		Environment: sandbox.Environment,
	},
	inputs.Tester: {
		Main:    tester.Main,
		Missing: func() func() error { return missingEmulator },
		Environment: func(getenv func(string) string, _ string, _ int64) []string {
			return []string{"PATH=" + getenv("PATH")}
		},
	},
}

// missingEmulator returns an error if no test can run. UEFI firmware, which the packages also have, is for some tests only.
func missingEmulator() error {
	if _, err := exec.LookPath("qemu-system-x86_64"); err != nil {
		return errors.New("missing on this machine: qemu-system-x86: apt-get install qemu-system-x86 ovmf")
	}
	return nil
}
