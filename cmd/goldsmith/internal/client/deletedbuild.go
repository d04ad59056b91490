// SPDX-License-Identifier: Apache-2.0

package client

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
	"k8s.io/apimachinery/pkg/types"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
)

// DeletedBuildError reports the name of a build that was deleted and has a record.
type DeletedBuildError struct {
	Namespace string
	Record    *v1alpha1.BuildRecord
}

// Error is the message without a verb.
func (e *DeletedBuildError) Error() string {
	return fmt.Sprintf("build %s in namespace %s was deleted", e.Record.Name, e.Namespace)
}

// ForVerb returns the error for the verb that got the name. If the verb finds deleted builds, the error ends with the command line that
// selects the build: with --uid for the verb's first argument, with --second-uid for the second.
func (e *DeletedBuildError) ForVerb(verb *cobra.Command) error {
	uids := []string{"uid", "second-uid"}
	args := verb.Flags().Args()
	i := slices.Index(args, e.Record.Name)
	if i < 0 || i >= len(uids) || verb.Flags().Lookup(uids[i]) == nil {
		return e
	}
	return fmt.Errorf("%w: to use its record, run:\n  %s --%s=%s", e, Line(verb, args), uids[i], e.Record.UID)
}

// deletedBuild returns the newest record of a build of a name, of an Image that exists or of a deleted one. It is nil if there is no
// record, or if the name is not that of an Image's build, which ends with its number.
func (c *Connection) deletedBuild(ctx context.Context, name string) (*v1alpha1.BuildRecord, error) {
	end := strings.LastIndex(name, "-")
	if end < 1 {
		return nil, nil
	}
	if _, err := strconv.ParseUint(name[end+1:], 10, 63); err != nil {
		return nil, nil //nolint:nilerr // a build of no Image has any name
	}
	image := name[:end]
	build, err := c.recordedBuild(ctx, image, "", name)
	if !IsNotFound(err, "images", image) {
		return build, err
	}
	deleted, _, err := Pages(0, func(limit int, next string) ([]v1alpha1.ImageReport, string, error) {
		page := &v1alpha1.ImageReportList{}
		err := c.ReadDeletedImages(ctx, image, map[string]string{"limit": strconv.Itoa(limit), "continue": next}, page)
		return page.Items, page.Continue, err
	})
	if err != nil {
		return nil, err
	}
	for i := range deleted {
		if build, err := c.recordedBuild(ctx, image, deleted[i].UID, name); build != nil || err != nil {
			return build, err
		}
	}
	return nil, nil
}

// recordedBuild returns the newest build of a name in the history of an Image, nil if there is none.
func (c *Connection) recordedBuild(ctx context.Context, image string, of types.UID, name string) (*v1alpha1.BuildRecord, error) {
	for next := ""; ; {
		page := &v1alpha1.ImageHistory{}
		request := c.ImagesV1alpha1().RESTClient().Get().Namespace(c.Namespace).Resource("images").Name(image).SubResource("history")
		err := read(ctx, request, map[string]string{"limit": strconv.Itoa(maxPage), "continue": next, "uid": string(of)}, page)
		if err != nil {
			return nil, err
		}
		for i := range page.Items {
			if page.Items[i].Name == name {
				return &page.Items[i], nil
			}
		}
		if next = page.Continue; next == "" {
			return nil, nil
		}
	}
}
