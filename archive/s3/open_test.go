// SPDX-License-Identifier: Apache-2.0

package s3

import (
	"encoding/pem"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/minio/minio-go/v7"

	"goldsmith.dev/goldsmith/archive/s3/s3test"
	"goldsmith.dev/goldsmith/e2e/require"
)

const (
	id     = "AKIAEXAMPLE"
	secret = "hunter2/hunter2+hunter2"
)

func openBucket(t *testing.T, address string) (*Bucket, error) {
	t.Helper()
	return Open(require.Value(url.Parse(address))(t))
}

// serve starts a server that checks signatures, and sets the credentials for it in the environment.
func serve(t *testing.T) (server *s3test.Server, address string) {
	t.Helper()
	withoutSettings(t)
	t.Setenv("AWS_ACCESS_KEY_ID", id)
	t.Setenv("AWS_SECRET_ACCESS_KEY", secret)
	server = &s3test.Server{Objects: map[string][]byte{}, Secret: secret}
	h := httptest.NewServer(server)
	t.Cleanup(h.Close)
	unit := minio.DefaultRetryUnit
	t.Cleanup(func() { minio.DefaultRetryUnit = unit })
	minio.DefaultRetryUnit = time.Millisecond
	return server, "s3://logs?endpoint=" + h.URL
}

// withoutSettings makes the client find no credentials and no settings.
func withoutSettings(t *testing.T) {
	t.Helper()
	for _, variable := range os.Environ() {
		if name, _, _ := strings.Cut(variable, "="); strings.HasPrefix(name, "AWS_") {
			t.Setenv(name, "")
		}
	}
	t.Setenv("AWS_CONFIG_FILE", "/dev/null")
	t.Setenv("AWS_SHARED_CREDENTIALS_FILE", "/dev/null")
	t.Setenv("AWS_EC2_METADATA_DISABLED", "true")
}

// place returns where requests for an object go.
func place(t *testing.T, b *Bucket) string {
	t.Helper()
	u := require.Value(b.client.PresignedGetObject(t.Context(), b.name, "key", time.Minute, nil))(t)
	return strings.TrimSuffix(u.Scheme+"://"+u.Host+u.Path, "/key") + " " + strings.Split(u.Query().Get("X-Amz-Credential"), "/")[2]
}

func TestWhereABucketIs(t *testing.T) {
	withoutSettings(t)
	t.Setenv("AWS_ACCESS_KEY_ID", id)
	t.Setenv("AWS_SECRET_ACCESS_KEY", secret)
	for address, want := range map[string]string{
		"s3://logs?region=eu-central-1":   "https://logs.s3.eu-central-1.amazonaws.com eu-central-1",
		"s3://logs?region=xx-future-1":    "https://logs.s3.xx-future-1.amazonaws.com xx-future-1",
		"s3://logs?region=cn-north-1":     "https://logs.s3.cn-north-1.amazonaws.com.cn cn-north-1",
		"s3://logs?region=eusc-de-east-1": "https://logs.s3.eusc-de-east-1.amazonaws.eu eusc-de-east-1",
		"s3://logs?region=aws-global":     "https://logs.s3.us-east-1.amazonaws.com us-east-1",
		"s3://logs.of.builds?endpoint=http://s3.eu-central-1.amazonaws.com&region=eu-central-1&use_path_style=1": "http://s3.eu-central-1.amazonaws.com/logs.of.builds eu-central-1",
		"s3://logs.of.builds?endpoint=http://s3.example.com":                                                     "http://logs.of.builds.s3.example.com us-east-1",
		"s3://logs.of.builds?region=eu-central-1":                                                                "https://s3.eu-central-1.amazonaws.com/logs.of.builds eu-central-1",
		"s3://logs?region=eu-central-1&use_path_style=true":                                                      "https://s3.eu-central-1.amazonaws.com/logs eu-central-1",
		"s3://logs?region=eu-central-1&dualstack=true":                                                           "https://logs.s3.dualstack.eu-central-1.amazonaws.com eu-central-1",
		"s3://logs?region=us-east-2&endpoint=https://s3-accelerate.amazonaws.com":                                "https://logs.s3-accelerate.amazonaws.com us-east-2",
		"s3://logs?region=us-east-2&endpoint=https://s3-accelerate.dualstack.amazonaws.com":                      "https://logs.s3-accelerate.dualstack.amazonaws.com us-east-2",
		"s3://logs?region=us-east-2&endpoint=http://s3.us-east-2.amazonaws.com":                                  "http://logs.s3.us-east-2.amazonaws.com us-east-2",
		"s3://logs?region=us-east-2&fips=true":                                                                   "https://logs.s3-fips.us-east-2.amazonaws.com us-east-2",
		"s3://logs?region=us-east-2&fips=true&dualstack=1":                                                       "https://logs.s3-fips.dualstack.us-east-2.amazonaws.com us-east-2",
		"s3://logs?region=xx-future-1&endpoint=https://s3.xx-future-1.amazonaws.com":                             "https://logs.s3.xx-future-1.amazonaws.com xx-future-1",
		"s3://logs?endpoint=https://s3.example.com":                                                              "https://logs.s3.example.com us-east-1",
		"s3://logs?endpoint=https://s3.example.com:8443/&region=garage":                                          "https://logs.s3.example.com:8443 garage",
		"s3://logs_1?endpoint=https://s3.example.com":                                                            "https://s3.example.com/logs_1 us-east-1",
		"s3://logs?endpoint=http://127.0.0.1:9000":                                                               "http://127.0.0.1:9000/logs us-east-1",
		"s3://logs?endpoint=http://s3:9000&use_path_style=true&prefix=a/folder/":                                 "http://s3:9000/logs us-east-1",
	} {
		b, err := openBucket(t, address)
		if err != nil || place(t, b) != want {
			t.Errorf("%s: got %v, want %s", address, err, want)
			if err == nil {
				t.Error(place(t, b))
			}
		}
	}
	config := filepath.Join(t.TempDir(), "config")
	require.NoError(t, os.WriteFile(config, []byte(`[default]
region = default-region
endpoint_url = https://default.example.com
[profile other]
region=other-region # not that of default
services = mine
aws_access_key_id = a
aws_secret_access_key = b
s3 =
  endpoint_url = https://ignored.example.com
[services mine]
s3 =
  endpoint_url = https://mine.example.com
`), 0o600))
	t.Setenv("AWS_CONFIG_FILE", config)
	for _, step := range []struct{ variable, value, query, want string }{
		{"", "", "", "https://logs.default.example.com default-region"},
		{"", "", "?profile=other", "https://logs.mine.example.com other-region"},
		{"AWS_PROFILE", "other", "", "https://logs.mine.example.com other-region"},
		{"AWS_ENDPOINT_URL", "https://every.example.com", "", "https://logs.every.example.com other-region"},
		{"AWS_ENDPOINT_URL_S3", "https://s3.example.com", "", "https://logs.s3.example.com other-region"},
		{"AWS_DEFAULT_REGION", "second-region", "", "https://logs.s3.example.com second-region"},
		{"AWS_REGION", "first-region", "", "https://logs.s3.example.com first-region"},
		{"AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "true", "", "https://logs.s3.first-region.amazonaws.com first-region"},
		{"AWS_USE_DUALSTACK_ENDPOINT", "true", "", "https://logs.s3.dualstack.first-region.amazonaws.com first-region"},
		{"", "", "?region=mine&endpoint=http://127.0.0.1", "http://127.0.0.1/logs mine"},
	} {
		if step.variable != "" {
			t.Setenv(step.variable, step.value)
		}
		b := require.Value(openBucket(t, "s3://logs"+step.query))(t)
		if got := place(t, b); got != step.want {
			t.Errorf("%s: got %s, want %s", step.variable+step.query, got, step.want)
		}
	}
}

func TestWhatIsNoBucketIsRefused(t *testing.T) {
	withoutSettings(t)
	empty := filepath.Join(t.TempDir(), "empty")
	require.NoError(t, os.WriteFile(empty, nil, 0o600))
	for query, want := range map[string]string{
		"": "set the parameter region", "region=hunter2/": "the region is not a name", "endpoint=s3.example.com": "the endpoint is not", "endpoint=https://u:hunter2@h": "the endpoint is not",
		"endpoint=https://h?hunter2": "the endpoint is not", "endpoint=localhost:9000": "the endpoint is not",
		"profile=hunter2": "have no profile", "region=r&use_path_style=hunter2": "use_path_style is not true or false", "region=r&fips=hunter2": "fips is not true or false",
		"region=r&response_checksum_validation=hunter2": "is not when_supported or when_required", "region=r&role=hunter2": "parameter role is not the ARN",
		"region=r&ssetype=hunter2": "ssetype is not AES256", "region=r&rate_limiter_capacity=5": `unknown query parameter "rate_limiter_capacity": allowed are profile, role, `,
		"region=r&hunter=2": `unknown query parameter "hunter"`, "region=r&key=hunter2": `unknown query parameter "key"`,
	} {
		if b, err := openBucket(t, "s3://logs?"+query); err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: got %v, %v", query, b, err)
		}
	}
	if _, err := openBucket(t, "s3://x?region=r"); err == nil || !strings.Contains(err.Error(), "use the bucket x: ") {
		t.Errorf("a short name: %v", err)
	}
	t.Setenv("AWS_CA_BUNDLE", empty)
	if _, err := openBucket(t, "s3://logs?region=r"); err == nil || !strings.Contains(err.Error(), "AWS_CA_BUNDLE has no certificates") {
		t.Errorf("got %v", err)
	}
}

func TestAnAuthorityOfOnesOwn(t *testing.T) {
	server, _ := serve(t)
	h := httptest.NewTLSServer(server)
	defer h.Close()
	address := "s3://logs?endpoint=" + h.URL
	if err := require.Value(openBucket(t, address))(t).Ping(t.Context(), "v1/"); err == nil || !strings.Contains(err.Error(), "x509") {
		t.Errorf("an unknown authority: %v", err)
	}
	bundle := filepath.Join(t.TempDir(), "ca.pem")
	require.NoError(t, os.WriteFile(bundle, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: h.Certificate().Raw}), 0o600))
	t.Setenv("AWS_CA_BUNDLE", bundle)
	b := require.Value(openBucket(t, address))(t)
	require.NoError(t, b.Put(t.Context(), "key", []byte("x")))
	require.NoError(t, b.Close())
}
