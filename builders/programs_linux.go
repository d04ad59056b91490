// SPDX-License-Identifier: Apache-2.0

package builders

import (
	"goldsmith.dev/goldsmith/builders/debian"
	"goldsmith.dev/goldsmith/builders/debian/program"
	"goldsmith.dev/goldsmith/builders/debian/sandbox"
	"goldsmith.dev/goldsmith/builders/debian/tools"
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
}
