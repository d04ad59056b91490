// SPDX-License-Identifier: Apache-2.0

package cluster

import (
	"encoding/base64"
	"strings"
	"testing"

	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/kyaml/filesys"

	"goldsmith.dev/goldsmith/e2e/require"
)

func TestWhatIsInstalledIsWhatTheEnvironmentSays(t *testing.T) {
	archive := &LogArchive{URL: "s3://logs?endpoint=https://s3.example.com", AccessKeyID: "somebody", SecretAccessKey: "some=secret", Authority: "one line\nand another\n"}
	encoded := base64.StdEncoding.EncodeToString([]byte(archive.SecretAccessKey))
	records := &Records{Image: "goldsmith/postgres:v7", Password: "'a' \"b\" $c"}
	password := base64.StdEncoding.EncodeToString([]byte(records.Password))
	for name, test := range map[string]struct {
		environment Environment
		parts       map[string]int // how often each is there
	}{
		"the overlay": {Environment{}, map[string]int{
			":v9\n": 4, "--log-archive": 0, "--etcd-compaction-interval": 0, "--unsafe-no-fsync": 0, "--kueue": 0, "other:v1": 0, "GOLDSMITH_RECORDS_DSN": 0,
		}},
		"more builders": {Environment{Builders: map[string]string{"other": "other:v1"}}, map[string]int{"other: other:v1": 1, "mock: mock-builder:v9": 1}},
		"advisories": {Environment{Advisories: "{}"}, map[string]int{
			"--advisories=/etc/goldsmith/advisories/advisories.json\n": 1, "name: goldsmith-advisories-": 2, "mountPath: /etc/goldsmith/advisories\n": 1,
		}},
		"a disposable cluster": {Environment{Disposable: true}, map[string]int{"--unsafe-no-fsync\n": 1}},
		"queues of Kueue":      {Environment{Kueue: true}, map[string]int{"--kueue\n": 1}},
		"another compaction":   {Environment{Compaction: 5e9}, map[string]int{"--etcd-compaction-interval=5s": 1}},
		"an archive of logs": {Environment{LogArchive: archive}, map[string]int{
			"--log-archive=$(GOLDSMITH_LOG_ARCHIVE)": 2, "url: s3://logs?endpoint=https://s3.example.com": 1, "    and another\n": 1,
			"AWS_SECRET_ACCESS_KEY: " + encoded: 1, "secretRef:\n            name: goldsmith-log-archive-": 2,
		}},
		"a database of records": {Environment{Records: records}, map[string]int{
			"image: goldsmith/postgres:v7\n": 1, "name: GOLDSMITH_RECORDS_DSN\n": 2, "name: PGPASSWORD\n": 2, "  password: " + password: 1,
			"secretName: goldsmith-records-": 1, "name: goldsmith-records-": 2 + 1, "node-role.kubernetes.io/control-plane: \"\"": 1,
		}},
		"a file of records": {Environment{Records: &Records{}}, map[string]int{
			"value: sqlite:///var/lib/goldsmith/records/records.db\n": 2, "claimName: goldsmith-records\n": 2, "PGPASSWORD": 0,
		}},
		"all of it": {Environment{LogArchive: archive, Records: records, Compaction: 5e9, Builders: map[string]string{"other": "other:v1"}}, map[string]int{
			"--log-archive": 2, "--etcd-compaction-interval=5s": 1, "other: other:v1": 1, "GOLDSMITH_RECORDS_DSN": 2, ":v9\n": 4,
		}},
	} {
		t.Run(name, func(t *testing.T) {
			e := test.environment
			e.Overlay, e.Version = "../../kustomize/overlays/kind", "v9"
			built := ""
			err := e.withKustomization(func(directory string) error {
				resources, err := krusty.MakeKustomizer(krusty.MakeDefaultOptions()).Run(filesys.MakeFsOnDisk(), directory)
				if err != nil {
					return err
				}
				text, err := resources.AsYaml()
				built = string(text)
				return err
			})
			require.NoError(t, err)
			for part, want := range test.parts {
				if got := strings.Count(built, part); got != want {
					t.Errorf("%q is there %d times, want %d", part, got, want)
				}
			}
		})
	}
}
