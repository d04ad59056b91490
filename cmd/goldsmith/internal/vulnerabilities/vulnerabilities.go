// SPDX-License-Identifier: Apache-2.0

// Package vulnerabilities is the verb that lists the known vulnerabilities of the packages in the artifacts of an Image or a build.
package vulnerabilities

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"k8s.io/utils/clock"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/cmd/goldsmith/internal/artifacts"
	"goldsmith.dev/goldsmith/cmd/goldsmith/internal/client"
	"goldsmith.dev/goldsmith/cmd/goldsmith/internal/completion"
	"goldsmith.dev/goldsmith/cmd/goldsmith/internal/exit"
	"goldsmith.dev/goldsmith/cmd/goldsmith/internal/output"
	"goldsmith.dev/goldsmith/jobs/trigger"
)

// openVEX is a format of the flag -o beside those of other verbs.
const openVEX = "openvex"

type options struct {
	target, uid            string
	severity               severity
	all, fixable, exitCode bool
	format                 format

	out, stderr io.Writer
	clock       clock.PassiveClock
}

// format is the value of the flag -o.
type format struct{ output.Format }

// Set refuses unknown formats.
func (f *format) Set(value string) error {
	if value == openVEX {
		f.Format = openVEX
		return nil
	}
	return f.Format.Set(value)
}

// severities are all severities, the worst first.
var severities = []string{
	string(v1alpha1.SeverityCritical), string(v1alpha1.SeverityHigh), string(v1alpha1.SeverityMedium), string(v1alpha1.SeverityLow),
	string(v1alpha1.SeverityNegligible), string(v1alpha1.SeverityUnknown),
}

// severity is the least severity that is listed.
type severity string

// Set refuses unknown severities. It ignores the case.
func (s *severity) Set(value string) error {
	at := slices.IndexFunc(severities, func(each string) bool { return strings.EqualFold(each, value) })
	if at < 0 {
		return fmt.Errorf("must be %s", strings.Join(severities, ", "))
	}
	*s = severity(severities[at])
	return nil
}

// String returns the severity.
func (s *severity) String() string { return string(*s) }

// Type returns the name of the value in the usage of the flag.
func (s *severity) Type() string { return "severity" }

// rank returns the position of a severity among all, the worst first. One that cannot be read may be the worst, and is before all.
func rank(of v1alpha1.Severity) int { return slices.Index(severities, string(of)) }

// NewCommand returns the verb.
func NewCommand() *cobra.Command {
	asked := &options{severity: severity(v1alpha1.SeverityUnknown), clock: clock.RealClock{}}
	command := client.NewVerb(&cobra.Command{
		Use:   "vulnerabilities IMAGE[@CHANNEL]|BUILD",
		Short: "List the known vulnerabilities of the packages in an image",
		Long: "List the known vulnerabilities of the packages in the artifacts of a build, of an image's latest successful build, or of the build that a " +
			"channel names. The server matches its advisories, which its operator sets with --advisories, with the packages of the locks. The table has the " +
			"open vulnerabilities, the most severe first. With --all, it also has those that do not affect the image, and why. With -o openvex, the " +
			"command prints an OpenVEX document, which has both without --all. --severity and --fixable apply to it, too.\n\n" +
			"If the server has a records database, the command also finds deleted builds, and --uid selects one of several builds that had the " +
			"same name.",
		Example: "  goldsmith vulnerabilities debian\n" +
			"  goldsmith vulnerabilities debian@stable --severity High --fixable --exit-code",
		Args:              client.OneName("IMAGE[@CHANNEL] or BUILD", client.Either),
		ValidArgsFunction: completion.ArtifactSources,
	}, func(command *cobra.Command, connection *client.Connection, args []string) error {
		asked.out, asked.stderr = command.OutOrStdout(), command.ErrOrStderr()
		return asked.run(command.Context(), connection, args[0])
	})
	set := command.Flags()
	set.Var(&asked.severity, "severity", "least severity to list: "+strings.Join(severities, ", "))
	set.BoolVar(&asked.fixable, "fixable", false, "only vulnerabilities with a fixed version")
	set.BoolVar(&asked.all, "all", false, "also vulnerabilities that do not affect the image, and why")
	set.BoolVar(&asked.exitCode, "exit-code", false, "exit code 7 if an open vulnerability is listed, 8 if some are unknown")
	set.StringVar(&asked.target, "target", "", "`target` of the artifact, such as linux/amd64/raw (default: all artifacts)")
	set.StringVar(&asked.uid, "uid", "", "UID of the build, which can be a deleted build")
	asked.format.AddTo(command)
	formats := set.Lookup("output")
	formats.Value, formats.Usage = &asked.format, strings.Replace(formats.Usage, output.Wide, output.Wide+", "+openVEX, 1)
	for flag, complete := range map[string]cobra.CompletionFunc{
		"target":   completion.Value(artifacts.CompleteTargets),
		"severity": cobra.FixedCompletions(severities, cobra.ShellCompDirectiveNoFileComp),
	} {
		if err := command.RegisterFlagCompletionFunc(flag, complete); err != nil {
			panic(err) // cannot fail: the lines above add the flags
		}
	}
	return command
}

func (o *options) run(ctx context.Context, connection *client.Connection, argument string) error {
	build, err := artifacts.FindWithDeleted(ctx, connection, argument, o.uid, o.stderr)
	if err != nil {
		return err
	}
	parameters := map[string]string{"uid": string(build.UID), "target": o.target}
	found, err := connection.ReadVulnerabilities(ctx, build.Name, parameters)
	if err != nil {
		return fmt.Errorf("read the vulnerabilities of build %s: %w", build.Name, err)
	}
	found.Items = slices.DeleteFunc(found.Items, func(each v1alpha1.Vulnerability) bool {
		return rank(each.Severity) > rank(v1alpha1.Severity(o.severity)) || o.fixable && each.FixedVersion == "" ||
			each.Status != v1alpha1.VulnerabilityOpen && !o.all && o.format.Format != openVEX
	})
	switch {
	case o.format.Format == openVEX:
		packages, err := connection.ReadPackages(ctx, build.Name, parameters)
		if err != nil {
			return fmt.Errorf("read the packages of build %s: %w", build.Name, err)
		}
		err = o.printOpenVEX(build, found, packages)
		if err != nil {
			return err
		}
	case o.format.ForPrograms():
		if err := o.format.Print(found, o.out); err != nil {
			return err
		}
	default:
		if err := o.print(found); err != nil {
			return err
		}
	}
	return o.code(found)
}

// code returns the error for --exit-code: one with the code Vulnerable if an open vulnerability is listed, and one with Unjudged if nobody knows. What
// is not known has no severity and no fix, so that --severity and --fixable do not hide it.
func (o *options) code(found *v1alpha1.ImageBuildVulnerabilities) error {
	open := slices.ContainsFunc(found.Items, func(each v1alpha1.Vulnerability) bool { return each.Status == v1alpha1.VulnerabilityOpen })
	switch {
	case !o.exitCode:
		return nil
	case open:
		return &exit.Error{Code: exit.Vulnerable, Err: fmt.Errorf("build %s has open vulnerabilities", found.Name), Shown: true}
	case len(found.Unmatched) > 0:
		return &exit.Error{Code: exit.Unjudged, Err: fmt.Errorf("the vulnerabilities of build %s are unknown: %s", found.Name, unmatched(found))}
	case found.Counts.Unreadable > 0:
		return &exit.Error{Code: exit.Unjudged, Err: fmt.Errorf("build %s has vulnerabilities whose rating cannot be read: list them without --fixable", found.Name)}
	}
	return nil
}

func unmatched(found *v1alpha1.ImageBuildVulnerabilities) string {
	return output.OneLine(trigger.DescribeUnmatched(found.Unmatched))
}
