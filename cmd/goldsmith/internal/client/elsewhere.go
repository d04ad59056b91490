// SPDX-License-Identifier: Apache-2.0

package client

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
)

const (
	// patience is how long an error waits for the objects that it names.
	patience = 2 * time.Second
	// maxElsewhere is how many namespaces an error names.
	maxElsewhere = 3
	// maxCompared is how many objects of the namespace an error compares with the name.
	maxCompared = 500
)

// NotFound returns the error for an Image or a build that does not exist in the namespace of the connection. It is an OtherKindError if an
// object of the other kind has the name, and a DeletedBuildError if a deleted build has it. Otherwise it names the other namespaces that have such an object, if the user can list them.
func (c *Connection) NotFound(ctx context.Context, kind Kind, name string) error {
	return c.notFound(ctx, kind, name, "")
}

// notFound is NotFound with another next step, for an object that no other namespace has.
func (c *Connection) notFound(ctx context.Context, kind Kind, name, otherwise string) error {
	if kind != Image {
		// No record is an answer too, and so is a server that cannot read the records.
		if build, unknown := c.deletedBuild(ctx, name); unknown == nil && build != nil {
			return &DeletedBuildError{Namespace: c.Namespace, Record: build}
		}
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	if err := c.otherKind(ctx, kind, name); err != nil {
		return err
	}
	err := fmt.Errorf("no %s named %s in namespace %s", nouns[kind], name, c.Namespace)
	switch found := c.otherNamespaces(ctx, kind, name); len(found) {
	case 0:
		if instead := c.present(ctx, kind, name); instead != "" {
			return fmt.Errorf("%w: %s", err, strings.TrimSuffix(instead+"; "+otherwise, "; "))
		}
		if otherwise != "" {
			return fmt.Errorf("%w: %s", err, otherwise)
		}
		return err
	case 1:
		return fmt.Errorf("%w: found in namespace %s: add -n %[2]s", err, found[0])
	default:
		more := ""
		if len(found) > maxElsewhere {
			found, more = found[:maxElsewhere], " and others"
		}
		return fmt.Errorf("%w: found in namespaces %s%s: select a namespace with -n", err, strings.Join(found, ", "), more)
	}
}

// present returns the names in the namespace that are similar to a name, or else what the namespace has, as the end of an error. It returns "" if the
// namespace has nothing of the kind, or if the user cannot list it.
func (c *Connection) present(ctx context.Context, kind Kind, name string) string {
	options := metav1.ListOptions{Limit: maxCompared}
	var names []string
	if kind != ImageBuild {
		if list, err := c.ImagesV1alpha1().Images(c.Namespace).List(ctx, options); err == nil {
			for i := range list.Items {
				names = append(names, list.Items[i].Name)
			}
		}
	}
	images := len(names)
	if kind != Image {
		if list, err := c.ImagesV1alpha1().ImageBuilds(c.Namespace).List(ctx, options); err == nil {
			for i := range list.Items {
				names = append(names, list.Items[i].Name)
			}
		}
	}
	similar := &cobra.Command{SuggestionsMinimumDistance: 2} // it compares the names of commands
	for _, there := range names {
		if min(len(there), len(name)) > similar.SuggestionsMinimumDistance { // everything short is similar
			similar.AddCommand(&cobra.Command{Use: there, Run: func(*cobra.Command, []string) {}})
		}
	}
	if found := similar.SuggestionsFor(name); len(found) > 0 {
		slices.Sort(found)
		return "did you mean " + strings.Join(found[:min(len(found), maxElsewhere)], " or ") + "?"
	}
	if images > 0 { // there are too many builds
		names = names[:images]
	}
	if len(names) == 0 {
		return ""
	}
	slices.Sort(names)
	more := ""
	if len(names) > maxElsewhere {
		names, more = names[:maxElsewhere], " and others"
	}
	return "it has " + strings.Join(names, ", ") + more + ": `goldsmith kubectl get images,imagebuilds` lists all"
}

// otherNamespaces returns other namespaces with an object of the name, sorted, and at most one more than an error names. It returns none if the
// user cannot list across namespaces, or if the server fails.
func (c *Connection) otherNamespaces(ctx context.Context, kind Kind, name string) []string {
	options := metav1.ListOptions{
		FieldSelector: fields.OneTermEqualSelector("metadata.name", name).String(),
		Limit:         maxElsewhere + 2, // the namespace of the connection may be among them if somebody creates the object now
	}
	var found []string
	add := func(object *metav1.ObjectMeta) {
		if object.Name == name && object.Namespace != c.Namespace {
			found = append(found, object.Namespace)
		}
	}
	if kind != ImageBuild {
		if list, err := c.ImagesV1alpha1().Images(metav1.NamespaceAll).List(ctx, options); err == nil {
			for i := range list.Items {
				add(&list.Items[i].ObjectMeta)
			}
		}
	}
	if kind != Image {
		if list, err := c.ImagesV1alpha1().ImageBuilds(metav1.NamespaceAll).List(ctx, options); err == nil {
			for i := range list.Items {
				add(&list.Items[i].ObjectMeta)
			}
		}
	}
	slices.Sort(found)
	return slices.Compact(found)
}
