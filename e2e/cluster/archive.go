// SPDX-License-Identifier: Apache-2.0

package cluster

import (
	"context"
	"fmt"

	"goldsmith.dev/goldsmith/e2e/deadline"
)

// archiveServer is the name, and the namespace, of the Deployment that serves the archive of logs.
const archiveServer = "s3"

// LogArchive is a bucket that logs of builds are archived in. Its server, in the cluster, is not part of an installation.
type LogArchive struct {
	// URL is the bucket's.
	URL string
	// AccessKeyID and SecretAccessKey are those of somebody who may write there.
	AccessKeyID, SecretAccessKey string
	// Authority is the certificate in PEM that the server's is verified by.
	Authority string
}

// addTo adds to a kustomization the components that an archive takes, what they read, and the Secret of its user.
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

// StopArchive takes the server of the archive of logs away, and returns when it is gone. What it holds stays. It may be called
// again.
func (e Environment) StopArchive(ctx context.Context) error {
	if err := e.kubectl(ctx, "--namespace="+archiveServer, "scale", "deployment/"+archiveServer, "--replicas=0"); err != nil {
		return err
	}
	return e.kubectl(ctx, "--namespace="+archiveServer, "wait", "--for=delete", "pods", "--all", "--timeout="+deadline.Rollout.Deadline().String())
}

// StartArchive brings the server back, and returns when it serves. It may be called again.
func (e Environment) StartArchive(ctx context.Context) error {
	if err := e.kubectl(ctx, "--namespace="+archiveServer, "scale", "deployment/"+archiveServer, "--replicas=1"); err != nil {
		return err
	}
	return e.kubectl(ctx, "--namespace="+archiveServer, "rollout", "status", "deployment/"+archiveServer, "--timeout="+deadline.Rollout.Deadline().String())
}
