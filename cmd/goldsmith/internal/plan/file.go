// SPDX-License-Identifier: Apache-2.0

package plan

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	"k8s.io/apimachinery/pkg/util/yaml"
	"k8s.io/cli-runtime/pkg/resource"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/apiserver/builder"
	"goldsmith.dev/goldsmith/cmd/goldsmith/internal/client"
)

// stdinName is the file name that means stdin.
const stdinName = "-"

// document is an Image in a file.
type document struct {
	place string // for people, such as "document 2 of images.yaml"
	image *v1alpha1.Image
}

// read returns the Images of files and directories, as `kubectl apply -f` finds them. The name "-" means stdin. In a
// directory, read reads the files with a YAML or JSON extension. Empty documents are ignored. Documents of other kinds are
// ignored with a note on told. An unknown field of an Image is an error.
func read(names []string, stdin io.Reader, told io.Writer) ([]document, error) {
	decoder, err := newDecoder()
	if err != nil {
		return nil, err
	}
	r := &reader{decoder: decoder, stdin: stdin, told: told}
	var places []string
	for _, name := range names {
		places = append(places, placeOf(name))
		files, err := filesOf(name)
		if err != nil {
			return nil, fmt.Errorf("find the files of images: %w", err)
		}
		for _, file := range files {
			if err := r.readFile(file); err != nil {
				return nil, err
			}
		}
	}
	if len(r.documents) == 0 {
		return nil, fmt.Errorf("no Image in %s", strings.Join(places, ", "))
	}
	return r.documents, nil
}

// filesOf returns the file of a name, or the files of a directory of the name.
func filesOf(name string) ([]string, error) {
	if name == stdinName {
		return []string{name}, nil
	}
	info, err := os.Stat(name)
	if err != nil || !info.IsDir() {
		return []string{name}, err
	}
	entries, err := os.ReadDir(name)
	var files []string
	for _, entry := range entries {
		if !entry.IsDir() && slices.Contains(resource.FileExtensions, filepath.Ext(entry.Name())) {
			files = append(files, filepath.Join(name, entry.Name()))
		}
	}
	return files, err
}

// placeOf returns the name of a file for people.
func placeOf(name string) string {
	if name == stdinName {
		return "stdin"
	}
	return name
}

// newDecoder returns a decoder that accepts only Images, and refuses unknown fields.
func newDecoder() (runtime.Decoder, error) {
	scheme := runtime.NewScheme()
	if err := v1alpha1.AddToScheme(scheme); err != nil {
		return nil, fmt.Errorf("register images: %w", err)
	}
	return serializer.NewCodecFactory(scheme, serializer.EnableStrict).UniversalDeserializer(), nil
}

// reader collects the Images of files.
type reader struct {
	decoder   runtime.Decoder
	stdin     io.Reader
	told      io.Writer
	documents []document
}

func (r *reader) readFile(name string) error {
	source := r.stdin
	if name != stdinName {
		content, err := os.ReadFile(name)
		if err != nil {
			return fmt.Errorf("read the file of images: %w", err)
		}
		source = bytes.NewReader(content)
	}
	documents := yaml.NewYAMLReader(bufio.NewReader(source))
	for number := 1; ; number++ {
		content, err := documents.Read()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("read %s: %w", placeOf(name), err)
		}
		place := fmt.Sprintf("document %d of %s", number, placeOf(name))
		if err := r.add(place, content); err != nil {
			return fmt.Errorf("%s: %w", place, err)
		}
	}
}

// add adds the Image in content, or the Images of the List in content.
func (r *reader) add(place string, content []byte) error {
	asJSON, err := yaml.ToJSON(content)
	if err != nil {
		return err
	}
	if bytes.Equal(bytes.TrimSpace(asJSON), []byte("null")) {
		return nil
	}
	var kind metav1.TypeMeta
	if err := json.Unmarshal(asJSON, &kind); err != nil {
		return fmt.Errorf("not a Kubernetes object: %w", builder.NameWrongTypes(err, asJSON, &kind))
	}
	switch gvk := kind.GroupVersionKind(); {
	case kind.Kind == "" || kind.APIVersion == "":
		return fmt.Errorf("not a Kubernetes object: %s: an Image has %s", missing(kind), wantedType)
	case gvk == v1alpha1.Kind("Image"):
		return r.addImage(place, content, asJSON)
	case gvk == corev1.SchemeGroupVersion.WithKind("List"):
		return r.addItems(place, asJSON)
	case meansImage(gvk):
		return fmt.Errorf("kind %s of %s cannot be planned: use %s",
			kind.Kind, kind.APIVersion, wantedType)
	}
	_, err = fmt.Fprintf(r.told, "%s is ignored: kind %s of %s has no plan: only an Image of %s has a plan\n",
		place, kind.Kind, kind.APIVersion, v1alpha1.SchemeGroupVersion)
	return err
}

// wantedType has the apiVersion and the kind of an Image, for messages.
const wantedType = "apiVersion: " + v1alpha1.GroupName + "/v1alpha1 and kind: Image"

// missing returns which of apiVersion and kind an object lacks.
func missing(kind metav1.TypeMeta) string {
	switch {
	case kind.Kind != "":
		return "no apiVersion"
	case kind.APIVersion != "":
		return "no kind"
	default:
		return "no apiVersion and no kind"
	}
}

// meansImage reports whether a user probably means an Image of Goldsmith: the version does not exist, the group is missing, or the kind
// is the name of the resource.
func meansImage(gvk schema.GroupVersionKind) bool {
	kind := strings.ToLower(gvk.Kind)
	return (kind == "image" || kind == "images") && (gvk.Group == v1alpha1.GroupName || gvk.Group == "")
}

func (r *reader) addImage(place string, content, asJSON []byte) error {
	image := &v1alpha1.Image{}
	if _, _, err := r.decoder.Decode(content, nil, image); err != nil {
		return builder.NameRenamedFields(builder.NameWrongTypes(err, asJSON, image), image)
	}
	if image.Name == "" {
		return errors.New("metadata.name: Required value: set the name of the image")
	}
	r.documents = append(r.documents, document{place: place, image: image})
	return nil
}

// addItems adds the Images of a List, because kubectl prints several objects as a List.
func (r *reader) addItems(place string, asJSON []byte) error {
	var list struct {
		Items []json.RawMessage `json:"items"`
	}
	if err := json.Unmarshal(asJSON, &list); err != nil {
		return fmt.Errorf("not a List: %w", err)
	}
	for i, item := range list.Items {
		if err := r.add(fmt.Sprintf("item %d of %s", i+1, place), item); err != nil {
			return fmt.Errorf("item %d: %w", i+1, err)
		}
	}
	return nil
}

// plan requests the plan of an Image as if the Image were applied. namespace is the value of --namespace. It must not
// contradict the namespace of the document.
func (d document) plan(ctx context.Context, connection *client.Connection, namespace string) (*v1alpha1.ImagePlan, error) {
	target := d.image.Namespace
	switch {
	case target == "":
		target = connection.Namespace
	case namespace != "" && namespace != target:
		return nil, fmt.Errorf("%s: image %s: metadata.namespace is %s, but --namespace is %s: correct one of the two",
			d.place, d.image.Name, target, namespace)
	}
	// The other metadata of an exported object, such as the UID, describes the existing object.
	wanted := &v1alpha1.ImagePlan{Spec: d.image.Spec, ObjectMeta: metav1.ObjectMeta{
		Name: d.image.Name, Namespace: target, Labels: d.image.Labels, Annotations: d.image.Annotations,
	}}
	plan, err := connection.ImagesV1alpha1().ImagePlans(target).Create(ctx, wanted, metav1.CreateOptions{})
	if err != nil {
		return nil, fmt.Errorf("%s: plan image %s: %w", d.place, d.image.Name, err)
	}
	return plan, nil
}
