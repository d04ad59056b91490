// SPDX-License-Identifier: Apache-2.0

package cluster

import (
	"context"
	"fmt"

	"goldsmith.dev/goldsmith/e2e/kind"
)

// archiveServer serves the log archive. It is alone in its namespace.
var archiveServer = workload{namespace: "s3", object: "deployment/s3", pods: "--all"}

// LogArchive is the bucket of the log archive. Its server, in the cluster, is not part of an installation.
type LogArchive kind.S3

// addTo adds the components of an archive to a kustomization, with their settings and the Secret of its user.
func (a *LogArchive) addTo(k *kustomization) {
	if a == nil {
		return
	}
	k.components = append(k.components, "archive-s3", "archive-s3-ca")
	k.configMaps = append(k.configMaps, fmt.Sprintf("{name: goldsmith-log-archive, namespace: %s, literals: [%q], files: [ca.crt]}", Namespace, "url="+a.URL))
	k.secrets = append(k.secrets, fmt.Sprintf("{name: goldsmith-log-archive, namespace: %s, envs: [log-archive.env]}", Namespace))
	k.files["ca.crt"] = a.Authority
	k.files["log-archive.env"] = fmt.Sprintf("AWS_ACCESS_KEY_ID=%s\nAWS_SECRET_ACCESS_KEY=%s\n", a.AccessKeyID, a.SecretAccessKey)
}

// StopArchive stops the server of the log archive, and returns when it has ended. The logs that it has stay. It may be called again.
func (e Environment) StopArchive(ctx context.Context) error { return e.stop(ctx, archiveServer) }

// StartArchive starts the server again, and returns when it serves. It may be called again.
func (e Environment) StartArchive(ctx context.Context) error { return e.start(ctx, archiveServer) }
