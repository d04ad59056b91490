// SPDX-License-Identifier: Apache-2.0

package client

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
)

// openAPIPath is the path of the OpenAPI document of the API. Every authenticated user of a cluster can read it, and kube-apiserver passes it
// on as goldsmith-apiserver writes it. /version is that of kube-apiserver.
const openAPIPath = "/openapi/v3/apis/images.goldsmith.dev/v1alpha1"

// ServerVersion returns the version of the Goldsmith server, also of one behind kube-apiserver.
func (c *Connection) ServerVersion(ctx context.Context) (version string, err error) {
	document, err := c.Discovery().RESTClient().Get().AbsPath(openAPIPath).SetHeader("Accept", "application/json").Stream(ctx)
	if apierrors.IsNotFound(err) {
		return "", fmt.Errorf("the server at %s does not serve %s: choose another server with --kubeconfig or --context", c.Config.Host, v1alpha1.GroupName)
	}
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, document.Close()) }()
	if version, err = versionOf(document); err != nil {
		return "", fmt.Errorf("read the version of the server at %s: %w", c.Config.Host, err)
	}
	return version, nil
}

// versionOf reads an OpenAPI document up to its version, which is near its beginning.
func versionOf(document io.Reader) (string, error) {
	decoder := json.NewDecoder(document)
	if _, err := decoder.Token(); err != nil { // the brace
		return "", err
	}
	for decoder.More() {
		key, err := decoder.Token()
		if err != nil {
			return "", err
		}
		if key != "info" {
			var skipped json.RawMessage
			if err := decoder.Decode(&skipped); err != nil {
				return "", err
			}
			continue
		}
		var info struct {
			Version string `json:"version"`
		}
		if err := decoder.Decode(&info); err != nil {
			return "", err
		}
		if info.Version != "" {
			return info.Version, nil
		}
		break
	}
	return "", errors.New("its OpenAPI document has no version")
}
