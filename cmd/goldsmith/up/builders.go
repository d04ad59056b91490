// SPDX-License-Identifier: Apache-2.0

package up

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/validation"

	"goldsmith.dev/goldsmith/apiserver/corekinds"
	registered "goldsmith.dev/goldsmith/cmd/internal/builders"
)

// mockName is the name of the builder that is always registered.
const mockName = "mock"

// parseBuilders reads name=/path pairs, and checks that each path can be run.
func parseBuilders(pairs []string) (map[string]string, error) {
	builders := map[string]string{}
	for _, pair := range pairs {
		name, path, ok := strings.Cut(pair, "=")
		if !ok {
			return nil, fmt.Errorf("--builder %q: must be name=/absolute/path", pair)
		}
		if problems := validation.IsDNS1123Label(name); len(problems) > 0 {
			return nil, fmt.Errorf("--builder %q: name %q: %s", pair, name, strings.Join(problems, "; "))
		}
		if name == mockName {
			return nil, fmt.Errorf("--builder %q: name %s is built in: choose another name", pair, mockName)
		}
		if _, twice := builders[name]; twice {
			return nil, fmt.Errorf("--builder %q: name %s is set twice: choose another name", pair, name)
		}
		if err := checkExecutable(path); err != nil {
			return nil, fmt.Errorf("--builder %q: %w", pair, err)
		}
		builders[name] = path
	}
	return builders, nil
}

func checkExecutable(path string) error {
	if !filepath.IsAbs(path) {
		return fmt.Errorf("path %q must be absolute", path)
	}
	info, err := os.Stat(path)
	if err != nil {
		return err
	}
	if !info.Mode().IsRegular() || info.Mode().Perm()&0o111 == 0 {
		return fmt.Errorf("%s is not an executable file", path)
	}
	return nil
}

// buildersConfigMap returns the list of registered builders for clients, under the name that it has in a cluster. It checks each
// executable again, because the file may have changed since the start.
func (s *system) buildersConfigMap() corekinds.ComputedConfigMap {
	return corekinds.ComputedConfigMap{
		NamespacedName: types.NamespacedName{Namespace: registered.Namespace, Name: registered.ConfigMap},
		Make: func() *corev1.ConfigMap {
			local := s.localBuilders()
			made := &corev1.ConfigMap{Data: map[string]string{}}
			metav1.SetMetaDataAnnotation(&made.ObjectMeta, registered.AnnotationReporting, strings.Join(slices.Sorted(maps.Keys(local)), ","))
			for name, builder := range local {
				made.Data[name] = strings.Join(append([]string{builder.Path}, builder.Args...), " ")
				if err := checkExecutable(builder.Path); err != nil {
					metav1.SetMetaDataAnnotation(&made.ObjectMeta, registered.AnnotationProblem+name, err.Error())
				}
			}
			return made
		},
	}
}
