// SPDX-License-Identifier: Apache-2.0

package up

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
)

// contextName is the name of the only cluster, user and context in our kubeconfigs.
const contextName = "goldsmith"

func newKubeconfig(server, token string, authority []byte) *clientcmdapi.Config {
	config := clientcmdapi.NewConfig()
	config.Clusters[contextName] = &clientcmdapi.Cluster{Server: server, CertificateAuthorityData: authority, DisableCompression: true}
	config.AuthInfos[contextName] = &clientcmdapi.AuthInfo{Token: token}
	config.Contexts[contextName] = &clientcmdapi.Context{Cluster: contextName, AuthInfo: contextName, Namespace: "default"}
	config.CurrentContext = contextName
	return config
}

// checkKubeconfig refuses to overwrite a file unless it is empty or has only entries that Goldsmith wrote. Their address,
// token and namespace may differ.
func checkKubeconfig(path string) error {
	if info, err := os.Stat(path); err == nil && !info.Mode().IsRegular() {
		return fmt.Errorf("%s exists and is not a file: set --kubeconfig to another file", path)
	}
	content, err := os.ReadFile(path)
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

// writeKubeconfig replaces the file as a whole: a reader sees either the old or the new content.
func writeKubeconfig(path string, config *clientcmdapi.Config) error {
	content, err := clientcmd.Write(*config)
	if err != nil {
		return fmt.Errorf("encode the kubeconfig: %w", err)
	}
	if err := writeFile(path, content); err != nil {
		return fmt.Errorf("write the kubeconfig: %w", err)
	}
	return nil
}

// writeFile replaces a file as a whole, even if the machine stops meanwhile. Only the owner can read the file.
func writeFile(path string, content []byte) (err error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	file, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+"-") // mode 0600
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.Remove(file.Name()))
		}
	}()
	_, err = file.Write(content)
	if err = errors.Join(err, file.Sync(), file.Close()); err != nil {
		return err
	}
	return os.Rename(file.Name(), path)
}
