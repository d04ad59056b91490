// SPDX-License-Identifier: Apache-2.0

package kind

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

func TestAnotherPostgresIsAnotherImageAndTheSameNode(t *testing.T) {
	const names = `source postgres/environment.sh; built_node_image; postgres_image`
	for _, test := range []struct{ name, file, old, changed string }{
		{"a package", "postgres/rootfs", "--include=postgresql", "--include=postgresql,postgresql-contrib"},
		{"who it runs as", "postgres/image", "65532", "1000"},
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

func TestPostgresWantsACluster(t *testing.T) {
	c := newCheckout(t)
	if _, complaints, err := c.bash(t, "postgres/load"); err == nil || !strings.Contains(complaints, "usage: postgres/load CLUSTER") {
		t.Errorf("without a name: %v: %s", err, complaints)
	}
}

// TestPostgresIsBuiltOnce has a fake of everything but the scripts.
func TestPostgresIsBuiltOnce(t *testing.T) {
	for name, there := range map[string]bool{"at first": false, "again": true} {
		t.Run(name, func(t *testing.T) {
			c := newCheckout(t)
			c.everythingBuilt(t, "one-control-plane")
			image := c.mustBash(t, `source postgres/environment.sh; mkdir -p tree/usr/lib/postgresql/15/bin; touch tree/usr/lib/postgresql/15/bin/initdb
				tar -C tree -cf "$(postgres_rootfs)" .; postgres_image`)
			if !there { // Docker has the node image only
				c.fake(t, "docker", `case "$1 $*" in
  "image "*goldsmith/postgres*) exit 1 ;;
  "inspect "*) echo of-the-node ;;
esac`)
			}
			t.Setenv("PATH", c.fakes+":"+os.Getenv("PATH"))
			t.Setenv("XDG_CACHE_HOME", c.cache)
			t.Setenv("KIND_NODE", "build")
			cluster := &Cluster{name: "one", script: filepath.Join(c.directory, "cluster"), options: Options{Progress: t.Output()}}
			if got, err := cluster.LoadPostgres(t.Context()); err != nil || got != image {
				t.Errorf("got %q, %v, want %q", got, err, image)
			}
			asked, err := os.ReadFile(c.asked)
			if err != nil {
				t.Fatal(err)
			}
			made := regexp.MustCompile(`docker import --change ENV PATH=/usr/lib/postgresql/15/bin:\S+ .* ` + regexp.QuoteMeta(image)).Match(asked)
			if made == there {
				t.Errorf("the image is made: %t:\n%s", made, asked)
			}
		})
	}
}
