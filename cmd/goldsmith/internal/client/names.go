// SPDX-License-Identifier: Apache-2.0

package client

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
)

// Kind is the kind of object that an argument names.
type Kind string

const (
	// Image is the name of an Image.
	Image Kind = "image"
	// ImageBuild is the name of a build.
	ImageBuild Kind = "imagebuild"
	// Either is the name of an Image or of a build.
	Either Kind = "image or imagebuild"
	// Text names no object.
	Text Kind = ""
)

var (
	// nouns are the kinds for people.
	nouns = map[Kind]string{Image: "image", ImageBuild: "build", Either: "image or build"}
	// articles are the kinds for people, with their articles.
	articles = map[Kind]string{Image: "an image", ImageBuild: "a build"}
)

// kinds are the names of resources that may stand before a name, as kubectl takes them.
var kinds = map[string]Kind{
	"image": Image, "images": Image, "img": Image,
	"imagebuild": ImageBuild, "imagebuilds": ImageBuild, "imgb": ImageBuild,
}

// OneName lets a verb have exactly one argument, which names an object of a kind.
func OneName(what string, kind Kind) cobra.PositionalArgs {
	return Names("one argument, "+what, 1, kind)
}

// Names requires at least a number of arguments, and accepts at most one argument of each kind, in this order. It refuses an empty
// argument, which would name the whole collection. In args, which the verb gets, it replaces "image/NAME" and "imagebuild/NAME", as
// -o name prints them, with NAME. It replaces an object of the catalog, such as debianserver/NAME, with its Image, if the object exists:
// see ObjectOf. The verb itself splits an argument of the kind Either.
func Names(what string, least int, each ...Kind) cobra.PositionalArgs {
	return func(command *cobra.Command, args []string) error {
		if len(args) < least || len(args) > len(each) {
			return fmt.Errorf("`%s` takes %s, but got %d: see `%[1]s --help`", command.CommandPath(), what, len(args))
		}
		if slices.Contains(args, "") {
			return fmt.Errorf("`%s` takes %s, but got an empty argument: see `%[1]s --help`", command.CommandPath(), what)
		}
		for i, kind := range each[:len(args)] {
			if kind == Text {
				continue
			}
			if err := fileError(args[i], command.Name()); err != nil {
				return err
			}
			found, name, err := SplitName(args[i])
			if err != nil {
				if name, err = resolveObject(command, args[i]); err != nil {
					return err
				}
				found = Image
				if kind == Either {
					args[i] = string(Image) + "/" + name
				}
			}
			switch {
			case kind == Either:
			case found != Either && found != kind:
				err := fmt.Errorf("%s is %s, but %s takes %s: see `%s --help`", args[i], articles[found], command.Name(), articles[kind], command.CommandPath())
				if other := otherKindOf(command, kind, name); other != nil {
					args[i], err = name, other
				}
				return err
			default:
				args[i] = name
			}
		}
		return nil
	}
}

// otherKindOf returns the OtherKindError for a name that a verb got. It returns nil if no object of the other kind has the name, or if the
// server of the verb's flags cannot be asked.
func otherKindOf(command *cobra.Command, wanted Kind, name string) error {
	connection, err := FlagsOf(command).Connect(io.Discard)
	if err != nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(command.Context(), patience)
	defer cancel()
	return connection.otherKind(ctx, wanted, name)
}

// SplitName splits an argument such as image/NAME, which may have the API group as well. The kind of a name alone is Either.
func SplitName(argument string) (Kind, string, error) {
	resource, name, found := strings.Cut(argument, "/")
	if !found {
		return Either, argument, nil
	}
	for _, group := range []string{"." + v1alpha1.GroupName, "." + v1alpha1.SchemeGroupVersion.Version} {
		resource = strings.TrimSuffix(resource, group)
	}
	kind, known := kinds[strings.ToLower(resource)]
	if !known || name == "" || strings.Contains(name, "/") {
		return "", "", fmt.Errorf("%q: must be NAME, image/NAME or imagebuild/NAME", argument)
	}
	return kind, name, nil
}
