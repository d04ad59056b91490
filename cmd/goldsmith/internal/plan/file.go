// SPDX-License-Identifier: Apache-2.0

package plan

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	"k8s.io/cli-runtime/pkg/resource"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/apiserver/requesterrors"
	"goldsmith.dev/goldsmith/cmd/goldsmith/internal/client"
)

const (
	// stdinName is the file name that means stdin.
	stdinName = "-"
	// wantedType has the apiVersion and the kind of an Image, for messages.
	wantedType = "apiVersion: " + v1alpha1.GroupName + "/v1alpha1 and kind: Image"
)

// sources name the manifests, by the flags of `kubectl apply`.
type sources struct {
	files     []string
	recursive bool
	kustomize string
}

func (s *sources) given() bool { return len(s.files) > 0 || s.kustomize != "" }

// document is an Image in a file.
type document struct {
	source string // for people, such as "images.yaml" or "stdin"
	object *unstructured.Unstructured
	image  *v1alpha1.Image // the object, whose fields are all known
}

// read returns the Images of the sources, as `kubectl apply` reads them. Objects of other kinds are ignored with a note on stderr. The
// error is about all documents that are not returned.
func (s *sources) read(stdin io.Reader, stderr io.Writer) ([]document, error) {
	decoder, err := newDecoder()
	if err != nil {
		return nil, err
	}
	manifests := resource.NewLocalBuilder().Unstructured().ContinueOnError().Flatten()
	for _, name := range s.files {
		if name == stdinName {
			manifests.Stream(stdin, "stdin")
			continue
		}
		manifests.FilenameParam(false, &resource.FilenameOptions{Filenames: []string{name}, Recursive: s.recursive})
	}
	if s.kustomize != "" {
		manifests.FilenameParam(false, &resource.FilenameOptions{Kustomize: s.kustomize})
	}
	var documents []document
	err = manifests.Do().Visit(func(info *resource.Info, err error) error {
		if err != nil {
			return err
		}
		object, ok := info.Object.(*unstructured.Unstructured)
		if !ok {
			return fmt.Errorf("%s: read a %T", info.Source, info.Object)
		}
		switch ignored, err := isIgnored(object.GroupVersionKind()); {
		case err != nil:
			return fmt.Errorf("%s: %w", info.Source, err)
		case ignored:
			_, err := fmt.Fprintf(stderr, "%s: %s %s of %s is ignored: only an Image of %s has a plan\n",
				info.Source, object.GetKind(), object.GetName(), object.GetAPIVersion(), v1alpha1.SchemeGroupVersion)
			return err
		case object.GetName() == "":
			return fmt.Errorf("%s: metadata.name: Required value: set the name of the image", info.Source)
		}
		image, err := decode(decoder, object)
		if err != nil {
			return fmt.Errorf("%s: image %s: %w", info.Source, object.GetName(), err)
		}
		documents = append(documents, document{source: info.Source, object: object, image: image})
		return nil
	})
	switch {
	case err != nil:
		return documents, fmt.Errorf("read images: %w", explained(err))
	case len(documents) == 0:
		return nil, fmt.Errorf("no Image in %s", s.names())
	}
	return documents, nil
}

// ReadImage returns the only Image of a manifest, of which - is stdin. Objects of other kinds are ignored.
func ReadImage(name string, stdin io.Reader) (*v1alpha1.Image, error) {
	from := &sources{files: []string{name}}
	documents, err := from.read(stdin, io.Discard)
	switch {
	case err != nil:
		return nil, err
	case len(documents) > 1:
		return nil, fmt.Errorf("%s has %d Images: name a manifest of one", from.names(), len(documents))
	}
	return documents[0].image, nil
}

// missingKind is what the library tells of an object without a kind. It repeats the whole object.
var missingKind = regexp.MustCompile(`(?s)Object 'Kind' is missing in '.*'`)

// explained adds to the error of a file that is no manifest what a manifest is. Other errors stay as they are.
func explained(err error) error {
	text := missingKind.ReplaceAllString(err.Error(), "Object 'Kind' is missing")
	text = strings.ReplaceAll(text, "json: cannot unmarshal string into Go value of type unstructured.detector", "it is no object")
	switch {
	case text != err.Error():
		return errors.New(text + ": " + client.NoManifest)
	case strings.Contains(text, "cannot start any token"):
		return fmt.Errorf("%w: %s", err, client.TabInYAML)
	}
	return err
}

// names returns the names of all sources for people.
func (s *sources) names() string {
	var names []string
	for _, name := range s.files {
		if name == stdinName {
			name = "stdin"
		}
		names = append(names, name)
	}
	if s.kustomize != "" {
		names = append(names, s.kustomize)
	}
	return strings.Join(names, ", ")
}

// isIgnored reports whether a kind is not an Image. It returns an error if a user probably means an Image of Goldsmith: the version does
// not exist, the group is missing, or the kind is the name of the resource.
func isIgnored(gvk schema.GroupVersionKind) (bool, error) {
	kind := strings.ToLower(gvk.Kind)
	switch {
	case gvk == v1alpha1.Kind("Image"):
		return false, nil
	case (kind == "image" || kind == "images") && (gvk.Group == v1alpha1.GroupName || gvk.Group == ""):
		return false, fmt.Errorf("kind %s of apiVersion %q cannot be planned: use %s", gvk.Kind, gvk.GroupVersion(), wantedType)
	}
	return true, nil
}

// newDecoder returns a decoder that accepts only Images, and refuses unknown fields.
func newDecoder() (runtime.Decoder, error) {
	scheme := runtime.NewScheme()
	if err := v1alpha1.AddToScheme(scheme); err != nil {
		return nil, fmt.Errorf("register images: %w", err)
	}
	return serializer.NewCodecFactory(scheme, serializer.EnableStrict).UniversalDeserializer(), nil
}

// decode returns the object as an Image. Its errors name wrong fields better than those of the server.
func decode(decoder runtime.Decoder, object *unstructured.Unstructured) (*v1alpha1.Image, error) {
	asJSON, err := json.Marshal(object)
	if err != nil {
		return nil, err
	}
	image := &v1alpha1.Image{}
	if _, _, err := decoder.Decode(asJSON, nil, image); err != nil {
		return nil, requesterrors.NameUnknownFields(requesterrors.NameWrongTypes(err, asJSON, image), requesterrors.FieldsOf(image))
	}
	return image, nil
}
