// SPDX-License-Identifier: Apache-2.0

package templateaccess

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apiserver/pkg/admission"
	"k8s.io/apiserver/pkg/admission/initializer"
	"k8s.io/apiserver/pkg/authentication/user"
	"k8s.io/apiserver/pkg/authorization/authorizer"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
)

// rights are the permissions of a user, such as "use serviceaccounts/builder". They record every check.
type rights struct {
	granted []string
	asked   []string
	err     error
}

func (r *rights) Authorize(_ context.Context, attributes authorizer.Attributes) (authorizer.Decision, string, error) {
	right := fmt.Sprintf("%s %s/%s", attributes.GetVerb(), attributes.GetResource(), attributes.GetName())
	r.asked = append(r.asked, right)
	if attributes.GetUser().GetName() != "ada" || attributes.GetNamespace() != "team" || !attributes.IsResourceRequest() || attributes.GetAPIGroup() != "" {
		return authorizer.DecisionDeny, "", fmt.Errorf("asked about something else: %v", attributes)
	}
	if r.err != nil {
		return authorizer.DecisionDeny, "", r.err
	}
	if slices.Contains(r.granted, right) {
		return authorizer.DecisionAllow, "", nil
	}
	return authorizer.DecisionNoOpinion, "", nil
}

// admit asks the plugin about a write. old is nil for a creation.
func admit(t *testing.T, rights *rights, object, old runtime.Object, subresource string) error {
	t.Helper()
	return admitIn(t.Context(), t, rights, object, old, subresource)
}

func admitIn(ctx context.Context, t *testing.T, rights *rights, object, old runtime.Object, subresource string) error {
	t.Helper()
	made, err := New(nil)
	if err != nil {
		t.Fatal(err)
	}
	made.(initializer.WantsUnconditionalAuthorizer).SetUnconditionalAuthorizer(rights)
	if err := made.(admission.InitializationValidator).ValidateInitialization(); err != nil {
		t.Fatal(err)
	}
	kind, resource := v1alpha1.Kind("Image"), v1alpha1.Resource("images")
	if _, build := object.(*v1alpha1.ImageBuild); build {
		kind, resource = v1alpha1.Kind("ImageBuild"), v1alpha1.Resource("imagebuilds")
	}
	operation, options := admission.Create, runtime.Object(&metav1.CreateOptions{})
	if old != nil {
		operation, options = admission.Update, &metav1.UpdateOptions{}
	}
	attributes := admission.NewAttributesRecord(object, old, kind, "team", "debian",
		resource.WithVersion(v1alpha1.SchemeGroupVersion.Version), subresource, operation, options, false, &user.DefaultInfo{Name: "ada"})
	return made.(admission.ValidationInterface).Validate(ctx, attributes, nil)
}

func withAccount(name string) *v1alpha1.BuildTemplate {
	return &v1alpha1.BuildTemplate{ServiceAccountName: name}
}

func withSecrets(names ...string) *v1alpha1.BuildTemplate {
	template := &v1alpha1.BuildTemplate{Env: []corev1.EnvVar{
		{Name: "PLAIN", Value: "x"},
		{Name: "MAP", ValueFrom: &corev1.EnvVarSource{ConfigMapKeyRef: &corev1.ConfigMapKeySelector{LocalObjectReference: corev1.LocalObjectReference{Name: "key"}, Key: "k"}}},
	}}
	for _, name := range names {
		template.Env = append(template.Env, corev1.EnvVar{Name: "KEY", ValueFrom: &corev1.EnvVarSource{
			SecretKeyRef: &corev1.SecretKeySelector{LocalObjectReference: corev1.LocalObjectReference{Name: name}, Key: "k"},
		}})
	}
	return template
}

func image(builder string, template *v1alpha1.BuildTemplate) *v1alpha1.Image {
	return &v1alpha1.Image{Spec: v1alpha1.ImageSpec{BuildInputs: v1alpha1.BuildInputs{Builder: v1alpha1.BuilderReference{Name: builder}, Template: template}}}
}

// withFiles has an Image take its files from a ConfigMap.
func withFiles(image *v1alpha1.Image) *v1alpha1.Image {
	image.Spec.Source = &v1alpha1.Source{ConfigMapRef: &v1alpha1.ConfigMapReference{Name: "files"}}
	return image
}

func build(template *v1alpha1.BuildTemplate) *v1alpha1.ImageBuild {
	return &v1alpha1.ImageBuild{Spec: v1alpha1.ImageBuildSpec{Inputs: v1alpha1.BuildInputs{Template: template}}}
}

func withOutput(image *v1alpha1.Image) *v1alpha1.Image {
	image.Spec.Output = &v1alpha1.Output{Repository: "localhost/a", SecretRef: &v1alpha1.SecretReference{Name: "key"}}
	return image
}

// withGit has an Image take its files from a Git repository.
func withGit(image *v1alpha1.Image, secret string) *v1alpha1.Image {
	image.Spec.Source = &v1alpha1.Source{Git: &v1alpha1.GitSource{URL: "https://git.example.com/a", SecretRef: &v1alpha1.SecretReference{Name: secret}}}
	return image
}

// withOCI has an Image take its files from a registry.
func withOCI(image *v1alpha1.Image, secret string) *v1alpha1.Image {
	image.Spec.Source = &v1alpha1.Source{OCI: &v1alpha1.OCISource{Repository: "localhost/a", SecretRef: &v1alpha1.SecretReference{Name: secret}}}
	return image
}

// tested has a program test an Image.
func tested(image *v1alpha1.Image, runner string) *v1alpha1.Image {
	image.Spec.Tests = []v1alpha1.ImageTest{{Name: "ours", Runner: &v1alpha1.TestRunner{Name: runner}}}
	return image
}

func publishing(image *v1alpha1.Image, repository string) *v1alpha1.Image {
	image.Spec.Output.Repository = repository
	return image
}

func TestWhoeverWritesATemplateNeedsWhatItGives(t *testing.T) {
	const useBuilder, getKey, getMap, getFiles = "use serviceaccounts/builder", "get secrets/key", "get configmaps/key", "get configmaps/files"
	relabelled := image("mock", withAccount("builder"))
	relabelled.Labels = map[string]string{"team": "red"}
	suspended := image("mock", withAccount("builder"))
	suspended.Spec.Suspend = new(true)
	moved := withGit(image("mock", nil), "key")
	moved.Spec.Source.Git.URL = "https://attacker.example/a"
	public := withGit(image("mock", nil), "key")
	public.Spec.Source.Git.SecretRef = nil

	for name, test := range map[string]struct {
		object, old runtime.Object
		subresource string
		needs       []string
	}{
		"an Image without a template":                    {object: image("mock", nil)},
		"an Image with the default account":              {object: image("mock", withAccount("default"))},
		"an Image with an account":                       {object: image("mock", withAccount("builder")), needs: []string{useBuilder}},
		"an Image with a Secret, named twice":            {object: image("mock", withSecrets("key", "key")), needs: []string{getMap, getKey}},
		"an Image with Secrets":                          {object: image("mock", withSecrets("key", "other")), needs: []string{getMap, getKey, "get secrets/other"}},
		"an Image with a ConfigMap in its environment":   {object: image("mock", withSecrets()), needs: []string{getMap}},
		"an Image with the Secret of a registry":         {object: withOutput(image("mock", nil)), needs: []string{getKey}},
		"a repository for the same Secret":               {object: withOutput(image("mock", nil)), old: publishing(withOutput(image("mock", nil)), "localhost/b"), needs: []string{getKey}},
		"an Image with files of a ConfigMap":             {object: withFiles(image("mock", nil)), needs: []string{getFiles}},
		"an Image with files and an account":             {object: withFiles(image("mock", withAccount("builder"))), needs: []string{getFiles, useBuilder}},
		"another builder for the same files":             {object: withFiles(image("other", nil)), old: withFiles(image("mock", nil)), needs: []string{getFiles}},
		"an Image whose files are taken away":            {object: image("mock", nil), old: withFiles(image("mock", nil))},
		"an Image with the Secret of a Git repository":   {object: withGit(image("mock", nil), "key"), needs: []string{getKey}},
		"an Image with the Secret of an artifact":        {object: withOCI(image("mock", nil), "key"), needs: []string{getKey}},
		"another URL for the same Secret":                {object: moved, old: withGit(image("mock", nil), "key"), needs: []string{getKey}},
		"an Image of a public repository":                {object: public, old: withGit(image("mock", nil), "key")},
		"another builder under the same account":         {object: image("other", withAccount("builder")), old: image("mock", withAccount("builder")), needs: []string{useBuilder}},
		"another test under the same account":            {object: tested(image("mock", withAccount("builder")), "other"), old: tested(image("mock", withAccount("builder")), "mock"), needs: []string{useBuilder}},
		"a test of an Image that reads a Secret":         {object: tested(image("mock", withSecrets("key")), "mock"), old: image("mock", withSecrets("key")), needs: []string{getMap, getKey}},
		"a test of an Image without a template":          {object: tested(image("mock", nil), "mock"), old: image("mock", nil)},
		"an account for an Image that had none":          {object: image("mock", withAccount("builder")), old: image("mock", nil), needs: []string{useBuilder}},
		"an Image whose account is taken away":           {object: image("mock", nil), old: image("mock", withAccount("builder"))},
		"a label of an Image with an account":            {object: relabelled, old: image("mock", withAccount("builder"))},
		"suspending an Image with an account":            {object: suspended, old: image("mock", withAccount("builder"))},
		"the status of an Image with an account":         {object: image("mock", withAccount("builder")), old: image("mock", nil), subresource: "status"},
		"a build that somebody creates":                  {object: build(withAccount("builder")), needs: []string{useBuilder}},
		"a build that somebody creates, with a Secret":   {object: build(withSecrets("key")), needs: []string{getMap, getKey}},
		"a label of a build, whose spec does not change": {object: build(withAccount("builder")), old: build(withAccount("builder"))},
	} {
		t.Run(name, func(t *testing.T) {
			all := &rights{granted: test.needs}
			if err := admit(t, all, test.object, test.old, test.subresource); err != nil {
				t.Errorf("with all rights: %v", err)
			}
			if !slices.Equal(all.asked, test.needs) {
				t.Errorf("asked for %q, not %q", all.asked, test.needs)
			}
			for i := range test.needs {
				err := admit(t, &rights{granted: slices.Delete(slices.Clone(test.needs), i, i+1)}, test.object, test.old, test.subresource)
				if !apierrors.IsForbidden(err) {
					t.Errorf("without %q: %v", test.needs[i], err)
				}
			}
		})
	}
}

// A field that is added to the spec of an Image is checked until somebody decides here that it changes nothing that a pod runs.
func TestEveryFieldThatDecidesWhatAPodRunsIsChecked(t *testing.T) {
	unchecked := []string{"Triggers", "RunPolicy", "Suspend", "Timeouts", "Retry", "History", "Channels"}
	stored := image("mock", withAccount("builder"))
	for _, changed := range fieldsOf(reflect.TypeFor[v1alpha1.ImageSpec]()) {
		object := stored.DeepCopy()
		set(reflect.ValueOf(&object.Spec).Elem().FieldByName(changed))
		if changed == "Template" {
			object.Spec.Template = &v1alpha1.BuildTemplate{ServiceAccountName: "builder", QueueName: "other"}
		}
		err := admit(t, &rights{}, object, stored, "")
		if checked := !slices.Contains(unchecked, changed); apierrors.IsForbidden(err) != checked {
			t.Errorf("a change of %s is checked: %v, want %v: %v", changed, !checked, checked, err)
		}
	}
}

func TestBuildsNeedNoPermissionsOnlyAsCopiesOfTheirImage(t *testing.T) {
	of := withFiles(image("mock", withSecrets("key")))
	of.Spec.Template.ServiceAccountName = "builder"
	of.Spec.Tests = []v1alpha1.ImageTest{{Name: "boots"}, {Name: "ours", Runner: &v1alpha1.TestRunner{Name: "mock"}}}
	copied := &v1alpha1.ImageBuild{Spec: v1alpha1.ImageBuildSpec{
		ImageRef: &v1alpha1.ImageReference{Name: "debian"}, Number: new(int64(2)), ImageGeneration: new(int64(3)), Trigger: &v1alpha1.BuildTrigger{Reason: v1alpha1.TriggerManual},
		Inputs: of.Spec.BuildInputs, Tests: of.Spec.Tests,
	}}
	refused := func(build *v1alpha1.ImageBuild) error {
		none := &rights{}
		err := admitIn(Copying(t.Context(), build, of), t, none, build, nil, "")
		if err != nil && !slices.Equal(none.asked, []string{"use serviceaccounts/builder", "get secrets/key"}) {
			t.Errorf("asked for %q", none.asked)
		}
		return err
	}
	if err := refused(copied.DeepCopy()); err != nil {
		t.Errorf("a copy: %v", err)
	}
	harmless := []string{"ImageRef", "Number", "ImageGeneration", "Trigger", "OneOff"}
	for _, changed := range append(fieldsOf(reflect.TypeFor[v1alpha1.ImageBuildSpec]()), fieldsOf(reflect.TypeFor[v1alpha1.BuildInputs]())...) {
		build, inputs := copied.DeepCopy(), &v1alpha1.BuildInputs{}
		switch at := reflect.ValueOf(&build.Spec).Elem().FieldByName(changed); {
		case at.IsValid():
			set(at)
		default:
			set(reflect.ValueOf(inputs).Elem().FieldByName(changed))
			build.Spec.Inputs = *inputs
			build.Spec.Inputs.Template = of.Spec.Template
		}
		if changed == "Inputs" {
			build.Spec.Inputs.Template = of.Spec.Template
		}
		if err, want := refused(build), !slices.Contains(harmless, changed); apierrors.IsForbidden(err) != want {
			t.Errorf("a build with another %s is checked: %v, want %v: %v", changed, !want, want, err)
		}
	}
	fewer, automatic, asked := copied.DeepCopy(), copied.DeepCopy(), copied.DeepCopy()
	fewer.Spec.Tests = fewer.Spec.Tests[1:]
	asked.Spec.Retests, automatic.Spec.Retests = &v1alpha1.TestedBuild{Name: "debian-1"}, &v1alpha1.TestedBuild{Name: "debian-1"}
	automatic.Spec.Trigger.Reason = v1alpha1.TriggerTestsChange
	for name, test := range map[string]struct {
		build *v1alpha1.ImageBuild
		free  bool
	}{"some of the tests": {fewer, false}, "tests of an earlier build": {asked, false}, "tests that a trigger asks for": {automatic, true}} {
		if err := refused(test.build); apierrors.IsForbidden(err) == test.free {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := admit(t, &rights{}, copied.DeepCopy(), nil, ""); !apierrors.IsForbidden(err) {
		t.Errorf("a build that nothing is known about: %v", err)
	}
	if err := admit(t, &rights{}, copied, copied, ""); err != nil {
		t.Errorf("a label of a build: %v", err)
	}
}

// fieldsOf returns the names of the fields of a struct, and of those that it embeds.
func fieldsOf(of reflect.Type) (names []string) {
	for _, field := range reflect.VisibleFields(of) {
		if !field.Anonymous {
			names = append(names, field.Name)
		}
	}
	return names
}

// set gives a field another value, so that a list has an element and a pointer is not nil.
func set(field reflect.Value) {
	switch field.Kind() {
	case reflect.Pointer:
		field.Set(reflect.New(field.Type().Elem()))
	case reflect.Slice:
		field.Set(reflect.Append(field, reflect.Zero(field.Type().Elem())))
	case reflect.Struct:
		set(field.Field(0))
	case reflect.String:
		field.SetString("changed")
	case reflect.Bool:
		field.SetBool(!field.Bool())
	default:
		field.SetInt(field.Int() + 1)
	}
}

func TestARefusalNamesEverythingThatIsMissing(t *testing.T) {
	template := withSecrets("key")
	template.ServiceAccountName = "builder"
	err := admit(t, &rights{}, build(template), nil, "")
	if err == nil {
		t.Fatal("it was allowed")
	}
	for _, part := range []string{
		`imagebuilds.images.goldsmith.dev "debian" is forbidden`,
		`spec.inputs.template.serviceAccountName: user "ada" may not use serviceaccounts "builder" in namespace "team"`,
		`resources ["serviceaccounts"], resourceNames ["builder"], verbs ["use"]`,
		`spec.inputs.template.env[2].valueFrom.secretKeyRef.name: user "ada" may not get secrets "key" in namespace "team"`,
		`resources ["secrets"], resourceNames ["key"], verbs ["get"]`,
	} {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("%q is not in: %v", part, err)
		}
	}
}

func TestAClusterThatDoesNotAnswerIsNoPermission(t *testing.T) {
	err := admit(t, &rights{err: errors.New("no answer")}, image("mock", withAccount("builder")), nil, "")
	if !apierrors.IsInternalError(err) || !strings.Contains(err.Error(), "no answer") {
		t.Errorf("got %v", err)
	}
}

func TestOtherGroupsAreNotLookedAt(t *testing.T) {
	made, err := New(nil)
	if err != nil {
		t.Fatal(err)
	}
	attributes := admission.NewAttributesRecord(image("mock", withAccount("builder")), nil, schema.GroupVersionKind{}, "team", "debian",
		schema.GroupVersionResource{Group: "example.com", Version: "v1", Resource: "images"}, "", admission.Create, nil, false, nil)
	if err := made.(admission.ValidationInterface).Validate(t.Context(), attributes, nil); err != nil {
		t.Error(err)
	}
}

func TestItDoesNotStartWithoutAnAuthorizer(t *testing.T) {
	made, err := New(nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := made.(admission.InitializationValidator).ValidateInitialization(); err == nil {
		t.Error("it does")
	}
}

func TestUsersNeedNoPermissionForWhatAKindGrants(t *testing.T) {
	granted := withGit(withOutput(image("mock", withAccount("builder"))), "git").Spec.BuildInputs
	made, err := New(nil)
	if err != nil {
		t.Fatal(err)
	}
	none := &rights{}
	made.(initializer.WantsUnconditionalAuthorizer).SetUnconditionalAuthorizer(none)
	for name, test := range map[string]struct {
		object *v1alpha1.Image
		asked  []string
	}{
		"the account of the kind":               {object: image("mock", withAccount("builder"))},
		"another account":                       {object: image("mock", withAccount("root")), asked: []string{"use serviceaccounts/root"}},
		"files of the user":                     {object: withFiles(image("mock", withAccount("builder"))), asked: []string{"get configmaps/files"}},
		"the Secrets of the kind":               {object: withGit(withOutput(image("mock", nil)), "git")},
		"another Secret":                        {object: withGit(image("mock", nil), "other"), asked: []string{"get secrets/other"}},
		"a Secret of the kind for another part": {object: withGit(withOutput(image("mock", nil)), "key"), asked: []string{"get secrets/key"}},
		"a Secret of the kind for a registry":   {object: withOCI(image("mock", nil), "git"), asked: []string{"get secrets/git"}},
	} {
		none.asked = nil
		attributes := admission.NewAttributesRecord(test.object, nil, v1alpha1.Kind("Image"), "team", "debian",
			v1alpha1.SchemeGroupVersion.WithResource("images"), "", admission.Create, &metav1.CreateOptions{}, false, &user.DefaultInfo{Name: "ada"})
		err := made.(admission.ValidationInterface).Validate(Granting(t.Context(), &granted), attributes, nil)
		if !slices.Equal(none.asked, test.asked) || apierrors.IsForbidden(err) != (test.asked != nil) {
			t.Errorf("%s: asked for %q: %v", name, none.asked, err)
		}
	}
}

func TestTheAuthorOfAKindNeedsWhatItsTemplateGivesInAllNamespaces(t *testing.T) {
	declared := &v1alpha1.ImageKind{Spec: v1alpha1.ImageKindSpec{Template: runtime.RawExtension{Raw: []byte(`{"template": {"serviceAccountName": "builder"}}`)}}}
	made, err := New(nil)
	if err != nil {
		t.Fatal(err)
	}
	var asked []string
	made.(initializer.WantsUnconditionalAuthorizer).SetUnconditionalAuthorizer(authorizer.AuthorizerFunc(
		func(_ context.Context, attributes authorizer.Attributes) (authorizer.Decision, string, error) {
			asked = append(asked, fmt.Sprintf("%s %s/%s in %q", attributes.GetVerb(), attributes.GetResource(), attributes.GetName(), attributes.GetNamespace()))
			return authorizer.DecisionNoOpinion, "", nil
		}))
	validate := func(old runtime.Object, operation admission.Operation) error {
		asked = nil
		attributes := admission.NewAttributesRecord(declared, old, v1alpha1.Kind("ImageKind"), "", "debianservers",
			v1alpha1.SchemeGroupVersion.WithResource("imagekinds"), "", operation, nil, false, &user.DefaultInfo{Name: "ada"})
		return made.(admission.ValidationInterface).Validate(t.Context(), attributes, nil)
	}
	err = validate(nil, admission.Create)
	if want := []string{`use serviceaccounts/builder in ""`}; !slices.Equal(asked, want) || !apierrors.IsForbidden(err) {
		t.Errorf("asked for %q: %v", asked, err)
	}
	const message = `spec.template.template.serviceAccountName: user "ada" may not use serviceaccounts "builder" in all namespaces; an administrator can grant it with a cluster role`
	if err == nil || !strings.Contains(err.Error(), message) {
		t.Errorf("the error is %v", err)
	}
	relabelled := declared.DeepCopy()
	relabelled.Labels = map[string]string{"team": "red"}
	if err := validate(relabelled, admission.Update); err != nil {
		t.Errorf("a change of labels: %v", err)
	}
}
