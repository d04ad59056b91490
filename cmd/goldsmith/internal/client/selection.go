// SPDX-License-Identifier: Apache-2.0

package client

import (
	"fmt"
	"strings"

	"github.com/spf13/pflag"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
)

// Selection selects objects of a list with the flags of kubectl.
type Selection struct {
	AllNamespaces bool
	Labels        string
	Fields        string
}

// AddTo adds the flags to a verb that lists builds.
func (s *Selection) AddTo(flags *pflag.FlagSet) {
	flags.BoolVarP(&s.AllNamespaces, "all-namespaces", "A", s.AllNamespaces, "builds of all namespaces")
	flags.StringVarP(&s.Labels, "selector", "l", s.Labels, "label selector of the builds, such as key1=value1,key2!=value2")
	flags.StringVar(&s.Fields, "field-selector", s.Fields, "field selector of the builds, such as metadata.name=NAME")
}

// Namespace returns the namespace of the list: the connection's namespace, or all namespaces.
func (s *Selection) Namespace(connection *Connection) string {
	if s.AllNamespaces {
		return metav1.NamespaceAll
	}
	return connection.Namespace
}

// Options returns the options of the list, for objects that the given selector selects as well.
func (s *Selection) Options(and fields.Selector) (metav1.ListOptions, error) {
	selector, err := fields.ParseSelector(s.Fields)
	if err != nil {
		return metav1.ListOptions{}, fmt.Errorf("--field-selector must have a form such as metadata.name=NAME: %w", err)
	}
	var terms []string
	for _, each := range []fields.Selector{and, selector} {
		if !each.Empty() {
			terms = append(terms, each.String())
		}
	}
	return metav1.ListOptions{LabelSelector: s.Labels, FieldSelector: strings.Join(terms, ",")}, nil
}
