// SPDX-License-Identifier: Apache-2.0

package kind

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

func TestAnotherS3ServerIsAnotherImageAndTheSameNode(t *testing.T) {
	const names = `source s3/environment.sh; built_node_image; s3_image`
	for _, test := range []struct{ name, file, old, changed string }{
		{"a version", "versions.env", "VERSITYGW=", "VERSITYGW=9"},
		{"how its program is built", "build/binaries.sh", "main.Version=v$VERSITYGW", "main.Version=$VERSITYGW"},
		{"who it runs as", "s3/Dockerfile", "65532", "1000"},
		{"how an image is made", "build/program-image", "docker build", "docker build --pull"},
	} {
		t.Run(test.name, func(t *testing.T) {
			c := newCheckout(t)
			before := strings.Fields(c.mustBash(t, names))
			c.replace(t, test.file, test.old, test.changed)
			after := strings.Fields(c.mustBash(t, names))
			if before[0] != after[0] || before[1] == after[1] {
				t.Errorf("before: %q, after: %q", before, after)
			}
		})
	}
}

func TestTheS3ServerWantsACluster(t *testing.T) {
	c := newCheckout(t)
	if _, complaints, err := c.bash(t, "s3/up"); err == nil || !strings.Contains(complaints, "usage: s3/up CLUSTER") {
		t.Errorf("without a name: %v: %s", err, complaints)
	}
}

// TestTheS3ServerIsAsItsSecretSays runs the real scripts with fakes of all programs. The fake of kubectl plays the cluster.
func TestTheS3ServerIsAsItsSecretSays(t *testing.T) {
	compiled, err := exec.CommandContext(t.Context(), "go", "env", "GOCACHE").Output()
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv("GOCACHE", strings.TrimSpace(string(compiled))) // what makes the certificate is compiled once
	for name, there := range map[string]bool{"at first": false, "again": true} {
		t.Run(name, func(t *testing.T) {
			c := newCheckout(t)
			applied := c.withS3Secret(t, there)
			t.Setenv("PATH", c.fakes+":"+os.Getenv("PATH"))
			t.Setenv("XDG_CACHE_HOME", c.cache)
			t.Setenv("KIND_NODE", "build")
			cluster := &Cluster{name: "one", script: filepath.Join(c.directory, "cluster"), options: Options{Progress: t.Output()}}
			got, err := cluster.InstallS3(t.Context())
			if want := (S3{URL: "s3://logs", AccessKeyID: "logs", SecretAccessKey: "secret", Authority: "pem"}); err != nil || got != want {
				t.Errorf("got %+v, %v, want %+v", got, err, want)
			}
			asked, err := os.ReadFile(c.asked)
			if err != nil {
				t.Fatal(err)
			}
			if made := regexp.MustCompile(`create secret generic s3 .*tls.crt=.*AWS_SECRET_ACCESS_KEY=\S{32}`).Match(asked); made == there {
				t.Errorf("the secret is made: %t:\n%s", made, asked)
			}
			text, err := os.ReadFile(applied)
			if err != nil {
				t.Fatal(err)
			}
			if image := c.mustBash(t, `source s3/environment.sh; s3_image`); !strings.Contains(string(text), `image: "`+image+`"`) {
				t.Errorf("%s is not in\n%s", image, text)
			}
		})
	}
}

// withS3Secret pretends that everything is built, and that a cluster has the server's secret after the scripts, and maybe
// before. It returns the path of a file with the applied objects.
func (c *checkout) withS3Secret(t *testing.T, before bool) (applied string) {
	t.Helper()
	c.everythingBuilt(t, "one-control-plane")
	applied = filepath.Join(c.fakes, "applied")
	c.fake(t, "kubectl", `case "$*" in
  *"get secret s3 --output"*) echo '{"url":"czM6Ly9sb2dz","AWS_ACCESS_KEY_ID":"bG9ncw==","AWS_SECRET_ACCESS_KEY":"c2VjcmV0","tls.crt":"cGVt","tls.key":"a2V5"}' ;;
  *"get secret s3"*) `+strconv.FormatBool(before)+` ;;
  *apply*) cat >>`+applied+` ;;
esac`)
	c.mustBash(t, `source s3/environment.sh; cp `+c.fakes+`/sudo "${path[versitygw]}"; cp `+c.fakes+`/kubectl "${path[kubectl]}"`)
	return applied
}
