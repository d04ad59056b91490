// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"regexp"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/dynamic"
	"sigs.k8s.io/yaml"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/cmd/goldsmith/internal/exit"
	"goldsmith.dev/goldsmith/cmd/internal/catalog"
	"goldsmith.dev/goldsmith/e2e/require"
)

// TestTheVerbsTakeObjectsOfTheCatalog is the session of a user of a kind.
func TestTheVerbsTakeObjectsOfTheCatalog(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	s := &session{t: t, ctx: ctx, kubeconfig: serveKinds(ctx, t, catalog.Flags{Path: "../../examples/catalog"})}
	s.types("kinds").matches(`^KIND +RESOURCE +SHORT NAMES +VERSION +DESCRIPTION\nContainerBase +containerbases +cb +v1 +A base of container images\.\nDebianServer +debianservers +deb +v1 .*\nDesktop `)
	s.types("kinds", "-o", "name").says("containerbases.catalog.goldsmith.dev\ndebianservers.catalog.goldsmith.dev\n")
	s.types("kinds", "-o", "json").says(`"kind": "APIResourceList"`, `"singularName": "debianserver"`)
	s.types("kinds", "deb", "-o", "yaml").fails(exit.Failure, "omit one of them")
	s.types("kinds", "laptops").fails(exit.Failure, "Error: no kind named laptops: the kinds of the catalog are containerbase, debianserver, desktop, server\n")
	s.types("__complete", "kinds", "de").says("debianserver\tDebianServer\n", "desktop\tDesktop\n")
	for _, kind := range []string{"containerbase", "debianserver", "desktop", "server"} {
		s.appliesExample(kind)
	}
	s.types("kinds", "debianservers").says("kind: DebianServer\nmetadata:\n  name: example\nspec:\n  # Team that answers for the server. It cannot be changed.\n  owner: example\n",
		"  # Size of the disk, 10, 40 or 160 GiB. One of small, medium, large.\n  size: small\n  # Packages besides", "  # packages:\n  # - example\n", "  # updates: weekly\n")

	s.createObject("apiVersion: catalog.goldsmith.dev/v1\nkind: DebianServer\nmetadata: {name: shop}\nspec: {owner: shop, size: small}", metav1.CreateOptions{})
	followed := s.types("logs", "debianserver/shop", "-f")
	followed.says("step 1/")
	followed.fails(exit.Success, "the running or latest build of debianserver/shop is shop-1\n", "• build shop-1, attempt 1\n✓ build shop-1 succeeded in ")
	s.types("build", "debianserver/shop", "--wait", "-o", "name").says("imagebuild.images.goldsmith.dev/shop-2\n")
	waited := &v1alpha1.ImageBuild{}
	s.types("build", "Deb/shop", "-f").says("shop-3\n", "step 1/")
	s.types("build", "deb/shop", "--wait", "--request-id", "again", "-o", "json").reads(waited)
	if waited.Name != "shop-4" || !waited.Status.Finished || waited.Spec.Inputs.Builder.Name != "" {
		t.Errorf("got %+v, want the finished build shop-4 without its inputs", waited)
	}
	s.types("logs", "debianservers.v1.catalog.goldsmith.dev/shop", "--build", "2", "--tail", "1").matches(`^.+\n$`)
	s.types("build", "deb/shop", "--parameter", "disk=1Ti").fails(exit.Failure, "build debianserver/shop: ", "parameters: Forbidden: change the fields of the DebianServer instead")
	s.types("logs", "deb/shop", "--build", "9").fails(exit.Failure, `open the log of debianserver/shop: debianserver "shop" has no build 9`)
	s.types("logs", "deb/shop", "--build", "9", "-f").fails(exit.Failure, `read a build of debianserver/shop: debianserver "shop" has no build 9`)
	s.types("logs", "deb/shop", "--build", "0").fails(exit.Failure, "--build 0: must be 1 or more")
	s.types("logs", "shop-2", "--build", "2").fails(exit.Failure, "but shop-2 is none: omit --build, and use the name of the build")
	s.types("logs", "deb/shop", "--uid", "x").fails(exit.Failure, "use --build NUMBER")
	s.waitsForRecord("shop-4")

	s.types("history", "debianserver/shop").says("shop-4")
	s.types("show", "debianserver.catalog.goldsmith.dev/shop").says("build shop-4")
	s.types("plan", "deb/shop").says("image shop would not be built now\n")
	s.types("suspend", "debianserver/shop").says("image shop suspended\n")
	s.types("notes", "debianserver/shop", "a note").says()
	s.types("artifacts", "deb/shop").says("shop-4")
	s.types("cancel", "deb/shop").fails(exit.Failure, "it has no unfinished build")
	s.types("history", "image/shop").says("shop-4")

	s.types("history", "debianserver/nothing").fails(exit.Failure, "Error: no debianserver named nothing in namespace default\n")
	s.types("history", "laptop/shop").fails(exit.Failure, `Error: "laptop/shop": must be NAME, image/NAME or imagebuild/NAME, or KIND/NAME with a kind of the catalog: `+
		"no kind named laptop: the kinds of the catalog are containerbase, debianserver, desktop, server\n")
	s.create(web)
	s.types("build", "debianserver/web").fails(exit.Failure, "no debianserver named web in namespace default")
	s.types("__complete", "build", "").says("shop\timage\n", "debianserver/shop\tDebianServer\n")
	s.waits("web-1", v1alpha1.BuildSucceeded)
}

// appliesExample applies the example of a kind as it is, and with all fields that it has in comments.
func (s *session) appliesExample(kind string) {
	s.t.Helper()
	shown := s.types("kinds", kind)
	shown.says()
	dryRun := metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}, FieldValidation: metav1.FieldValidationStrict}
	s.createObject(shown.out, dryRun)
	s.createObject(commentedFields.ReplaceAllString(shown.out, "$1$2"), dryRun)
}

// commentedFields matches the beginnings of lines that a user uncomments, and not those of descriptions.
var commentedFields = regexp.MustCompile(`(?m)^( *)# ([A-Za-z0-9]+:|- | {2,})`)

// createObject creates an object of a kind.
func (s *session) createObject(manifest string, options metav1.CreateOptions) {
	s.t.Helper()
	object := &unstructured.Unstructured{}
	if err := yaml.Unmarshal([]byte(manifest), &object.Object); err != nil {
		s.t.Fatalf("%v in\n%s", err, manifest)
	}
	connection := s.connect()
	kind, err := connection.CatalogKind(object.GetKind())
	require.NoError(s.t, err)
	client, err := dynamic.NewForConfig(connection.Config)
	require.NoError(s.t, err)
	if _, err := client.Resource(kind.Resource()).Namespace(connection.Namespace).Create(s.ctx, object, options); err != nil {
		s.t.Errorf("%v in\n%s", err, manifest)
	}
}
