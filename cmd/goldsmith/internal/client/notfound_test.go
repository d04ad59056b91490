// SPDX-License-Identifier: Apache-2.0

package client

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	clienttesting "k8s.io/client-go/testing"

	"goldsmith.dev/goldsmith/apis/generated/clientset/versioned/fake"
	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/e2e/require"
)

func TestOnlyTheObjectItselfIsNotFound(t *testing.T) {
	images := v1alpha1.Resource("images")
	for _, test := range []struct {
		name string
		err  error
		want bool
	}{
		{"no error", nil, false},
		{"the image", apierrors.NewNotFound(images, "debian"), true},
		{"the image, wrapped", fmt.Errorf("ask: %w", apierrors.NewNotFound(images, "debian")), true},
		{"another image", apierrors.NewNotFound(images, "other"), false},
		{"another kind", apierrors.NewNotFound(v1alpha1.Resource("imagebuilds"), "debian"), false},
		{"another error", apierrors.NewForbidden(images, "debian", errors.New("no")), false},
		{"a server without the API", apierrors.NewGenericServerResponse(404, "GET", images, "debian", "404 page not found", 0, true), false},
	} {
		if got := IsNotFound(test.err, "images", "debian"); got != test.want {
			t.Errorf("%s: got %v", test.name, got)
		}
	}
}

func TestADeletedBuildIsReportedWithTheFlagThatSelectsIt(t *testing.T) {
	for line, want := range map[string]string{
		"diff web-1 web-4":               "build web-4 in namespace team was deleted: to use its record, run:\n  diff web-1 web-4 --second-uid=a-uid",
		"diff web-4 web-5":               "build web-4 in namespace team was deleted: to use its record, run:\n  diff web-4 web-5 --uid=a-uid",
		"diff web-1 web-4 --uid another": "build web-4 in namespace team was deleted: to use its record, run:\n  diff web-1 web-4 --uid=another --second-uid=a-uid",
		"cancel web-4":                   "build web-4 in namespace team was deleted",
	} {
		words := strings.Fields(line)
		verb := &cobra.Command{Use: words[0]}
		if words[0] == "diff" {
			verb.Flags().String("uid", "", "")
			verb.Flags().String("second-uid", "", "")
		}
		require.NoError(t, verb.ParseFlags(words[1:]))
		err := &DeletedBuildError{Namespace: "team", Record: &v1alpha1.BuildRecord{Name: "web-4", UID: "a-uid"}}
		if got := err.ForVerb(verb).Error(); got != want {
			t.Errorf("%s: got %q, want %q", line, got, want)
		}
	}
}

func TestTheLineOfACommandIsWhatAShellTakes(t *testing.T) {
	command := &cobra.Command{Use: "build"}
	(&cobra.Command{Use: "goldsmith"}).AddCommand(command)
	AddFlags(command)
	command.Flags().Bool("wait", false, "")
	command.Flags().StringArray("parameter", nil, "")
	command.Flags().String("from", "", "")
	args := []string{"-n", "team", "--wait", "debian", "--from=", "--kubeconfig", "it's mine/kubeconfig", "--parameter=a=b c", "--parameter=d=e"}
	require.NoError(t, command.ParseFlags(args))
	const want = `goldsmith build debian --from='' --kubeconfig='it'\''s mine/kubeconfig' --namespace=team --parameter='a=b c' --parameter='d=e' --wait`
	if got := Line(command, command.Flags().Args()); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

func TestANameOfTheOtherKindIsReportedWithTheObjectThatIsMeant(t *testing.T) {
	build := func(name, image string, number int64) *v1alpha1.ImageBuild {
		build := &v1alpha1.ImageBuild{ObjectMeta: metav1.ObjectMeta{Namespace: "team", Name: name}}
		if image != "" {
			build.Spec = v1alpha1.ImageBuildSpec{ImageRef: &v1alpha1.ImageReference{Name: image}, Number: &number}
		}
		return build
	}
	image := &v1alpha1.Image{ObjectMeta: metav1.ObjectMeta{Namespace: "team", Name: "web"}}
	builds := []*v1alpha1.ImageBuild{build("web-9", "web", 9), build("web-10", "web", 10), build("once", "", 0)}
	for _, test := range []struct {
		kind       Kind
		fresh      bool // the image has no build
		line, want string
		takes      string // the annotation of the verb
		successful string // the latest successful build, for a verb that takes only such a build
	}{
		{kind: ImageBuild, line: "web stable", successful: "web-9", want: "web is an image, but verb takes a build: the latest successful build is web-9: goldsmith verb web-9 stable"},
		{kind: ImageBuild, line: "web stable", successful: "none", want: "web is an image, but verb takes a build: it has no successful build; wait for build web-10: `goldsmith logs web-10 -f`"},
		{kind: ImageBuild, line: "web", takes: Unfinished, want: "web is an image, but verb takes a build: the latest unfinished build is web-9: goldsmith verb web-9"},
		{kind: ImageBuild, line: "web", takes: NotCancelled, want: "web is an image, but verb takes a build: the latest build that was not cancelled is web-9: goldsmith verb web-9"},
		{kind: ImageBuild, line: "web", takes: Unfinished, fresh: true, want: "web is an image, but verb takes a build: it has no build"},
		{kind: ImageBuild, line: "web", want: "web is an image, but verb takes a build: the latest build is web-10: goldsmith verb web-10"},
		{kind: ImageBuild, line: "web -n team", want: "web is an image, but verb takes a build: the latest build is web-10: goldsmith verb web-10 --namespace=team"},
		{kind: ImageBuild, line: "web web", want: "web is an image, but verb takes a build: the latest build is web-10: goldsmith verb web-10 web"},
		{kind: ImageBuild, line: "web", fresh: true, want: "web is an image, but verb takes a build: it has no build"},
		{kind: Image, line: "web-9 it's --context=c", want: `web-9 is a build, but verb takes an image: its image is web: goldsmith verb web 'it'\''s' --context=c`},
		{kind: Image, line: "once", want: "once is a build, but verb takes an image: it has no image"},
		{kind: ImageBuild, line: "imagebuild/web", want: "no build named web in namespace team: there is an image of this name: the latest build is web-10"},
		{kind: Image, line: "nothing", want: "no image named nothing in namespace team: it has web: `goldsmith kubectl get images,imagebuilds` lists all"},
	} {
		clients := fake.NewClientset(image)
		for _, build := range builds {
			if test.fresh {
				break
			}
			if build = build.DeepCopy(); test.takes != "" && build.Name == "web-10" {
				build.Status.Phase, build.Status.Finished = v1alpha1.BuildCancelled, true
			}
			require.NoError(t, clients.Tracker().Add(build))
		}
		clients.PrependReactor("list", "imagebuilds", func(action clienttesting.Action) (bool, runtime.Object, error) {
			succeeded := &v1alpha1.ImageBuildList{}
			for _, build := range builds {
				if build.Name == test.successful {
					succeeded.Items = append(succeeded.Items, *build)
				}
			}
			_, selects := action.(clienttesting.ListAction).GetListRestrictions().Fields.RequiresExactMatch("status.phase")
			return selects, succeeded, nil
		})
		connection := &Connection{Interface: clients, Namespace: "team"}
		verb := &cobra.Command{Use: "verb", SilenceErrors: true, SilenceUsage: true, RunE: func(command *cobra.Command, args []string) error {
			return connection.NotFound(command.Context(), test.kind, strings.TrimPrefix(args[0], "imagebuild/"))
		}}
		if test.successful != "" {
			verb.Annotations = map[string]string{Successful: ""}
		}
		if test.takes != "" {
			verb.Annotations = map[string]string{test.takes: ""}
		}
		AddFlags(verb)
		root := &cobra.Command{Use: "goldsmith"}
		root.AddCommand(verb)
		root.SetArgs(append([]string{"verb"}, strings.Fields(test.line)...))
		err := root.ExecuteContext(t.Context())
		if other, ok := errors.AsType[*OtherKindError](err); ok {
			err = other.ForVerb(verb)
		}
		if err == nil || err.Error() != test.want {
			t.Errorf("%s: got %v, want %s", test.line, err, test.want)
		}
	}
}

func TestAUserWithoutAPermissionIsToldWhatToDo(t *testing.T) {
	t.Parallel()
	images := v1alpha1.Resource("images")
	for _, test := range []struct {
		cause error
		next  bool
	}{
		{apierrors.NewForbidden(images, "web", errors.New(`User "ann" cannot patch resource "images"`)), true},
		{apierrors.NewForbidden(images, "web", errors.New("the quota is exceeded")), false},
		{apierrors.NewNotFound(images, "web"), false},
	} {
		command := &cobra.Command{}
		command.SetContext(t.Context())
		err := MissingRights(command, fmt.Errorf("suspend image web: %w", test.cause))
		const next = ": `goldsmith kubectl auth can-i --list` lists your permissions: ask an administrator for more"
		if want := "suspend image web: " + test.cause.Error(); !errors.Is(err, test.cause) || test.next && err.Error() != want+next || !test.next && err.Error() != want {
			t.Errorf("got error %v", err)
		}
	}
}
