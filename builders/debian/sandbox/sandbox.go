// SPDX-License-Identifier: Apache-2.0

package sandbox

import (
	"path"
	"strconv"

	"goldsmith.dev/goldsmith/builders/debian/tools"
	"goldsmith.dev/goldsmith/jobs/local"
	"goldsmith.dev/goldsmith/jobs/render"
)

// place is a path of the machine that the builder can use.
type place struct {
	variable string // of the builder contract, which names the path
	at       string // in the sandbox
	writable bool
}

var places = []place{
	{variable: render.EnvInput, at: tools.Mounts + "/input"},
	{variable: render.EnvBase, at: tools.Mounts + "/base"},
	{variable: render.EnvSource, at: tools.Mounts + "/source"},
	{variable: local.EnvMounts, at: tools.Mounts + "/mounts"},
	{variable: render.EnvReportToken, at: tools.Mounts + "/report-token"},
	{variable: render.EnvReportCA, at: tools.Mounts + "/report-ca.crt"},
	{variable: render.EnvOutput, at: output, writable: true},
	{variable: render.EnvResult, at: tools.Mounts + "/result", writable: true},
	{variable: envTemporary, at: temporary, writable: true},
}

const (
	envTemporary = "TMPDIR"
	temporary    = "/tmp"
	output       = tools.Mounts + "/output"
)

// command returns the arguments of bwrap that run a program with the tools, and the environment of both. The environment is not among the
// arguments, because other users of the machine can read those, and a proxy can have a password. getenv looks up the variables of the builder
// contract.
func command(directory, program string, getenv func(string) string) (arguments, environment []string) {
	user := strconv.Itoa(tools.ID)
	arguments = []string{
		// bwrap keeps the capabilities of root unless it is told to drop them.
		"--unshare-user", "--uid", user, "--gid", user, "--cap-drop", "ALL",
		"--unshare-pid", "--unshare-ipc", "--unshare-uts", "--unshare-cgroup-try", "--hostname", path.Base(tools.Program),
		// The program stays in the session, and so in the process group to which Goldsmith sends SIGTERM. As in a pod it has no init above it.
		"--die-with-parent", "--as-pid-1",
		// A server of root has a builder whose user is root outside of the user namespace: it could write to the settings of the kernel.
		"--ro-bind", directory, "/", "--dev", "/dev", "--proc", "/proc", "--remount-ro", "/proc",
		"--ro-bind-try", "/etc/resolv.conf", "/etc/resolv.conf", "--ro-bind-try", "/etc/hosts", "/etc/hosts",
		"--ro-bind", program, tools.Program, "--tmpfs", tools.Mounts,
	}
	environment = append(tools.Proxies(getenv), "HOME="+temporary, "PATH=/usr/sbin:/usr/bin:/sbin:/bin")
	if url := getenv(render.EnvReportURL); url != "" {
		environment = append(environment, render.EnvReportURL+"="+url)
	}
	for _, place := range places {
		source := getenv(place.variable)
		if source == "" {
			continue
		}
		bind := "--ro-bind"
		if place.writable {
			bind = "--bind"
		}
		arguments = append(arguments, bind, source, place.at)
		environment = append(environment, place.variable+"="+place.at)
	}
	return append(arguments, "--remount-ro", tools.Mounts, "--chdir", output, tools.Program), environment
}
