// SPDX-License-Identifier: Apache-2.0

package apply

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	utiljson "k8s.io/apimachinery/pkg/util/json"

	"goldsmith.dev/goldsmith/cmd/internal/documents"
)

// maxFile is the size of the largest file that is read, in MiB: more than any ten objects can have.
const maxFile = 16

// extensions are the ends of the names of manifests. Editors give their temporary files other ones, or a name with a dot in front.
var extensions = []string{".yaml", ".yml", ".json"}

// kustomizations are the names of files that other files are input of.
var kustomizations = []string{"kustomization.yaml", "kustomization.yml", "Kustomization"}

// manifest is an object that a file declares.
type manifest struct {
	source string // the file, and the line where the document begins
	object *unstructured.Unstructured
}

// contents is what a directory declares.
type contents struct {
	manifests []manifest
	digest    [sha256.Size]byte // of the names, contents and errors of all files
	failures  []error           // of files that cannot be read, and so may declare any object
	// kustomized is whether files are input of kustomize.
	kustomized bool
}

// hidden reports whether a file or directory is ignored because of its name.
func hidden(name string) bool { return strings.HasPrefix(name, ".") }

// isManifest reports whether a file is read because of its name.
func isManifest(name string) bool {
	return !hidden(name) && (slices.Contains(extensions, filepath.Ext(name)) || slices.Contains(kustomizations, name))
}

// read reads all manifests below a directory. It calls enter for each directory before it lists that directory.
func read(root string, enter func(directory string)) contents {
	var found contents
	sum := sha256.New()
	// A walk of the file system, unlike filepath.WalkDir, follows a root that is a symbolic link. The function returns no error.
	_ = fs.WalkDir(os.DirFS(root), ".", func(name string, entry fs.DirEntry, err error) error {
		path := filepath.Join(root, name)
		switch {
		case err != nil:
			_, _ = fmt.Fprintf(sum, "%q %v\n", name, err) // a write to a hash never fails
			found.failures = append(found.failures, fmt.Errorf("%s: %w: until it can be read, nothing is deleted", path, documents.WithoutPath(err)))
		case name != "." && hidden(entry.Name()):
			if entry.IsDir() {
				return fs.SkipDir
			}
		case entry.IsDir():
			enter(path)
		case isManifest(entry.Name()):
			content, err := documents.ReadFile(path, maxFile)
			_, _ = fmt.Fprintf(sum, "%q %d %v\n%s", name, len(content), err, content)
			if err != nil {
				err = fmt.Errorf("%s: %w: make it readable, or delete it", path, err)
			} else {
				err = found.add(path, content)
			}
			if err != nil {
				found.failures = append(found.failures, err)
			}
		}
		return nil
	})
	sum.Sum(found.digest[:0])
	if found.kustomized {
		found.manifests = nil // without their patches
	}
	return found
}

// add adds the objects of a file. After an error it has added no object of the file.
func (c *contents) add(path string, content []byte) error {
	if slices.Contains(kustomizations, filepath.Base(path)) {
		c.kustomized = true
		return fmt.Errorf("%s: the directory is input of kustomize, and is not applied: write the output of `goldsmith kubectl kustomize %s` to a file of another directory, and apply that one",
			path, filepath.Dir(path))
	}
	if len(bytes.TrimSpace(content)) == 0 {
		return fmt.Errorf("%s: file is empty, as while it is being written: write its objects, or delete it", path)
	}
	parts, err := split(path, content)
	if err != nil {
		return err
	}
	var manifests []manifest
	for _, part := range parts {
		source := fmt.Sprintf("%s:%d", path, part.Line)
		objects, err := parse(part)
		if err != nil {
			return fmt.Errorf("%s: %w", source, err)
		}
		for _, object := range objects {
			manifests = append(manifests, manifest{source: source, object: object})
		}
	}
	c.manifests = append(c.manifests, manifests...)
	return nil
}

// split returns the documents of a file.
func split(path string, content []byte) ([]documents.Document, error) {
	if filepath.Ext(path) != ".json" {
		return documents.Split(content), nil
	}
	var found []documents.Document
	decoder := json.NewDecoder(bytes.NewReader(content))
	for {
		var text json.RawMessage
		err := decoder.Decode(&text)
		if errors.Is(err, io.EOF) {
			return found, nil
		}
		if err != nil {
			line := 1 + bytes.Count(content[:decoder.InputOffset()], []byte("\n"))
			return nil, fmt.Errorf("%s:%d: document is no JSON: %w: correct it", path, line, err)
		}
		begin := decoder.InputOffset() - int64(len(text))
		found = append(found, documents.Document{Line: 1 + bytes.Count(content[:begin], []byte("\n")), Text: text})
	}
}

// parse returns the objects of a document: none if it has only comments, and several if it is a list.
func parse(document documents.Document) ([]*unstructured.Unstructured, error) {
	text, err := document.JSON()
	if err != nil {
		return nil, err
	}
	var value any
	if err := utiljson.Unmarshal(text, &value); err != nil {
		return nil, fmt.Errorf("document cannot be read: %w: correct it", err)
	}
	fields, ok := value.(map[string]any)
	if !ok {
		if value == nil {
			return nil, nil
		}
		return nil, errors.New("document is no object: set apiVersion, kind and metadata")
	}
	object := &unstructured.Unstructured{Object: fields}
	if !object.IsList() {
		return []*unstructured.Unstructured{object}, check(object)
	}
	var objects []*unstructured.Unstructured
	err = object.EachListItem(func(item runtime.Object) error {
		object, _ := item.(*unstructured.Unstructured)
		objects = append(objects, object)
		return check(object)
	})
	return objects, err
}

// check reports whether an object has what identifies it.
func check(object *unstructured.Unstructured) error {
	// The getters of metadata take a number for a field that is missing.
	for _, field := range []string{"name", "namespace", "labels", "annotations"} {
		value, found, err := unstructured.NestedFieldNoCopy(object.Object, "metadata", field)
		switch {
		case !found || err != nil:
		case value == nil:
			unstructured.RemoveNestedField(object.Object, "metadata", field)
		case field == "name" || field == "namespace":
			_, _, err = unstructured.NestedString(object.Object, "metadata", field)
		default:
			_, _, err = unstructured.NestedStringMap(object.Object, "metadata", field)
		}
		if err != nil {
			return fmt.Errorf("metadata.%s of the %s is no text: write each value in quotes", field, object.GetKind())
		}
	}
	switch {
	case object.GetAPIVersion() == "" || object.GetKind() == "":
		return errors.New("apiVersion and kind are required: set both, or move a file that is no manifest to another directory")
	case object.GetName() == "":
		return fmt.Errorf("%s has no metadata.name: set it", object.GetKind())
	case len(object.GetOwnerReferences()) > 0:
		return fmt.Errorf("%s %s has metadata.ownerReferences: delete it here, because its owner creates it", object.GetKind(), object.GetName())
	}
	// What a server sets is part of a manifest that was printed by kubectl get.
	for _, field := range []string{"uid", "resourceVersion", "generation", "creationTimestamp", "managedFields"} {
		unstructured.RemoveNestedField(object.Object, "metadata", field)
	}
	return nil
}
