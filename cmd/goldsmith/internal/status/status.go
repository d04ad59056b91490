// SPDX-License-Identifier: Apache-2.0

// Package status is the verb that lists the images and builds that need attention.
package status

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/duration"
	"k8s.io/utils/clock"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/cmd/goldsmith/internal/client"
	"goldsmith.dev/goldsmith/cmd/goldsmith/internal/exit"
	"goldsmith.dev/goldsmith/cmd/goldsmith/internal/output"
)

type options struct {
	// namespace restricts the list. An empty namespace selects all namespaces.
	namespace string
	format    output.Format
	style     output.Style
	// exitCode asks for an exit code that tells whether something needs attention.
	exitCode bool
}

// NewCommand returns the verb.
func NewCommand() *cobra.Command {
	asked, watches := &options{}, false
	command := client.NewVerb(&cobra.Command{
		Use:   "status",
		Short: "List the images and builds that need attention, worst first",
		Long: "List the images and builds of all namespaces that need attention, worst first. These are images that are " +
			"stalled, not ready, based on a revoked build or cannot be built anew, or whose channel names a build that is revoked or lacks what its rule requires, files that `goldsmith up --apply` cannot apply, builds that are retried or have waited for more than 5 minutes, and suspended " +
			"images. The list has at most 10 entries, and long messages are cut: -o wide shows all entries with whole " +
			"messages. The last line counts images and unfinished builds. A stalled image is ready too if its last build succeeded. With -o json, yaml, name or a template, the " +
			"command prints the objects of the list. With --watch, the list is printed again after each change, until Ctrl-C. " +
			"With --exit-code, the exit code is 9 if the list has more than suspended images. " +
			"`goldsmith show NAME` shows a build in detail.",
		Example: "  goldsmith status\n" +
			"  goldsmith status -n team -o wide\n" +
			"  goldsmith status --exit-code\n" +
			"  goldsmith status --watch",
		Args: cobra.NoArgs,
		PreRunE: func(*cobra.Command, []string) error {
			if watches && asked.exitCode {
				return errors.New("--watch runs until Ctrl-C: omit it, or --exit-code")
			}
			if watches && asked.format.ForPrograms() {
				return errors.New("--watch is for people: omit -o, set -o wide, or run `kubectl get images,imagebuilds --watch`")
			}
			return nil
		},
	}, func(command *cobra.Command, connection *client.Connection, _ []string) error {
		asked.namespace, asked.style = client.FlagsOf(command).Namespace, output.StyleOf(command, command.OutOrStdout())
		if watches {
			return watch(command.Context(), connection, asked, clock.RealClock{}, command.OutOrStdout(), command.ErrOrStderr())
		}
		return run(command.Context(), connection, asked, clock.RealClock{}, command.OutOrStdout(), command.ErrOrStderr())
	})
	command.Flags().Lookup("namespace").Usage = "namespace (default: all namespaces)"
	asked.format.AddTo(command)
	command.Flags().BoolVar(&asked.exitCode, "exit-code", false, "exit code 9 if more than suspended images is listed")
	command.Flags().BoolVarP(&watches, "watch", "w", false, "print the list again after each change, until Ctrl-C")
	return command
}

func run(ctx context.Context, connection *client.Connection, asked *options, clock clock.PassiveClock, out, stderr io.Writer) error {
	images, namespace, err := connection.ListImages(ctx, asked.namespace, stderr)
	if err != nil {
		return err
	}
	builds, err := connection.ListBuilds(ctx, namespace, fields.OneTermEqualSelector("status.finished", "false"))
	if err != nil {
		return err
	}
	now := clock.Now()
	found := append(refusedFiles(ctx, connection, asked.namespace), findings(images, builds, now)...)
	switch {
	case asked.format.ForPrograms():
		if err := asked.format.Print(objects(found), out); err != nil {
			return err
		}
		return asked.attention(found)
	case asked.format == output.Wide:
		if err := table(found, now, out); err != nil {
			return err
		}
	default:
		out = output.Colours(out)
		if err := describe(found, asked, namespace == metav1.NamespaceAll, now, out); err != nil {
			return err
		}
	}
	if _, err := fmt.Fprintln(out, summary(images, builds, len(found), namespace, asked.style)); err != nil {
		return err
	}
	return asked.attention(found)
}

// attention returns the error for --exit-code. A suspended image does not count, because a user has suspended it.
func (o *options) attention(found []finding) error {
	if !o.exitCode || !slices.ContainsFunc(found, func(of finding) bool { return of.severity != suspended }) {
		return nil
	}
	return &exit.Error{Code: exit.Attention, Err: errors.New("an image or a build needs attention"), Shown: true}
}

// objects returns the listed Images and ImageBuilds, and the records of refused files, as one list.
func objects(found []finding) *corev1.List {
	list := &corev1.List{TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "List"}, Items: []runtime.RawExtension{}}
	for i := range found {
		if i == 0 || found[i].object != found[i-1].object { // a record has a line for each file
			list.Items = append(list.Items, runtime.RawExtension{Object: found[i].object})
		}
	}
	return list
}

// table writes each finding as a row, with the whole message.
func table(found []finding, now time.Time, out io.Writer) error {
	if len(found) == 0 {
		return nil
	}
	var rows [][]any
	for i := range found {
		of := &found[i]
		rows = append(rows, []any{of.namespace, of.kind, of.name, of.reason, orNone(of.ago(now)), orNone(output.OneLine(of.message))})
	}
	return output.Table([]string{"Namespace", "Kind", "Name", "Reason", "Since", "Message"}, rows, out)
}

func orNone(text string) string {
	if text == "" {
		return "<none>"
	}
	return text
}

const (
	// width is the maximum length of a line, in characters.
	width = 80
	// most is the number of findings that fit on a terminal of 24 lines: two lines for each finding, and the summary.
	most = 10
	// indent is the prefix of a message.
	indent = "  "
)

// describe writes two lines for each finding: the object with the reason, and below it the shortened message.
func describe(found []finding, asked *options, namespaces bool, now time.Time, out io.Writer) error {
	shown := found[:min(len(found), most)]
	longest, cut := 0, false
	for i := range shown {
		longest = max(longest, len(shown[i].title(namespaces)))
	}
	for i := range shown {
		of := &shown[i]
		mark := asked.style.Faint(output.Step)
		if of.severity.broken() {
			mark = asked.style.Bad(output.Failure)
		}
		rest := "  " + of.reason
		if ago := of.ago(now); ago != "" {
			rest += ", " + ago
		}
		title := output.Cut(of.title(namespaces), width-len(indent)-len(rest))
		if _, err := fmt.Fprintf(out, "%s %-*s%s\n", mark, min(longest, width/2), title, rest); err != nil {
			return err
		}
		if of.message == "" {
			continue
		}
		message := output.OneLine(of.message)
		line := output.Cut(message, width-len(indent))
		cut = cut || line != message
		if _, err := fmt.Fprintln(out, indent+asked.style.Faint(line)); err != nil {
			return err
		}
	}
	hint := ""
	if more := len(found) - len(shown); more > 0 {
		hint = fmt.Sprintf("and %d more: -o wide shows all\n", more)
	} else if cut {
		hint = "-o wide shows the whole messages\n"
	}
	_, err := io.WriteString(out, hint)
	return err
}

// title returns the beginning of a finding's first line.
func (f *finding) title(namespaces bool) string {
	if namespaces && f.namespace != "" {
		return f.kind + " " + f.namespace + "/" + f.name
	}
	return f.kind + " " + f.name
}

// ago returns how long ago a finding began, or "" if that time is unknown.
func (f *finding) ago(now time.Time) string {
	if f.since.IsZero() {
		return ""
	}
	return duration.HumanDuration(now.Sub(f.since))
}

// summary counts images and unfinished builds.
func summary(images []v1alpha1.Image, builds []v1alpha1.ImageBuild, found int, namespace string, style output.Style) string {
	ready, both, old, building, starting, testing, queued := 0, 0, 0, 0, 0, 0, 0
	for i := range images {
		if !isReady(&images[i]) {
			continue
		}
		ready++
		if meta.IsStatusConditionTrue(images[i].Status.Conditions, v1alpha1.ImageStalled) {
			both++ // its last build succeeded, and its present inputs cannot be built
		} else if c := meta.FindStatusCondition(images[i].Status.Conditions, v1alpha1.ImageUpToDate); c != nil && c.Status != metav1.ConditionTrue {
			old++
		}
	}
	for i := range builds {
		switch builds[i].Status.Phase {
		case v1alpha1.BuildPending, v1alpha1.BuildQueued, "":
			queued++
		case v1alpha1.BuildStarting:
			starting++
		case v1alpha1.BuildTesting:
			testing++
		default:
			building++
		}
	}
	good := ""
	switch {
	case found > 0:
	case len(images) == 0 && len(builds) == 0 && namespace != metav1.NamespaceAll:
		return "there is no image in namespace " + namespace
	case len(images) == 0 && len(builds) == 0:
		return "there is no image yet: `goldsmith init NAME` writes a first one"
	case ready == len(images) && old == 0 && len(builds) == 0:
		return fmt.Sprintf("%s %s; no build waits", style.Good(output.Success), areReady(ready))
	default:
		good = style.Good(output.Success) + " nothing needs attention: "
	}
	var troubles []string
	if both > 0 {
		troubles = append(troubles, fmt.Sprintf("%d of them stalled", both))
	}
	if old > 0 {
		troubles = append(troubles, fmt.Sprintf("%d of them not up to date", old))
	}
	troubled := ""
	if len(troubles) > 0 {
		troubled = " (" + strings.Join(troubles, ", ") + ")"
	}
	begun := ""
	if starting > 0 {
		begun = fmt.Sprintf(", %d starting", starting)
	}
	if testing > 0 {
		begun += fmt.Sprintf(", %d testing", testing)
	}
	return fmt.Sprintf("%s%s, %d ready%s, %d building%s, %d queued", good, countNoun(len(images), "image"), ready, troubled, building, begun, queued)
}

func areReady(images int) string {
	if images == 1 {
		return "1 image is ready"
	}
	return fmt.Sprintf("%d images are ready", images)
}

func countNoun(count int, noun string) string {
	if count == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", count, noun)
}
