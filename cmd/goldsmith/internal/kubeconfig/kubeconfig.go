// SPDX-License-Identifier: Apache-2.0

// Package kubeconfig writes the kubeconfigs of the users of a data directory. It must never change one that it has not written.
package kubeconfig

import (
	"errors"
	"fmt"
	"io/fs"
	"os"

	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"

	"goldsmith.dev/goldsmith/cmd/goldsmith/internal/datadir"
)

// contextName is the name of the only cluster, user and context in our kubeconfigs.
const contextName = "goldsmith"

// New returns a kubeconfig with a single context, for a server at a URL whose certificate an authority signs.
func New(server, token string, authority []byte) *clientcmdapi.Config {
	config := clientcmdapi.NewConfig()
	config.Clusters[contextName] = &clientcmdapi.Cluster{Server: server, CertificateAuthorityData: authority, DisableCompression: true}
	config.AuthInfos[contextName] = &clientcmdapi.AuthInfo{Token: token}
	config.Contexts[contextName] = &clientcmdapi.Context{Cluster: contextName, AuthInfo: contextName, Namespace: "default"}
	config.CurrentContext = contextName
	return config
}

// Check refuses to overwrite a file unless it is empty or has only entries that Goldsmith wrote. Their address,
// token and namespace may differ.
func Check(path string) error {
	if info, err := os.Stat(path); err == nil && !info.Mode().IsRegular() {
		return fmt.Errorf("%s exists and is not a file: set --kubeconfig to another file", path)
	}
	content, err := datadir.ReadFile(path, 0)
	if errors.Is(err, fs.ErrNotExist) || err == nil && len(content) == 0 {
		return nil
	}
	if err != nil {
		return fmt.Errorf("read existing kubeconfig %s: %w: set --kubeconfig to another file", path, err)
	}
	existing, err := clientcmd.Load(content)
	if err != nil {
		return fmt.Errorf("%s exists and is not a kubeconfig: %w: delete the file, or set --kubeconfig to another file", path, err)
	}
	if !onlyOurs(existing.Clusters) || !onlyOurs(existing.AuthInfos) || !onlyOurs(existing.Contexts) {
		return fmt.Errorf("%s exists and has entries that Goldsmith did not write: set --kubeconfig to another file", path)
	}
	return nil
}

func onlyOurs[T any](entries map[string]T) bool {
	_, found := entries[contextName]
	return found && len(entries) == 1
}

// Write replaces the file as a whole: a reader sees either the old or the new content.
func Write(path string, config *clientcmdapi.Config) error {
	content, err := clientcmd.Write(*config)
	if err != nil {
		return fmt.Errorf("encode the kubeconfig: %w", err)
	}
	if err := datadir.WriteFile(path, content); err != nil {
		return fmt.Errorf("write the kubeconfig: %w", err)
	}
	return nil
}
