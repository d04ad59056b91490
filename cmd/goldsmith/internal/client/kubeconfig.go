// SPDX-License-Identifier: Apache-2.0

package client

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"

	"goldsmith.dev/goldsmith/cmd/internal/ownfile"
)

// CheckKubeconfig returns an error if no kubeconfig exists where a verb takes it from, or if one cannot be read: the file of --kubeconfig, one of
// those that $KUBECONFIG lists, or that of the working directory. The first of these that is not empty counts.
func CheckKubeconfig(flag, environment string) error {
	files := []string{DefaultKubeconfig}
	switch {
	case flag != "" && !exists(flag):
		return fmt.Errorf("kubeconfig %s does not exist: correct --kubeconfig%s", flag,
			onLinux(", or start a server with `goldsmith up`, which prints the path of its kubeconfig"))
	case flag != "":
		files = []string{flag}
	case environment != "" && !slices.ContainsFunc(filepath.SplitList(environment), exists):
		return fmt.Errorf("kubeconfig %s of $%s does not exist: correct the variable, or set --kubeconfig",
			environment, clientcmd.RecommendedConfigPathEnvVar)
	case environment != "":
		files = filepath.SplitList(environment)
	case !exists(DefaultKubeconfig):
		return ErrNoKubeconfig
	}
	for _, file := range files {
		if _, err := clientcmd.LoadFromFile(file); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return unreadable(file, err)
		}
	}
	return nil
}

// exists also reports true for a file that cannot be examined: loading that file returns the cause.
func exists(file string) bool {
	_, err := os.Stat(file)
	return !errors.Is(err, fs.ErrNotExist)
}

// nameOf returns the files that rules load, for people.
func nameOf(rules *clientcmd.ClientConfigLoadingRules) string {
	if rules.ExplicitPath != "" {
		return rules.ExplicitPath
	}
	return strings.Join(slices.DeleteFunc(slices.Clone(rules.Precedence), func(file string) bool { return !exists(file) }), string(filepath.ListSeparator))
}

// load reads a kubeconfig that has the context, or a current one if that is empty.
func load(rules *clientcmd.ClientConfigLoadingRules, context string) (*clientcmdapi.Config, error) {
	loaded, err := rules.Load()
	if err != nil {
		return nil, notLoaded(rules, err)
	}
	if context == "" {
		context = loaded.CurrentContext
	}
	names := strings.Join(slices.Sorted(maps.Keys(loaded.Contexts)), ", ")
	_, found := loaded.Contexts[context]
	switch {
	case names == "":
		return nil, fmt.Errorf("kubeconfig %s has no context: set --kubeconfig to the path that `goldsmith up` prints", nameOf(rules))
	case context == "":
		return nil, fmt.Errorf("kubeconfig %s has no current-context: set --context to one of: %s", nameOf(rules), names)
	case !found:
		return nil, fmt.Errorf("kubeconfig %s has no context %s: set --context to one of: %s", nameOf(rules), context, names)
	}
	return loaded, nil
}

// Contexts returns the names of the contexts that the kubeconfig of the flags has, sorted.
func (f *Flags) Contexts() ([]string, error) {
	rules, err := f.loadingRules(IsPlugin(os.Args[0]), os.Getenv(clientcmd.RecommendedConfigPathEnvVar))
	if err != nil {
		return nil, err
	}
	loaded, err := rules.Load()
	if err != nil {
		return nil, notLoaded(rules, err)
	}
	return slices.Sorted(maps.Keys(loaded.Contexts)), nil
}

// notLoaded names the file that cannot be loaded, and the cause without the words that clientcmd puts around it.
func notLoaded(rules *clientcmd.ClientConfigLoadingRules, err error) error {
	for _, file := range rules.GetLoadingPrecedence() {
		if _, cause := clientcmd.LoadFromFile(file); cause != nil && !errors.Is(cause, fs.ErrNotExist) {
			return unreadable(file, cause)
		}
	}
	return fmt.Errorf("read kubeconfig %s: %w", nameOf(rules), err)
}

// syntaxError is how the errors of YAML begin that name a line.
const syntaxError = "yaml: line "

// unreadable returns the error for a file that clientcmd cannot load.
func unreadable(file string, cause error) error {
	info, err := os.Stat(file)
	switch {
	case errors.Is(cause, fs.ErrPermission):
		whose := ""
		if owner := ownfile.Owner(file); owner != "" {
			whose = ", which belongs to user " + owner
		}
		return fmt.Errorf("no permission to read kubeconfig %s%s: ask the user of the server for a kubeconfig of your own, which `goldsmith user add NAME` writes", file, whose)
	case err == nil && info.IsDir():
		return fmt.Errorf("kubeconfig %s is a directory: set --kubeconfig to a file, such as the path that `goldsmith up` prints", file)
	case strings.HasPrefix(cause.Error(), syntaxError):
		return fmt.Errorf("read kubeconfig %s: %w: correct the file, or set --kubeconfig to the path that `goldsmith up` prints", file, cause)
	case err != nil || !info.Mode().IsRegular():
		return fmt.Errorf("read kubeconfig %s: %w: set --kubeconfig to the path that `goldsmith up` prints", file, cause)
	}
	return fmt.Errorf("%s is not a kubeconfig, which has kind: Config and apiVersion: v1: set --kubeconfig to the path that `goldsmith up` prints", file)
}
