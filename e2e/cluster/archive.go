// SPDX-License-Identifier: Apache-2.0

package cluster

import (
	"context"
	"fmt"
	"path"
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

// components are those of an overlay that an archive takes, and the Secret of their user.
func (a *LogArchive) components(overlay string) string {
	if a == nil {
		return ""
	}
	folder := path.Join(overlay, "..", "..", "components")
	return fmt.Sprintf("components: [%q, %q]\n", folder+"/archive-s3", folder+"/archive-s3-ca") +
		fmt.Sprintf("secretGenerator:\n- {name: goldsmith-log-archive, namespace: %s, envs: [log-archive.env]}\n", Namespace)
}

// generator is the entry of the ConfigMap that the components read.
func (a *LogArchive) generator() string {
	if a == nil {
		return ""
	}
	return fmt.Sprintf("- {name: goldsmith-log-archive, namespace: %s, literals: [%q], files: [ca.crt]}\n", Namespace, "url="+a.URL)
}

// files are those that the two refer to.
func (a *LogArchive) files() map[string]string {
	if a == nil {
		return map[string]string{}
	}
	return map[string]string{
		"ca.crt":          a.Authority,
		"log-archive.env": fmt.Sprintf("AWS_ACCESS_KEY_ID=%s\nAWS_SECRET_ACCESS_KEY=%s\n", a.AccessKeyID, a.SecretAccessKey),
	}
}

// StopArchive takes the server of the archive of logs away, and returns when it is gone. What it holds stays. It may be called
// again.
func (e Environment) StopArchive(ctx context.Context) error {
	if err := e.kubectl(ctx, "--namespace="+archiveServer, "scale", "deployment/"+archiveServer, "--replicas=0"); err != nil {
		return err
	}
	return e.kubectl(ctx, "--namespace="+archiveServer, "wait", "--for=delete", "pods", "--all", "--timeout="+rollout.String())
}

// StartArchive brings the server back, and returns when it serves. It may be called again.
func (e Environment) StartArchive(ctx context.Context) error {
	if err := e.kubectl(ctx, "--namespace="+archiveServer, "scale", "deployment/"+archiveServer, "--replicas=1"); err != nil {
		return err
	}
	return e.kubectl(ctx, "--namespace="+archiveServer, "rollout", "status", "deployment/"+archiveServer, "--timeout="+rollout.String())
}
