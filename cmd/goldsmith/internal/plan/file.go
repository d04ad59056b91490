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

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	"k8s.io/apimachinery/pkg/util/yaml"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/apiserver/builder"
	"goldsmith.dev/goldsmith/cmd/goldsmith/internal/client"
)

// document is an Image in a file.
type document struct {
	place string // for people, such as "document 2 of images.yaml"
	image *v1alpha1.Image
}

// read returns the Images of a file, or of stdin where its name is "-". Documents without content are passed over. One
// that is not an Image, or has a field that Images do not have, is an error.
func read(name string, stdin io.Reader) (documents []document, err error) {
	source := stdin
	if name == "-" {
		name = "stdin"
	} else {
		file, err := os.Open(name)
		if err != nil {
			return nil, fmt.Errorf("open the file of images: %w", err)
		}
		defer func() { err = errors.Join(err, file.Close()) }()
		source = file
	}
	decoder, err := newDecoder()
	if err != nil {
		return nil, err
	}
	reader := yaml.NewYAMLReader(bufio.NewReader(source))
	for number := 1; ; number++ {
		content, err := reader.Read()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, fmt.Errorf("read %s: %w", name, err)
		}
		found := document{place: fmt.Sprintf("document %d of %s", number, name)}
		if found.image, err = decode(decoder, content); err != nil {
			return nil, fmt.Errorf("%s: %w", found.place, err)
		}
		if found.image != nil {
			documents = append(documents, found)
		}
	}
	if len(documents) == 0 {
		return nil, fmt.Errorf("there is no Image in %s", name)
	}
	return documents, nil
}

// newDecoder knows Images only, and no field that they do not have.
func newDecoder() (runtime.Decoder, error) {
	scheme := runtime.NewScheme()
	if err := v1alpha1.AddToScheme(scheme); err != nil {
		return nil, fmt.Errorf("register images: %w", err)
	}
	return serializer.NewCodecFactory(scheme, serializer.EnableStrict).UniversalDeserializer(), nil
}

// decode returns nil for a document without content.
func decode(decoder runtime.Decoder, content []byte) (*v1alpha1.Image, error) {
	asJSON, err := yaml.ToJSON(content)
	if err != nil {
		return nil, err
	}
	if bytes.Equal(bytes.TrimSpace(asJSON), []byte("null")) {
		return nil, nil
	}
	var kind metav1.TypeMeta
	if err := json.Unmarshal(asJSON, &kind); err != nil {
		return nil, fmt.Errorf("it is no object: %w", err)
	}
	switch {
	case kind.Kind == "" || kind.APIVersion == "":
		return nil, errors.New("it is no object: it has no apiVersion or no kind")
	case kind.GroupVersionKind() != v1alpha1.Kind("Image"):
		return nil, fmt.Errorf("its kind is %s of %s: only an Image of %s has a plan", kind.Kind, kind.APIVersion, v1alpha1.SchemeGroupVersion)
	}
	image := &v1alpha1.Image{}
	if _, _, err := decoder.Decode(content, nil, image); err != nil {
		return nil, builder.NameRenamedFields(err, image)
	}
	if image.Name == "" {
		return nil, errors.New("metadata.name: Required value: a plan is of an image with a name")
	}
	return image, nil
}

// plan asks for the plan of an Image as it would be applied. namespace is what the user said: it must not be another
// than the document's own.
func (d document) plan(ctx context.Context, connection *client.Connection, namespace string) (*v1alpha1.ImagePlan, error) {
	target := d.image.Namespace
	switch {
	case target == "":
		target = connection.Namespace
	case namespace != "" && namespace != target:
		return nil, fmt.Errorf("%s: image %s is of namespace %s, not of %s, which --namespace names", d.place, d.image.Name, target, namespace)
	}
	// What else an exported object's metadata has is of an object that exists.
	wanted := &v1alpha1.ImagePlan{Spec: d.image.Spec, ObjectMeta: metav1.ObjectMeta{
		Name: d.image.Name, Namespace: target, Labels: d.image.Labels, Annotations: d.image.Annotations,
	}}
	plan, err := connection.ImagesV1alpha1().ImagePlans(target).Create(ctx, wanted, metav1.CreateOptions{})
	if err != nil {
		return nil, fmt.Errorf("%s: plan image %s: %w", d.place, d.image.Name, err)
	}
	return plan, nil
}
