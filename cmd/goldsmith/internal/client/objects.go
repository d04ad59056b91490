// SPDX-License-Identifier: Apache-2.0

package client

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/rest"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/jobs/catalog/names"
)

// CatalogKind is a kind of the catalog, as discovery lists it.
type CatalogKind struct {
	metav1.APIResource
}

// Resource returns the resource of the kind.
func (k *CatalogKind) Resource() schema.GroupVersionResource {
	return schema.GroupVersionResource{Group: v1alpha1.CatalogGroup, Version: k.Version, Resource: k.Name}
}

// is reports whether a name that a user types is one of the kind, as kubectl takes it: of the resource, of one object, a short name, or
// the kind, and maybe the group, or version and group.
func (k *CatalogKind) is(typed string) bool {
	typed, qualifier, _ := strings.Cut(strings.ToLower(typed), ".")
	if qualifier != "" && qualifier != v1alpha1.CatalogGroup && qualifier != k.Version+"."+v1alpha1.CatalogGroup {
		return false
	}
	return slices.Contains(append([]string{k.Name, k.SingularName, strings.ToLower(k.Kind)}, k.ShortNames...), typed)
}

// CatalogKinds returns the kinds of the catalog, by the names of their resources.
func (c *Connection) CatalogKinds() ([]CatalogKind, error) {
	var all []CatalogKind
	for _, version := range names.Versions() {
		list, err := c.Discovery().ServerResourcesForGroupVersion(v1alpha1.CatalogGroup + "/" + version)
		if apierrors.IsNotFound(err) {
			continue // the server has no catalog
		}
		if err != nil {
			return nil, fmt.Errorf("list the kinds of the catalog: %w", err)
		}
		for _, resource := range list.APIResources {
			if !strings.Contains(resource.Name, "/") {
				resource.Group, resource.Version = v1alpha1.CatalogGroup, version
				all = append(all, CatalogKind{resource})
			}
		}
	}
	slices.SortFunc(all, func(a, b CatalogKind) int { return strings.Compare(a.Name, b.Name) })
	return all, nil
}

// CatalogKind returns the kind of the catalog that a user names. The error names the kinds that exist.
func (c *Connection) CatalogKind(typed string) (*CatalogKind, error) {
	all, err := c.CatalogKinds()
	if err != nil {
		return nil, err
	}
	var names []string
	for i := range all {
		if all[i].is(typed) {
			return &all[i], nil
		}
		names = append(names, all[i].SingularName)
	}
	if len(names) == 0 {
		return nil, fmt.Errorf("no kind named %s: the catalog of the server has no kinds", typed)
	}
	return nil, fmt.Errorf("no kind named %s: the kinds of the catalog are %s", typed, strings.Join(names, ", "))
}

// Object is an object of a kind of the catalog. The Image of the same name stores it.
type Object struct {
	Kind      CatalogKind
	Namespace string
	Name      string
}

// String returns the object as users name it.
func (o *Object) String() string { return o.Kind.SingularName + "/" + o.Name }

// objectKey is the key of an Object in the context of a verb.
type objectKey struct{}

// ObjectOf returns the object of the catalog that an argument of a verb names; nil if the verb got the name of an Image or a build.
func ObjectOf(ctx context.Context) *Object {
	object, _ := ctx.Value(objectKey{}).(*Object)
	return object
}

// resolveObject finds the object of the catalog that an argument such as debianserver/NAME names, and keeps it in the context of the
// verb. It returns the name of the Image, which can have a channel.
func resolveObject(command *cobra.Command, argument string) (string, error) {
	const syntax = "must be NAME, image/NAME or imagebuild/NAME, or KIND/NAME with a kind of the catalog"
	kind, name, _ := strings.Cut(argument, "/")
	if kind == "" || name == "" || strings.Contains(name, "/") {
		return "", fmt.Errorf("%q: %s", argument, syntax)
	}
	connection, err := FlagsOf(command).Connect(io.Discard)
	if err != nil {
		return "", fmt.Errorf("%q: %s: %w", argument, syntax, err)
	}
	found, err := connection.CatalogKind(kind)
	if err != nil {
		return "", fmt.Errorf("%q: %s: %w", argument, syntax, err)
	}
	object := &Object{Kind: *found, Namespace: connection.Namespace}
	object.Name, _, _ = strings.Cut(name, "@")
	err = connection.ofObject(http.MethodGet, object, "").Do(command.Context()).Error()
	switch {
	case IsNotFound(err, found.Name, object.Name):
		return "", fmt.Errorf("no %s named %s in namespace %s", found.SingularName, object.Name, connection.Namespace)
	case err != nil:
		return "", fmt.Errorf("look for %s: %w", object, err)
	}
	command.SetContext(context.WithValue(command.Context(), objectKey{}, object))
	return name, nil
}

// ofObject is a request for an object, or for a subresource of it.
func (c *Connection) ofObject(verb string, object *Object, subresource string) *rest.Request {
	path := []string{"apis", v1alpha1.CatalogGroup, object.Kind.Version, "namespaces", object.Namespace, object.Kind.Name, object.Name}
	if subresource != "" {
		path = append(path, subresource)
	}
	return c.ImagesV1alpha1().RESTClient().Verb(verb).AbsPath(path...)
}

// NamesOf returns the names of the objects of a kind in the namespace of the connection, at most limit.
func (c *Connection) NamesOf(ctx context.Context, kind *CatalogKind, limit int) ([]string, error) {
	raw, err := c.ImagesV1alpha1().RESTClient().Get().AbsPath("apis", v1alpha1.CatalogGroup, kind.Version, "namespaces", c.Namespace, kind.Name).
		Param("limit", strconv.Itoa(limit)).SetHeader("Accept", "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1").Do(ctx).Raw()
	if err != nil {
		return nil, fmt.Errorf("list %s: %w", kind.Name, err)
	}
	list := &metav1.PartialObjectMetadataList{}
	if err := json.Unmarshal(raw, list); err != nil {
		return nil, fmt.Errorf("list %s: %w", kind.Name, err)
	}
	var names []string
	for i := range list.Items {
		names = append(names, list.Items[i].Name)
	}
	return names, nil
}

// MissingRights tells a user who lacks a permission what to do, and which permission for the Image of an object a verb needs. Other errors stay as
// they are.
func MissingRights(command *cobra.Command, err error) error {
	var status apierrors.APIStatus
	if !apierrors.IsForbidden(err) || !errors.As(err, &status) || status.Status().Details == nil {
		return err
	}
	if object := ObjectOf(command.Context()); object != nil && status.Status().Details.Group == v1alpha1.GroupName {
		return fmt.Errorf("%w: `%s` uses the Image of %s, and needs this permission besides those for %s", err, command.CommandPath(), object, object.Kind.Name)
	}
	if strings.Contains(status.Status().Message, ` is forbidden: User "`) { // and not by the rules of the server for what the request has
		program := "goldsmith kubectl"
		if IsPlugin(os.Args[0]) {
			program = "kubectl"
		}
		return fmt.Errorf("%w: `%s auth can-i --list` lists your permissions: ask an administrator for more", err, program)
	}
	return err
}
