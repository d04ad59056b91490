// SPDX-License-Identifier: Apache-2.0

// Package boot is the verb that boots a disk image in QEMU. It never changes the image: the guest writes to a private copy.
package boot

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"time"

	"github.com/spf13/cobra"
	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/utils/clock"

	"goldsmith.dev/goldsmith/builders/machine"
	"goldsmith.dev/goldsmith/cmd/goldsmith/internal/artifacts"
	"goldsmith.dev/goldsmith/cmd/goldsmith/internal/client"
	"goldsmith.dev/goldsmith/cmd/goldsmith/internal/completion"
	"goldsmith.dev/goldsmith/cmd/goldsmith/internal/output"
)

const (
	// defaultTimeout is how long a guest may take until it reaches what --until names. Emulation on a busy machine takes minutes.
	defaultTimeout = 5 * time.Minute
	// leastMemory lets firmware and a kernel start.
	leastMemory = 64 << 20
	// sshPort is the port of SSH servers.
	sshPort = 22
)

// options are the flags of the verb.
type options struct {
	target, firmware, accel, memory, until string
	ssh, cpus                              int
	timeout                                time.Duration
	root, plainHTTP, allowRevoked          bool
	clock                                  clock.PassiveClock
}

// NewCommand returns the verb.
func NewCommand() *cobra.Command {
	asked := &options{clock: clock.RealClock{}}
	var booted *guest
	command := client.NewVerb(&cobra.Command{
		Annotations: map[string]string{output.Unescaped: ""}, // the console of the guest controls the terminal
		Use:         "boot IMAGE[@CHANNEL]|BUILD",
		Short:       "Boot a disk of an image or a build in QEMU, with its console here",
		Long: "Boot the disk of a build, of an image's latest successful build, or of the build that a channel names. The command " +
			"fetches the disk as `goldsmith artifacts get` does, and verifies its digest. It refuses a revoked build without --allow-revoked. It boots a private copy, which is deleted at the " +
			"end. The image itself never changes.\n\n" +
			"The serial console of the guest is on this terminal. Ctrl-A X ends the guest, and Ctrl-C goes to the guest. With --until, the " +
			"command reads nothing, writes the console to the standard output, and ends as soon as the guest has a login prompt, or has reached a " +
			"systemd target. It needs nothing in the image for that but systemd 256 or later for a target.\n\n" +
			"With --root, the console has a shell of root, also if no user of the image can log in. Nothing in the image permits that: it is a setting of " +
			"this guest.\n\n" +
			"QEMU uses KVM if a test guest runs with KVM, and otherwise emulates the processor, which is about ten times slower. The guest " +
			"reaches the network as this machine does. Nothing reaches the guest, except the SSH port of --ssh.",
		Example: "  goldsmith boot server --root\n" +
			"  goldsmith boot server@stable --firmware secureboot --ssh 2222\n" +
			"  goldsmith boot server-7 --until multi-user.target --timeout 10m",
		Args:              client.OneName("IMAGE[@CHANNEL] or BUILD", client.Either),
		ValidArgsFunction: completion.ArtifactSources,
		PreRunE: func(command *cobra.Command, _ []string) (err error) {
			booted, err = asked.complete(command)
			return err
		},
	}, func(command *cobra.Command, connection *client.Connection, args []string) error {
		return booted.run(command.Context(), connection, args[0])
	})
	asked.addTo(command)
	return command
}

func (o *options) addTo(command *cobra.Command) {
	set := command.Flags()
	set.StringVar(&o.target, "target", "", "`target` of the disk, such as linux/amd64/raw (default: qcow2 if the build has it, or else raw)")
	set.StringVar(&o.firmware, "firmware", machine.BIOS, "firmware of the guest: bios, uefi or secureboot")
	set.StringVar(&o.accel, "accel", machine.Auto, "what runs the guest: kvm, tcg (emulation), or auto, which chooses KVM if it works")
	set.StringVar(&o.memory, "memory", "1Gi", "memory of the guest")
	set.IntVar(&o.cpus, "cpus", 0, "number of processors of the guest (default: 2, or 1 in emulation, where more are not faster)")
	set.IntVar(&o.ssh, "ssh", 0, "`port` of 127.0.0.1 that is forwarded to port 22 of the guest")
	set.BoolVar(&o.root, "root", false, "log in as root on the console, without a password; needs systemd 256 or later in the guest")
	set.StringVar(&o.until, "until", "", "what ends the command with success: login, or a systemd target such as multi-user.target")
	set.DurationVar(&o.timeout, "timeout", defaultTimeout, "time until the guest must have reached what --until names")
	set.BoolVar(&o.plainHTTP, "plain-http", false, artifacts.PlainHTTPUsage)
	set.BoolVar(&o.allowRevoked, artifacts.AllowRevoked, false, artifacts.AllowRevokedUsage)
	fixed := func(values ...string) cobra.CompletionFunc {
		return cobra.FixedCompletions(values, cobra.ShellCompDirectiveNoFileComp)
	}
	err := errors.Join(
		command.RegisterFlagCompletionFunc("target", completion.Value(completeTargets)),
		command.RegisterFlagCompletionFunc("firmware", fixed(machine.BIOS, machine.UEFI, machine.SecureBoot)),
		command.RegisterFlagCompletionFunc("accel", fixed(machine.Auto, machine.KVM, machine.TCG)),
		command.RegisterFlagCompletionFunc("until", fixed(machine.Login, "multi-user.target", "network-online.target")),
	)
	if err != nil {
		panic(err) // cannot fail: the lines above add the flags
	}
}

func completeTargets(ctx context.Context, connection *client.Connection, args []string) (targets []string, err error) {
	if len(args) == 0 {
		return nil, nil
	}
	build, err := artifacts.Find(ctx, connection, args[0], io.Discard)
	if err != nil {
		return nil, err
	}
	for _, disk := range disksOf(build) {
		targets = append(targets, output.OneLine(disk.target))
	}
	return targets, nil
}

// complete checks the flags, and that this machine has what they need, before anything is fetched.
func (o *options) complete(command *cobra.Command) (*guest, error) {
	memory, err := resource.ParseQuantity(o.memory)
	switch {
	case err != nil || memory.Value() < leastMemory:
		return nil, fmt.Errorf("--memory %q: must be a quantity of at least 64Mi, such as 1Gi", o.memory)
	case o.cpus < 0 || o.cpus == 0 && command.Flags().Changed("cpus"):
		return nil, fmt.Errorf("--cpus %d: must be at least 1", o.cpus)
	case o.ssh < 0 || o.ssh > 65535:
		return nil, fmt.Errorf("--ssh %d: must be a port, 1 to 65535", o.ssh)
	case !slices.Contains([]string{machine.BIOS, machine.UEFI, machine.SecureBoot}, o.firmware):
		return nil, fmt.Errorf("--firmware %q: must be %s, %s or %s", o.firmware, machine.BIOS, machine.UEFI, machine.SecureBoot)
	case !slices.Contains([]string{machine.Auto, machine.KVM, machine.TCG}, o.accel):
		return nil, fmt.Errorf("--accel %q: must be %s, %s or %s", o.accel, machine.Auto, machine.KVM, machine.TCG)
	case o.until == "" && command.Flags().Changed("timeout"):
		return nil, errors.New("--timeout needs --until: without it, the guest runs until you end it")
	case o.timeout <= 0:
		return nil, fmt.Errorf("--timeout %s: must be longer than 0", o.timeout)
	}
	goal, err := machine.GoalOf(o.until)
	if err != nil {
		return nil, fmt.Errorf("--until %w", err)
	}
	var ports []machine.Port
	if o.ssh != 0 {
		ports = append(ports, machine.Port{Host: o.ssh, Guest: sshPort})
		listener, err := (&net.ListenConfig{}).Listen(command.Context(), "tcp", fmt.Sprintf("127.0.0.1:%d", o.ssh))
		if err != nil {
			return nil, fmt.Errorf("--ssh %d: choose another port: %w", o.ssh, err)
		}
		_ = listener.Close() // QEMU listens there
	}
	qemu, firmware, err := machine.FindTools(o.firmware, machine.FirmwareDirectories())
	if err != nil {
		return nil, err
	}
	stderr := command.ErrOrStderr()
	return &guest{
		options: o, goal: goal, qemu: qemu,
		machine: machine.Machine{Firmware: firmware, Memory: memory.Value() >> 20, CPUs: o.cpus, Ports: ports},
		in:      command.InOrStdin(), out: command.OutOrStdout(),
		stderr: output.Colours(stderr), style: output.StyleOf(command, stderr),
	}, nil
}
