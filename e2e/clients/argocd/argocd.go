// SPDX-License-Identifier: Apache-2.0

// Package argocd runs the Lua scripts of kustomize/gitops/argocd as Argo CD 3.6 does: from its ConfigMap, and with the few libraries
// that Argo CD opens for them.
package argocd

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	jsonpatch "github.com/evanphx/json-patch/v5"
	lua "github.com/yuin/gopher-lua"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/dynamic"
	luajson "layeh.com/gopher-json"
	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/kyaml/filesys"
	"sigs.k8s.io/yaml"
)

// limit is how long a script may run.
const limit = time.Second

// Settings are the data of Argo CD's ConfigMap.
type Settings map[string]string

// Read builds a folder with kustomize, and returns the data of its ConfigMap argocd-cm.
func Read(folder string) (Settings, error) {
	built, err := krusty.MakeKustomizer(krusty.MakeDefaultOptions()).Run(filesys.MakeFsOnDisk(), folder)
	if err != nil {
		return nil, fmt.Errorf("build %s: %w", folder, err)
	}
	for _, object := range built.Resources() {
		if object.GetKind() == "ConfigMap" && object.GetName() == "argocd-cm" {
			return object.GetDataMap(), nil
		}
	}
	return nil, fmt.Errorf("build %s: it has no ConfigMap argocd-cm", folder)
}

// Health is the health of an object.
type Health struct {
	Status  string `json:"status"`
	Message string `json:"message"`
}

// Health runs the health script of the object's kind, unless the object is being deleted.
func (s Settings) Health(ctx context.Context, object *unstructured.Unstructured) (Health, error) {
	if object.GetDeletionTimestamp() != nil { // Argo CD does not ask the script
		return Health{Status: "Progressing", Message: "Pending deletion"}, nil
	}
	script, err := s.of("health", object)
	if err != nil {
		return Health{}, err
	}
	var health Health
	if err := run(ctx, script, object, &health); err != nil {
		return Health{}, fmt.Errorf("health of %s %s: %w", object.GetKind(), object.GetName(), err)
	}
	return health, nil
}

// of returns a setting for the object's kind.
func (s Settings) of(setting string, object *unstructured.Unstructured) (string, error) {
	kind := object.GroupVersionKind()
	key := fmt.Sprintf("resource.customizations.%s.%s_%s", setting, kind.Group, kind.Kind)
	value, ok := s[key]
	if !ok {
		return "", fmt.Errorf("argocd-cm has no %s", key)
	}
	return value, nil
}

// Action is an action that Argo CD offers on an object.
type Action struct {
	Disabled    bool   `json:"disabled"`
	DisplayName string `json:"displayName"`
	IconClass   string `json:"iconClass"`
}

// actions is the setting with the actions of a kind.
type actions struct {
	Discovery   string `json:"discovery.lua"`
	Definitions []struct {
		Name   string `json:"name"`
		Script string `json:"action.lua"`
	} `json:"definitions"`
}

func (s Settings) actions(object *unstructured.Unstructured) (actions, error) {
	var parsed actions
	text, err := s.of("actions", object)
	if err != nil {
		return parsed, err
	}
	return parsed, yaml.UnmarshalStrict([]byte(text), &parsed)
}

// Actions are the actions that Argo CD offers on an object, by their names.
func (s Settings) Actions(ctx context.Context, object *unstructured.Unstructured) (map[string]Action, error) {
	actions, err := s.actions(object)
	if err != nil {
		return nil, err
	}
	var returned json.RawMessage
	if err := run(ctx, actions.Discovery, object, &returned); err != nil {
		return nil, fmt.Errorf("actions of %s %s: %w", object.GetKind(), object.GetName(), err)
	}
	found := map[string]Action{}
	if string(returned) == "[]" { // an empty table
		return found, nil
	}
	return found, json.Unmarshal(returned, &found)
}

// Run runs an action on an object as Argo CD does: it creates and patches what the action's script returns.
func (s Settings) Run(ctx context.Context, client dynamic.Interface, mapper meta.RESTMapper, object *unstructured.Unstructured, action string) error {
	actions, err := s.actions(object)
	if err != nil {
		return err
	}
	for _, definition := range actions.Definitions {
		if definition.Name != action {
			continue
		}
		var returned json.RawMessage
		if err := run(ctx, definition.Script, object, &returned); err != nil {
			return fmt.Errorf("%s %s %s: %w", action, object.GetKind(), object.GetName(), err)
		}
		if returned[0] != '[' {
			return patch(ctx, client, mapper, object, returned)
		}
		return create(ctx, client, mapper, returned)
	}
	return fmt.Errorf("%s has no action %s", object.GetKind(), action)
}

// create creates the objects of an action's script, each first as a dry run.
func create(ctx context.Context, client dynamic.Interface, mapper meta.RESTMapper, returned []byte) error {
	var impacted []struct {
		Operation string                     `json:"operation"`
		Resource  *unstructured.Unstructured `json:"resource"`
	}
	if err := json.Unmarshal(returned, &impacted); err != nil {
		return err
	}
	for _, options := range []metav1.CreateOptions{{DryRun: []string{metav1.DryRunAll}}, {}} {
		for _, each := range impacted {
			if each.Operation != "create" {
				return fmt.Errorf("no action of Goldsmith has the operation %s", each.Operation)
			}
			resource, err := resourceOf(client, mapper, each.Resource)
			if err != nil {
				return err
			}
			if _, err := resource.Create(ctx, each.Resource, options); err != nil {
				return err
			}
		}
	}
	return nil
}

// patch patches the object with its difference from what an action's script returned. Lua has no empty maps: an empty table is an
// empty list, and stays the map that it was.
func patch(ctx context.Context, client dynamic.Interface, mapper meta.RESTMapper, object *unstructured.Unstructured, returned []byte) error {
	changed := map[string]any{}
	if err := json.Unmarshal(returned, &changed); err != nil {
		return err
	}
	keepEmptyMaps(changed, object.Object)
	before, err := json.Marshal(object)
	if err != nil {
		return err
	}
	after, err := json.Marshal(changed)
	if err != nil {
		return err
	}
	difference, err := jsonpatch.CreateMergePatch(before, after)
	if err != nil {
		return err
	}
	resource, err := resourceOf(client, mapper, object)
	if err != nil {
		return err
	}
	_, err = resource.Patch(ctx, object.GetName(), types.MergePatchType, difference, metav1.PatchOptions{})
	return err
}

func keepEmptyMaps(changed, stored any) {
	switch changed := changed.(type) {
	case map[string]any:
		stored, _ := stored.(map[string]any)
		for key, value := range changed {
			list, isList := value.([]any)
			if _, wasMap := stored[key].(map[string]any); isList && len(list) == 0 && wasMap {
				changed[key] = map[string]any{}
				continue
			}
			keepEmptyMaps(value, stored[key])
		}
	case []any:
		stored, _ := stored.([]any)
		for i := range min(len(changed), len(stored)) {
			keepEmptyMaps(changed[i], stored[i])
		}
	}
}

func resourceOf(client dynamic.Interface, mapper meta.RESTMapper, object *unstructured.Unstructured) (dynamic.ResourceInterface, error) {
	kind := object.GroupVersionKind()
	mapping, err := mapper.RESTMapping(kind.GroupKind(), kind.Version)
	if err != nil {
		return nil, err
	}
	return client.Resource(mapping.Resource).Namespace(object.GetNamespace()), nil
}

// run runs a script, and decodes the table that it returns.
func run(ctx context.Context, script string, object *unstructured.Unstructured, into any) error {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	state := lua.NewState(lua.Options{SkipOpenLibs: true})
	defer state.Close()
	state.SetContext(ctx)
	for name, open := range map[string]lua.LGFunction{
		lua.LoadLibName: lua.OpenPackage, lua.BaseLibName: lua.OpenBase, lua.TabLibName: lua.OpenTable,
	} {
		if err := state.CallByParam(lua.P{Fn: state.NewFunction(open), Protect: true}, lua.LString(name)); err != nil {
			return fmt.Errorf("open the library %s: %w", name, err)
		}
	}
	state.SetGlobal("actionParams", state.NewTable()) // no action of Goldsmith has parameters
	state.SetGlobal("obj", decoded(state, object.Object))
	if err := state.DoString(script); err != nil {
		return err
	}
	returned := state.Get(-1)
	if returned.Type() != lua.LTTable {
		return errors.New("the script returned a " + returned.Type().String() + ", not a table")
	}
	text, err := luajson.Encode(returned)
	if err != nil {
		return err
	}
	return json.Unmarshal(text, into)
}

// decoded is a value as scripts see it. An absent field is nil.
func decoded(state *lua.LState, value any) lua.LValue {
	switch value := value.(type) {
	case bool:
		return lua.LBool(value)
	case string:
		return lua.LString(value)
	case int64:
		return lua.LNumber(value)
	case float64:
		return lua.LNumber(value)
	case []any:
		list := state.CreateTable(len(value), 0)
		for _, item := range value {
			list.Append(decoded(state, item))
		}
		return list
	case map[string]any:
		table := state.CreateTable(0, len(value))
		for key, item := range value {
			table.RawSetString(key, decoded(state, item))
		}
		return table
	}
	return lua.LNil
}

// Parse reads an object from YAML, with numbers as an API client decodes them.
func Parse(text []byte) (*unstructured.Unstructured, error) {
	converted, err := yaml.YAMLToJSON(text)
	if err != nil {
		return nil, err
	}
	object := &unstructured.Unstructured{}
	return object, object.UnmarshalJSON(converted)
}
