// SPDX-License-Identifier: Apache-2.0

package main

import (
	"encoding/json"
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"

	"k8s.io/kube-openapi/pkg/validation/spec"
)

// The parts of an OpenAPI v3 document that the page shows.
type (
	openAPI struct {
		Paths map[string]map[string]json.RawMessage `json:"paths"`
	}
	operation struct {
		Action      string                `json:"x-kubernetes-action"`
		Parameters  []parameter           `json:"parameters"`
		RequestBody body                  `json:"requestBody"`
		Responses   map[string]body       `json:"responses"`
		Kind        struct{ Kind string } `json:"x-kubernetes-group-version-kind"`
	}
	parameter struct {
		Name string `json:"name"`
		In   string `json:"in"`
	}
	body struct {
		Content map[string]struct {
			Schema struct {
				Ref  string `json:"$ref"`
				Type string `json:"type"`
			} `json:"schema"`
		} `json:"content"`
	}
)

// resource is a resource or a subresource, and what can be done with it.
type resource struct {
	name       string // with the subresource: images/plan
	verbs      []string
	kind       string   // of its objects; empty for a subresource
	request    string   // the kind of a request to a subresource
	answers    []string // the kinds of a subresource's answers, or a type of JSON
	parameters string   // the type of a subresource's query parameters
}

// verbs are the Kubernetes verbs, in the order of the page, by the actions of an OpenAPI document. What the API connects, it answers to a
// GET.
var verbs = []struct{ action, verb string }{
	{"get", "get"}, {"connect", "get"}, {"list", "list"}, {"watch", "watch"}, {"watchlist", "watch"}, {"post", "create"}, {"put", "update"},
	{"patch", "patch"}, {"delete", "delete"}, {"deletecollection", "deletecollection"},
}

// commonParameters are the query parameters of any request. They are explained by Kubernetes.
var commonParameters = []string{"pretty", "dryRun", "fieldManager", "fieldValidation", "force"}

const inNamespace = "/namespaces/{namespace}/"

// resources reads what is served in namespaces, which is everything, and finds the type of each subresource's query parameters.
func resources(document []byte, types map[string]spec.Schema) ([]resource, error) {
	var read openAPI
	if err := json.Unmarshal(document, &read); err != nil {
		return nil, err
	}
	found := map[string]*resource{}
	for url, item := range read.Paths {
		_, inside, namespaced := strings.Cut(url, inNamespace)
		if !namespaced {
			continue
		}
		name := strings.TrimSuffix(strings.Replace(inside, "/{name}", "", 1), "/{path}")
		if found[name] == nil {
			found[name] = &resource{name: name}
		}
		if err := found[name].add(item, types); err != nil {
			return nil, fmt.Errorf("%s: %w", url, err)
		}
	}
	var sorted []resource
	for _, name := range slices.Sorted(maps.Keys(found)) {
		sorted = append(sorted, *found[name])
	}
	if len(sorted) == 0 {
		return nil, fmt.Errorf("no path has %s", inNamespace)
	}
	return sorted, nil
}

// add adds what can be done at one path.
func (r *resource) add(item map[string]json.RawMessage, types map[string]spec.Schema) error {
	var shared []parameter
	if raw, ok := item["parameters"]; ok {
		if err := json.Unmarshal(raw, &shared); err != nil {
			return fmt.Errorf("parameters: %w", err)
		}
	}
	for method, raw := range item {
		if method == "parameters" {
			continue
		}
		var op operation
		if err := json.Unmarshal(raw, &op); err != nil {
			return fmt.Errorf("%s: %w", method, err)
		}
		for _, known := range verbs {
			if known.action == op.Action && !slices.Contains(r.verbs, known.verb) {
				r.verbs = append(r.verbs, known.verb)
			}
		}
		if !strings.Contains(r.name, "/") {
			r.kind = op.Kind.Kind
			continue
		}
		if method == "post" || method == "put" {
			r.request = op.RequestBody.kind()
		}
		if answer := op.Responses["200"].kind(); !slices.Contains(r.answers, answer) {
			r.answers = append(r.answers, answer)
			slices.Sort(r.answers)
		}
		if method != "get" {
			continue
		}
		var err error
		if r.parameters, err = parametersType(slices.Concat(shared, op.Parameters), types); err != nil {
			return err
		}
	}
	return nil
}

// kind is the kind that a body holds, or its type of JSON.
func (b body) kind() string {
	for _, content := range b.Content {
		if content.Schema.Ref != "" {
			return strings.TrimPrefix(path.Ext(content.Schema.Ref), ".")
		}
		return content.Schema.Type
	}
	return ""
}

// parametersType finds the smallest type that has these query parameters as fields, for a document leaves out those that
// are times. It is empty if there are only common ones.
func parametersType(parameters []parameter, types map[string]spec.Schema) (string, error) {
	var names []string
	for _, p := range parameters {
		if p.In != "path" && !slices.Contains(commonParameters, p.Name) {
			names = append(names, p.Name)
		}
	}
	if len(names) == 0 {
		return "", nil
	}
	smallest := ""
	for _, name := range slices.Sorted(maps.Keys(types)) {
		has := fields(types[name])
		missing := slices.ContainsFunc(names, func(parameter string) bool { return !slices.Contains(has, parameter) })
		if isOptions(name) && !missing && (smallest == "" || len(has) < len(fields(types[smallest]))) {
			smallest = name
		}
	}
	if smallest == "" {
		return "", fmt.Errorf("no type has the fields %s", strings.Join(names, ", "))
	}
	return smallest, nil
}
