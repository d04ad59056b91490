// SPDX-License-Identifier: Apache-2.0

// Package plan is the verb that shows what would happen to an Image now, without starting a build.
package plan

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/cmd/goldsmith/internal/client"
	"goldsmith.dev/goldsmith/cmd/goldsmith/internal/completion"
	"goldsmith.dev/goldsmith/cmd/goldsmith/internal/output"
)

type options struct {
	files  []string
	format output.Format
}

// NewCommand returns the verb.
func NewCommand() *cobra.Command {
	flags := &client.Flags{}
	asked := &options{}
	command := &cobra.Command{
		Use:   "plan {IMAGE | -f FILE...}",
		Short: "Show whether an image would be built now, why, and with which Job",
		Long: "Show whether an image would be built now and why, what has changed since its last build, and the " +
			"Job that would run. With IMAGE, the command plans the existing image. With -f, the command plans " +
			"every Image in FILE as if FILE were applied. FILE can be a directory. The command ignores objects of " +
			"other kinds, and prints a notice. The command starts no build and stores no object. The exit code is 0 " +
			"whether or not the image would be built. For scripts, status.build in the output of -o json reports " +
			"whether the image would be built.",
		Example: "  goldsmith plan debian\n" +
			"  goldsmith plan -f debian.yaml -f alpine.yaml\n" +
			"  goldsmith plan -f manifests/\n" +
			"  goldsmith plan -f - <debian.yaml",
		Args:              client.Names("one argument, the name of an IMAGE, or none with -f FILE", 0, client.Image),
		ValidArgsFunction: completion.Images(flags),
		RunE: func(command *cobra.Command, args []string) error {
			if (len(asked.files) == 0) == (len(args) == 0) {
				return errors.New("set either IMAGE or -f FILE: see `" + command.CommandPath() + " --help`")
			}
			var documents []document
			if len(asked.files) > 0 {
				var err error
				if documents, err = read(asked.files, command.InOrStdin(), command.ErrOrStderr()); err != nil {
					return err
				}
			}
			connection, err := flags.Connect(command.ErrOrStderr())
			if err != nil {
				return err
			}
			if len(args) > 0 {
				return ofImage(command.Context(), connection, args[0], asked.format, command.OutOrStdout())
			}
			return ofDocuments(command.Context(), connection, flags.Namespace, documents, asked.format, command.OutOrStdout())
		},
	}
	flags.AddTo(command.Flags())
	command.Flags().StringSliceVarP(&asked.files, "filename", "f", nil,
		"`file` or directory with Images in YAML or JSON; - is standard input; repeatable")
	asked.format.AddTo(command)
	return command
}

// ofImage plans an existing Image.
func ofImage(ctx context.Context, connection *client.Connection, name string, format output.Format, out io.Writer) error {
	plan, err := connection.ImagesV1alpha1().Images(connection.Namespace).GetPlan(ctx, name, metav1.GetOptions{})
	if client.IsNotFound(err, "images", name) {
		return connection.NotFound(ctx, client.Image, name)
	}
	if err != nil {
		return fmt.Errorf("plan image %s: %w", name, err)
	}
	if format.ForPrograms() {
		return format.Print(plan, out)
	}
	return describe(plan, out)
}

// ofDocuments plans every Image of the files. Plans are shown even if other documents fail.
func ofDocuments(ctx context.Context, connection *client.Connection, namespace string, documents []document, format output.Format, out io.Writer) error {
	var plans []*v1alpha1.ImagePlan
	var failures []error
	for _, document := range documents {
		plan, err := document.plan(ctx, connection, namespace)
		if err != nil {
			failures = append(failures, err)
			continue
		}
		plans = append(plans, plan)
	}
	if len(plans) > 0 {
		failures = append(failures, show(plans, len(documents) > 1, format, out))
	}
	return errors.Join(failures...)
}

// show prints plans. For programs, the plans of several documents are a list, as in kubectl.
func show(plans []*v1alpha1.ImagePlan, several bool, format output.Format, out io.Writer) error {
	switch {
	case !format.ForPrograms():
		for i, plan := range plans {
			if i > 0 {
				if _, err := fmt.Fprintln(out); err != nil {
					return err
				}
			}
			if err := describe(plan, out); err != nil {
				return err
			}
		}
		return nil
	case !several:
		return format.Print(plans[0], out)
	}
	list := &corev1.List{TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "List"}}
	for _, plan := range plans {
		list.Items = append(list.Items, runtime.RawExtension{Object: plan})
	}
	return format.Print(list, out)
}
