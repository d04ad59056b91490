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

	lua "github.com/yuin/gopher-lua"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	luajson "layeh.com/gopher-json"
	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/kyaml/filesys"
	"sigs.k8s.io/yaml"
)

// limit is how long a script may run.
const limit = time.Second

// Settings are the data of Argo CD's ConfigMap.
type Settings map[string]string

// Read builds a folder with kustomize, and returns the data of its only object, the ConfigMap argocd-cm.
func Read(folder string) (Settings, error) {
	built, err := krusty.MakeKustomizer(krusty.MakeDefaultOptions()).Run(filesys.MakeFsOnDisk(), folder)
	if err != nil {
		return nil, fmt.Errorf("build %s: %w", folder, err)
	}
	if built.Size() != 1 {
		return nil, fmt.Errorf("build %s: want one object, not %d", folder, built.Size())
	}
	object := built.Resources()[0]
	if object.GetKind() != "ConfigMap" || object.GetName() != "argocd-cm" || object.GetLabels()["app.kubernetes.io/part-of"] != "argocd" {
		return nil, fmt.Errorf("build %s: Argo CD does not read %s with labels %v", folder, object.CurId(), object.GetLabels())
	}
	return object.GetDataMap(), nil
}

// Health is the health of an object.
type Health struct {
	Status  string `json:"status"`
	Message string `json:"message"`
}

// Health runs the health script of the object's kind.
func (s Settings) Health(ctx context.Context, object *unstructured.Unstructured) (Health, error) {
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
