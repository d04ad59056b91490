// SPDX-License-Identifier: Apache-2.0

// Package plan is the verb that shows what would happen to an Image now, without starting a build.
package plan

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/spf13/cobra"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/utils/clock"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/cmd/goldsmith/internal/client"
	"goldsmith.dev/goldsmith/cmd/goldsmith/internal/completion"
	"goldsmith.dev/goldsmith/cmd/goldsmith/internal/exit"
	"goldsmith.dev/goldsmith/cmd/goldsmith/internal/output"
)

type options struct {
	sources

	archive       string // archiveNow or archiveChecked, for a fleet
	allNamespaces bool
	ask           askBuilder

	manager  string
	force    bool
	exitCode bool
	format   output.Format
	clock    clock.PassiveClock
}

// NewCommand returns the verb. It is no client.NewVerb: it reports files that it cannot read also if it cannot connect.
func NewCommand() *cobra.Command {
	asked := &options{clock: clock.RealClock{}, ask: askProgram}
	command := &cobra.Command{
		Use:   "plan {IMAGE | -f FILE... | -k DIRECTORY | --archive {now|checked}}",
		Short: "Show whether an image would be built now, why, and with which Job",
		Long: "Show whether an image would be built now and why, what has changed since its last build, and the " +
			"Job that would run. With IMAGE, the command plans the existing image. With -f or -k, the command plans " +
			"every Image in the files as if `kubectl apply` applied it: merged with the stored image, by server-side " +
			"apply if --field-manager has applied the stored image so, and checked by a dry run. The command ignores " +
			"objects of other kinds, and prints a notice. The command starts no build and stores no object.\n\n" +
			"With --archive, the command lists which images of a namespace, or with -A of all namespaces, would be built because of " +
			"new packages, bases first. With --archive now, it asks the archives itself, from this machine: their addresses come from the " +
			"locks of builds. If it cannot ask an archive, what the controller's last check found counts. With --archive checked, only that " +
			"counts. Archives have no namespace: `checked` needs permission to list them. If several images have the same new packages, the " +
			"controller starts their builds in waves, which its flag --rollout-wave limits: the command lists them as now.\n\n" +
			"The exit code is 0 whether or not the image would be built. With --exit-code it is 10 if at least one " +
			"image would be built now, also if that build would wait in the queue. It is 0 if none would, for example " +
			"because of spec.suspend or because the inputs do not resolve, and 1 if an image is refused, or if you may " +
			"not read what the plan needs. With --archive it is also 1 if no image would be built now, but an archive or the packages of " +
			"an image are unknown.",
		Example: "  goldsmith plan debian\n" +
			"  goldsmith plan -f debian.yaml -f alpine.yaml\n" +
			"  goldsmith plan -f manifests/ --recursive --exit-code\n" +
			"  goldsmith plan -f - <debian.yaml\n" +
			"  goldsmith plan --archive now --all-namespaces",
		Args:              client.Names("one argument, the name of an IMAGE, or none with -f FILE", 0, client.Image),
		ValidArgsFunction: completion.Images,
		RunE: func(command *cobra.Command, args []string) error {
			switch {
			case command.Flags().Changed("archive"):
				return runFleet(command, args, asked)
			case asked.allNamespaces:
				return errors.New("--all-namespaces needs --archive: add it, or omit --all-namespaces")
			case asked.given() == (len(args) > 0):
				return errors.New("set either IMAGE or -f FILE: see `" + command.CommandPath() + " --help`")
			}
			var documents []document
			var unread error
			if asked.given() {
				documents, unread = asked.read(command.InOrStdin(), command.ErrOrStderr())
				if len(documents) == 0 {
					return unread
				}
			}
			connection, err := client.FlagsOf(command).Connect(command.ErrOrStderr())
			if err != nil {
				return errors.Join(unread, err)
			}
			if len(args) > 0 {
				return ofImage(command.Context(), connection, args[0], asked, command.OutOrStdout())
			}
			applier, err := newApplier(connection, asked, command.ErrOrStderr())
			if err != nil {
				return errors.Join(unread, err)
			}
			return errors.Join(unread, ofDocuments(command.Context(), applier, client.FlagsOf(command).Namespace, documents, asked, command.OutOrStdout()))
		},
	}
	client.AddFlags(command)
	set := command.Flags()
	set.StringSliceVarP(&asked.files, "filename", "f", nil, "`file`, directory or URL with Images in YAML or JSON; - is standard input; repeatable")
	set.BoolVarP(&asked.recursive, "recursive", "R", false, "subdirectories of the directories of -f too")
	set.StringVarP(&asked.kustomize, "kustomize", "k", "", "`directory` with a kustomization, instead of -f")
	set.StringVar(&asked.manager, "field-manager", serverSideManager, "`name` under which server-side apply applies the files")
	set.BoolVar(&asked.force, "force-conflicts", false, "plan server-side apply that takes fields from other managers")
	set.BoolVar(&asked.exitCode, "exit-code", false, "exit code 10 if an image would be built now")
	set.StringVar(&asked.archive, "archive", "", "plan all images by their archives: as they are `now`, or as last checked")
	set.BoolVarP(&asked.allNamespaces, "all-namespaces", "A", false, "images of all namespaces, with --archive")
	command.MarkFlagsMutuallyExclusive("filename", "kustomize", "archive")
	command.MarkFlagsMutuallyExclusive("recursive", "kustomize")
	for _, ofFiles := range []string{"recursive", "field-manager", "force-conflicts"} {
		command.MarkFlagsMutuallyExclusive(ofFiles, "archive")
	}
	asked.format.AddTo(command)
	err := command.RegisterFlagCompletionFunc("archive", cobra.FixedCompletions([]string{archiveNow, archiveChecked}, cobra.ShellCompDirectiveNoFileComp))
	if err != nil {
		panic(err) // only of flags that the command has
	}
	return command
}

// runFleet plans all Images of a namespace, or of all namespaces.
func runFleet(command *cobra.Command, args []string, asked *options) error {
	switch {
	case asked.archive != archiveNow && asked.archive != archiveChecked:
		return fmt.Errorf("--archive is %q, must be %s or %s", asked.archive, archiveNow, archiveChecked)
	case len(args) > 0:
		return errors.New("--archive plans all images of a namespace: omit IMAGE, or omit --archive")
	}
	connection, err := client.FlagsOf(command).Connect(command.ErrOrStderr())
	if err != nil {
		return err
	}
	namespace := connection.Namespace
	if asked.allNamespaces {
		namespace = metav1.NamespaceAll
	}
	return ofFleet(command.Context(), connection, namespace, asked, command.OutOrStdout(), command.ErrOrStderr())
}

// ofImage plans an existing Image.
func ofImage(ctx context.Context, connection *client.Connection, name string, asked *options, out io.Writer) error {
	plan, err := connection.ImagesV1alpha1().Images(connection.Namespace).GetPlan(ctx, name, metav1.GetOptions{})
	if client.IsNotFound(err, "images", name) {
		return connection.NotFound(ctx, client.Image, name)
	}
	if err != nil {
		return fmt.Errorf("plan image %s: %w", name, err)
	}
	if err := asked.show([]*v1alpha1.ImagePlan{plan}, false, out); err != nil {
		return err
	}
	return asked.due(plan)
}

// ofDocuments plans every Image of the files. Plans are shown even if other documents fail.
func ofDocuments(ctx context.Context, applier *applier, namespace string, documents []document, asked *options, out io.Writer) error {
	var plans []*v1alpha1.ImagePlan
	var failures []error
	for _, document := range documents {
		plan, err := applier.plan(ctx, document, namespace)
		if err != nil {
			failures = append(failures, err)
			continue
		}
		plans = append(plans, plan)
	}
	awaitDeclared(plans)
	if len(plans) > 0 {
		failures = append(failures, asked.show(plans, len(documents) > 1, out))
	}
	if err := errors.Join(failures...); err != nil {
		return err
	}
	return asked.due(plans...)
}

// awaitDeclared corrects the plans of Images whose bases are declared in the same files, directly or through each other. They are built first.
func awaitDeclared(plans []*v1alpha1.ImagePlan) {
	for range plans { // each round finds the images on those that the round before has found
		for _, plan := range plans {
			ref := plan.Spec.Base.ImageRef
			if ref == nil || ref.Channel != "" || plan.Status.Reason != string(v1alpha1.ReasonBaseNotFound) {
				continue
			}
			if slices.ContainsFunc(plans, func(base *v1alpha1.ImagePlan) bool {
				return base.Name == ref.Name && base.Namespace == plan.Namespace && (base.Status.Build || base.Status.Reason == v1alpha1.ReasonWaitingForBase)
			}) {
				plan.Status.Reason = v1alpha1.ReasonWaitingForBase
				plan.Status.Message = fmt.Sprintf("the base (image %s) is in the files, too, and is built first: a build of this image follows", ref.Name)
			}
		}
	}
}

// due returns the error for --exit-code: an error with the code BuildDue if an image would be built, and another error if nobody knows,
// because the user may not read what the plan needs.
func (o *options) due(plans ...*v1alpha1.ImagePlan) (err error) {
	if !o.exitCode {
		return nil
	}
	for _, plan := range plans {
		switch {
		case plan.Status.Reason == string(metav1.StatusReasonForbidden):
			return fmt.Errorf("plan image %s: %s", plan.Name, plan.Status.Message)
		case plan.Status.Build:
			err = &exit.Error{Code: exit.BuildDue, Err: fmt.Errorf("image %s would be built", plan.Name), Shown: true}
		}
	}
	return err
}

// show prints plans. For programs, the plans of several documents are a list, as in kubectl.
func (o *options) show(plans []*v1alpha1.ImagePlan, several bool, out io.Writer) error {
	switch {
	case !o.format.ForPrograms():
		for i, plan := range plans {
			if i > 0 {
				if _, err := fmt.Fprintln(out); err != nil {
					return err
				}
			}
			if err := describe(plan, o.clock.Now(), out); err != nil {
				return err
			}
		}
		return nil
	case !several:
		return o.format.Print(plans[0], out)
	}
	list := &corev1.List{TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "List"}}
	for _, plan := range plans {
		list.Items = append(list.Items, runtime.RawExtension{Object: plan})
	}
	return o.format.Print(list, out)
}
