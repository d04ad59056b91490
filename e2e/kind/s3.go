// SPDX-License-Identifier: Apache-2.0

package kind

import (
	"context"
	"encoding/json"
	"fmt"
	"path/filepath"
)

// S3 is a bucket of an S3 server in a cluster: what a pod there has to know to use it.
type S3 struct {
	// URL is the bucket's, as --log-archive reads it: s3://bucket?endpoint=…
	URL string
	// AccessKeyID and SecretAccessKey are the credentials of an administrator.
	AccessKeyID, SecretAccessKey string
	// Authority is the certificate in PEM that the server's is verified by.
	Authority string
}

// InstallS3 makes an S3 server run in the cluster, which must exist, and returns when it serves. It is built first where it
// is not there yet, which takes minutes once on a machine. It is all of the namespace s3, whose Deployment, s3, may be scaled
// to 0 and to 1: what it holds stays. It runs on the control plane's node, so that others can be lost. Where it runs already
// nothing changes.
func (c *Cluster) InstallS3(ctx context.Context) (S3, error) {
	said, err := output(ctx, c.options.Progress, filepath.Join(filepath.Dir(c.script), "s3", "up"), c.name)
	if err != nil {
		return S3{}, fmt.Errorf("s3 in cluster %s: %w", c.name, err)
	}
	secret := map[string][]byte{}
	if err := json.Unmarshal([]byte(said), &secret); err != nil {
		return S3{}, fmt.Errorf("s3 in cluster %s: what s3/up says: %w", c.name, err)
	}
	return S3{
		URL: string(secret["url"]), Authority: string(secret["tls.crt"]),
		AccessKeyID: string(secret["AWS_ACCESS_KEY_ID"]), SecretAccessKey: string(secret["AWS_SECRET_ACCESS_KEY"]),
	}, nil
}
