// SPDX-License-Identifier: Apache-2.0

package apply

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/sets"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/restmapper"
	"k8s.io/client-go/util/retry"

	"goldsmith.dev/goldsmith/cmd/goldsmith/internal/applyset"
)

// FieldManager owns the fields that files set.
const FieldManager = "goldsmith-apply"

// The labels and annotations of the ApplySet specification, KEP-3659, and the annotation of objects that a set has created.
const (
	memberLabel          = "applyset.kubernetes.io/part-of"
	toolAnnotation       = "applyset.kubernetes.io/tooling"
	kindsAnnotation      = "applyset.kubernetes.io/contains-group-kinds"
	namespacesAnnotation = "applyset.kubernetes.io/additional-namespaces"
	createdAnnotation    = "apply.goldsmith.dev/created-by"
	directoryAnnotation  = "apply.goldsmith.dev/directory"
)

// maxFailure is how much of a line about a failure the parent has, in bytes.
const maxFailure = 1 << 10

// failure is why the objects are not as the directory declares.
type failure struct {
	err   error
	about *unstructured.Unstructured // the object if it exists, else nil
}

// set is the ApplySet of a directory. Its parent is a ConfigMap in the namespace default.
type set struct {
	directory string
	name, id  string
	parent    *unstructured.Unstructured // as it was last stored, or without a UID
	client    dynamic.Interface
	mapper    meta.RESTMapper
	kinds     []schema.GroupVersionResource // of all objects that can be members
	content   map[string]string             // of the annotations about members that the parent has; nil until it is stored
	failures  string                        // of the annotation applyset.FailuresAnnotation
	foreign   map[key]types.UID             // objects with a mark that somebody else has created
}

func newSet(directory string, config *rest.Config) (*set, error) {
	client, err := dynamic.NewForConfig(config)
	if err != nil {
		return nil, fmt.Errorf("connect: %w", err)
	}
	served, err := discovery.NewDiscoveryClientForConfig(config)
	if err != nil {
		return nil, fmt.Errorf("connect: %w", err)
	}
	groups, err := restmapper.GetAPIGroupResources(served)
	if err != nil {
		return nil, fmt.Errorf("find the served kinds: %w", err)
	}
	preferred, err := served.ServerPreferredResources()
	if err != nil {
		return nil, fmt.Errorf("find the served kinds: %w", err)
	}
	name := fmt.Sprintf("goldsmith-apply-%x", sha256.Sum256([]byte(directory)))[:24]
	hash := sha256.Sum256([]byte(name + "." + metav1.NamespaceDefault + ".ConfigMap."))
	s := &set{
		directory: directory, name: name, id: "applyset-" + base64.RawURLEncoding.EncodeToString(hash[:]) + "-v1",
		client: client, mapper: restmapper.NewDiscoveryRESTMapper(groups), foreign: map[key]types.UID{},
	}
	kinds, err := discovery.GroupVersionResources(discovery.FilteredBy(discovery.SupportsAllVerbs{Verbs: []string{"list", "patch", "delete"}}, preferred))
	if err != nil {
		return nil, fmt.Errorf("find the served kinds: %w", err)
	}
	s.parent = s.newParent()
	for kind := range kinds {
		s.kinds = append(s.kinds, kind)
	}
	return s, nil
}

// key identifies an object in all versions of its kind.
type key struct {
	schema.GroupKind
	types.NamespacedName
}

func (k key) String() string {
	if k.Namespace == "" {
		return k.Kind + " " + k.Name
	}
	return k.Kind + " " + k.NamespacedName.String()
}

// member is an object that is declared, or that a server has with the label of the set.
type member struct {
	key
	source string
	object *unstructured.Unstructured
	client dynamic.ResourceInterface
}

func (m *member) fails(err error, live *unstructured.Unstructured) *failure {
	return &failure{err: fmt.Errorf("%s: %s: %w", m.source, m.key, err), about: live}
}

// reconcile applies manifests, in their order but with objects without a namespace first. If all of it succeeds, it prunes:
// it removes the members that no manifest declares. It reports each change of an object.
func (s *set) reconcile(ctx context.Context, found contents, report func(string)) []failure {
	declared, failures := s.declare(found)
	live, err := s.members(ctx)
	if err == nil {
		err = s.writeParent(ctx, slices.Concat(declared, live))
	}
	if err != nil {
		return append(failures, failure{err: err})
	}
	keys := sets.New[key]()
	for _, m := range declared {
		keys.Insert(m.key)
		if failed := s.apply(ctx, m, report); failed != nil {
			failures = append(failures, *failed)
		}
	}
	left := slices.DeleteFunc(live, func(m *member) bool { return keys.Has(m.key) })
	if len(left) == 0 || len(failures) > 0 {
		return failures
	}
	if len(declared) == 0 {
		return []failure{{err: fmt.Errorf(
			"%s declares no object, as a directory that is not mounted: its %d objects stay: to delete them, use `goldsmith kubectl delete %s -A -l %s=%s`",
			s.directory, len(left), kindsOf(left), memberLabel, s.id)}}
	}
	slices.SortStableFunc(left, func(a, b *member) int { return -byScope(a, b) })
	for _, m := range left {
		if failed := s.remove(ctx, m, report); failed != nil {
			failures = append(failures, *failed)
		}
	}
	return failures
}

// byScope orders objects without a namespace, such as namespaces, before others.
func byScope(a, b *member) int { return min(len(a.Namespace), 1) - min(len(b.Namespace), 1) }

// kindsOf returns the names of the kinds of members, for kubectl.
func kindsOf(members []*member) string {
	names := sets.New[string]()
	for _, m := range members {
		names.Insert(strings.ToLower(m.GroupKind.String()))
	}
	return strings.Join(sets.List(names), ",")
}

// declare returns the declared objects. It refuses kinds that are not served, and objects that are declared twice.
func (s *set) declare(found contents) (declared []*member, failures []failure) {
	sources := map[key]string{}
	for _, m := range found.manifests {
		gvk := m.object.GroupVersionKind()
		mapping, err := s.mapper.RESTMapping(gvk.GroupKind(), gvk.Version)
		if err != nil {
			failures = append(failures, failure{err: fmt.Errorf("%s: %s of %s is not served here: correct apiVersion and kind, or delete the object from the file",
				m.source, gvk.Kind, gvk.GroupVersion())})
			continue
		}
		object := m.object.DeepCopy()
		namespace := ""
		if mapping.Scope.Name() == meta.RESTScopeNameNamespace {
			namespace = cmp.Or(object.GetNamespace(), metav1.NamespaceDefault)
		}
		object.SetNamespace(namespace)
		next := s.newMember(object, mapping.Resource)
		next.source = m.source
		if other, ok := sources[next.key]; ok {
			failures = append(failures, failure{err: fmt.Errorf("%s: %s is declared in %s too: delete it from one of the two", m.source, next.key, other)})
			declared = slices.DeleteFunc(declared, func(m *member) bool { return m.key == next.key })
			continue
		}
		sources[next.key] = m.source
		declared = append(declared, next)
	}
	for _, err := range found.failures {
		failures = append(failures, failure{err: err})
	}
	slices.SortStableFunc(declared, byScope)
	return declared, failures
}

func (s *set) newMember(object *unstructured.Unstructured, resource schema.GroupVersionResource) *member {
	m := &member{
		key:    key{object.GroupVersionKind().GroupKind(), types.NamespacedName{Namespace: object.GetNamespace(), Name: object.GetName()}},
		source: s.directory,
		object: object,
		client: s.client.Resource(resource),
	}
	if m.Namespace != "" {
		m.client = s.client.Resource(resource).Namespace(m.Namespace)
	}
	return m
}

// members returns the objects with the label of the set. It leaves out those of which no file has set a field: a build has the labels
// of its image.
func (s *set) members(ctx context.Context) (members []*member, err error) {
	for _, kind := range s.kinds {
		list, err := s.client.Resource(kind).List(ctx, metav1.ListOptions{LabelSelector: memberLabel + "=" + s.id})
		if err != nil {
			return nil, fmt.Errorf("list the applied %s: %w", kind.Resource, err)
		}
		for i := range list.Items {
			if slices.ContainsFunc(list.Items[i].GetManagedFields(), ours) {
				members = append(members, s.newMember(&list.Items[i], kind))
			}
		}
	}
	return members, nil
}

func ours(entry metav1.ManagedFieldsEntry) bool { return entry.Manager == FieldManager }

func (s *set) newParent() *unstructured.Unstructured {
	parent := &unstructured.Unstructured{Object: map[string]any{"apiVersion": "v1", "kind": "ConfigMap"}}
	parent.SetNamespace(metav1.NamespaceDefault)
	parent.SetName(s.name)
	return parent
}

// writeParent records the set before its members change, for programs that know the specification.
func (s *set) writeParent(ctx context.Context, members []*member) error {
	kinds, namespaces := sets.New[string](), sets.New[string]()
	for _, m := range members {
		kinds.Insert(m.GroupKind.String())
		namespaces.Insert(m.Namespace)
	}
	s.content = map[string]string{
		kindsAnnotation:      strings.Join(sets.List(kinds), ","),
		namespacesAnnotation: strings.Join(sets.List(namespaces.Delete("", metav1.NamespaceDefault)), ","),
	}
	return s.patchParent(ctx)
}

// recordFailures keeps what could not be applied where `goldsmith status` finds it.
func (s *set) recordFailures(ctx context.Context, lines []string) error {
	shown := make([]string, min(len(lines), applyset.MaxFailures))
	for i := range shown {
		shown[i] = strings.ToValidUTF8(lines[i][:min(len(lines[i]), maxFailure)], "")
	}
	if failures := strings.Join(shown, "\n"); failures != s.failures {
		s.failures = failures
		if s.content != nil {
			return s.patchParent(ctx)
		}
	}
	return nil
}

func (s *set) patchParent(ctx context.Context) error {
	parent := s.newParent()
	parent.SetLabels(map[string]string{applyset.ParentLabel: s.id})
	annotations := maps.Clone(s.content)
	annotations[toolAnnotation], annotations[directoryAnnotation] = FieldManager+"/v1", s.directory
	if s.failures != "" {
		annotations[applyset.FailuresAnnotation] = s.failures
	}
	parent.SetAnnotations(annotations)
	stored, err := s.patch(ctx, s.newMember(parent, corev1.SchemeGroupVersion.WithResource("configmaps")), true)
	if err != nil {
		return fmt.Errorf("record the applied objects in ConfigMap %s/%s: %w", metav1.NamespaceDefault, s.name, err)
	}
	s.parent = stored
	return nil
}

func (s *set) patch(ctx context.Context, m *member, force bool) (*unstructured.Unstructured, error) {
	text, err := m.object.MarshalJSON()
	if err != nil {
		return nil, err
	}
	return m.client.Patch(ctx, m.Name, types.ApplyPatchType, text,
		metav1.PatchOptions{FieldManager: FieldManager, FieldValidation: metav1.FieldValidationStrict, Force: &force})
}

// apply applies a declared object. It marks an object that did not exist before, and keeps the mark.
func (s *set) apply(ctx context.Context, m *member, report func(string)) *failure {
	live, err := m.client.Get(ctx, m.Name, metav1.GetOptions{})
	if err != nil && !apierrors.IsNotFound(err) {
		return m.fails(err, nil)
	}
	created := apierrors.IsNotFound(err)
	if created {
		live = nil
	} else {
		if live.GetDeletionTimestamp() != nil {
			return m.fails(errors.New("object is being deleted, and is created again after that"), live)
		}
		m.object.SetUID(live.GetUID()) // if it is deleted meanwhile, it is not created without a mark
	}
	s.label(m, created || s.created(m, live))
	applied, err := s.patch(ctx, m, false)
	if err == nil && created && slices.ContainsFunc(applied.GetManagedFields(), func(entry metav1.ManagedFieldsEntry) bool { return !ours(entry) }) {
		created = false // but by somebody else, meanwhile
		s.foreign[m.key] = applied.GetUID()
		s.label(m, false)
		applied, err = s.patch(ctx, m, false)
	}
	switch {
	case err != nil:
		return m.fails(explain(err, m), live)
	case created:
		report(fmt.Sprintf("%s: %s created", m.source, m.key))
	case live == nil || applied.GetResourceVersion() != live.GetResourceVersion():
		report(fmt.Sprintf("%s: %s changed", m.source, m.key))
	}
	return nil
}

// mark is the annotation of objects that the set has created. It has the name, so a copy with another name does not count as created.
func (s *set) mark(k key) string { return s.id + "/" + k.NamespacedName.String() }

// created reports whether the set has created an object.
func (s *set) created(m *member, live *unstructured.Unstructured) bool {
	return live.GetAnnotations()[createdAnnotation] == s.mark(m.key) && s.foreign[m.key] != live.GetUID()
}

// label labels an object as a member of the set, and marks it if the set has created it.
func (s *set) label(m *member, created bool) {
	object := m.object
	labels := object.GetLabels()
	if labels == nil {
		labels = map[string]string{}
	}
	labels[memberLabel] = s.id
	object.SetLabels(labels)
	annotations := object.GetAnnotations()
	delete(annotations, createdAnnotation)
	if created {
		if annotations == nil {
			annotations = map[string]string{}
		}
		annotations[createdAnnotation] = s.mark(m.key)
	}
	object.SetAnnotations(annotations)
}

// setsContent reports whether another program has set fields, other than metadata and status.
func setsContent(entry metav1.ManagedFieldsEntry) bool {
	var fields map[string]any
	if ours(entry) || entry.Subresource != "" || entry.FieldsV1 == nil || json.Unmarshal(entry.FieldsV1.GetRawBytes(), &fields) != nil {
		return false
	}
	delete(fields, "f:metadata")
	delete(fields, "f:status")
	return len(fields) > 0
}

// release removes an object from the set, and from the object the fields that only files have set. All directories have one field
// manager. So an object that another directory has created would become empty or invalid: it keeps these fields.
func (s *set) release(ctx context.Context, m *member) error {
	if slices.ContainsFunc(m.object.GetManagedFields(), setsContent) {
		empty := &unstructured.Unstructured{Object: map[string]any{"apiVersion": m.object.GetAPIVersion(), "kind": m.object.GetKind()}}
		empty.SetName(m.Name)
		empty.SetNamespace(m.Namespace)
		empty.SetUID(m.object.GetUID())
		_, err := s.patch(ctx, &member{key: m.key, object: empty, client: m.client}, false)
		if !apierrors.IsInvalid(err) {
			return err
		}
	}
	text, err := json.Marshal(map[string]any{"metadata": map[string]any{
		"uid": m.object.GetUID(), "resourceVersion": m.object.GetResourceVersion(), "labels": map[string]any{memberLabel: nil},
	}})
	if err != nil {
		return err
	}
	_, err = m.client.Patch(ctx, m.Name, types.MergePatchType, text, metav1.PatchOptions{FieldManager: FieldManager})
	return err
}

// remove prunes a member: it deletes an object that the set has created, and releases any other object. It begins again if the
// object changes meanwhile.
func (s *set) remove(ctx context.Context, m *member, report func(string)) *failure {
	done, uid := "", m.object.GetUID()
	err := retry.RetryOnConflict(retry.DefaultRetry, func() (err error) {
		if done != "" {
			if m.object, err = m.client.Get(ctx, m.Name, metav1.GetOptions{}); err != nil {
				return err
			}
		}
		version := m.object.GetResourceVersion()
		switch {
		case m.object.GetUID() != uid || m.object.GetDeletionTimestamp() != nil || m.object.GetLabels()[memberLabel] != s.id:
			done = ""
			return nil
		case s.created(m, m.object):
			done = "deleted"
			background := metav1.DeletePropagationBackground
			return m.client.Delete(ctx, m.Name, metav1.DeleteOptions{
				PropagationPolicy: &background, Preconditions: &metav1.Preconditions{UID: &uid, ResourceVersion: &version},
			})
		}
		done = "is not declared any more; it stays, because this directory has not created it"
		return s.release(ctx, m)
	})
	if err != nil && !apierrors.IsNotFound(err) {
		return m.fails(fmt.Errorf("object is not declared any more: %w", err), m.object)
	}
	if done != "" {
		report(fmt.Sprintf("%s: %s %s", m.source, m.key, done))
	}
	return nil
}

var (
	// unknownField matches what a server says about a misspelt field, depending on what it knows about the kind.
	unknownField = regexp.MustCompile(`unknown field "([^"]+)"|\.?([^\s:]+): field not declared in schema`)
	index        = regexp.MustCompile(`\[[^\]]*\]`)
	otherManager = regexp.MustCompile(`conflict with ("[^"]+")`)
)

// explain adds the remedy to an error.
func explain(err error, m *member) error {
	if found := unknownField.FindStringSubmatch(err.Error()); found != nil {
		path := found[1] + found[2]
		names := strings.Split(index.ReplaceAllString(path, ""), ".")
		parent := strings.Join(append([]string{strings.ToLower(m.Kind)}, names[:len(names)-1]...), ".")
		return fmt.Errorf("unknown field %q: correct or remove it: `goldsmith kubectl explain %s` lists the fields", path, parent)
	}
	var owners []string
	if status, ok := errors.AsType[*apierrors.StatusError](err); ok && status.Status().Details != nil {
		for _, cause := range status.Status().Details.Causes {
			if found := otherManager.FindStringSubmatch(cause.Message); cause.Type == metav1.CauseTypeFieldManagerConflict && found != nil {
				owners = append(owners, fmt.Sprintf("field %s is set by %s", cause.Field, found[1]))
			}
		}
	}
	if len(owners) == 0 {
		return err
	}
	return fmt.Errorf("%s: remove the field from the file, or set the same value with `goldsmith kubectl edit`", strings.Join(owners, ", "))
}
