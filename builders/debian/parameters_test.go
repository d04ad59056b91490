// SPDX-License-Identifier: Apache-2.0

package debian

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/jobs/render"
)

func inputWith(parameters map[string]string) *render.Input {
	return &render.Input{
		Version: render.InputVersion, Attempt: 1,
		Base:       render.InputBase{Reference: Base},
		Build:      render.InputBuild{Namespace: "team", Name: "web-1"},
		Files:      map[string]string{},
		Parameters: parameters,
		Targets:    []render.InputTarget{{Name: "linux/amd64/raw", Platform: platform, Format: v1alpha1.ArtifactFormatRaw}},
	}
}

func TestParametersAreReadWithTheirDefaults(t *testing.T) {
	got, err := newConfiguration(inputWith(nil))
	if err != nil {
		t.Fatal(err)
	}
	want := &configuration{
		components: []string{"main"}, kernel: "linux-image-cloud-amd64", hostname: "debian", locale: "C.UTF-8", timeZone: "Etc/UTC",
	}
	if diff := cmp.Diff(want, got, cmp.AllowUnexported(configuration{})); diff != "" {
		t.Error(diff)
	}

	got, err = newConfiguration(inputWith(map[string]string{
		"packages": "nginx-light, curl\nvim=2:9.1", "mirror": "http://mirror.example.com/debian/", "securityMirror": "none", "components": "main contrib",
		"users":    `[{"name": "admin", "groups": ["sudo"], "authorizedKeys": ["ssh-ed25519 AAAA a"], "passwordHash": "$6$a$b"}]`,
		"services": "nginx -apt-daily.timer", "kernel": "generic", "kernelArguments": " quiet\n panic=5 ", "hostname": "web.example.com",
		"locale": "en_GB.UTF-8", "timeZone": "Europe/Berlin", "size": "3G", "acceptExpired": "true",
	}))
	if err != nil {
		t.Fatal(err)
	}
	want = &configuration{
		packages: []string{"nginx-light", "curl", "vim=2:9.1"}, mirror: "http://mirror.example.com/debian", security: "none",
		components: []string{"main", "contrib"},
		users:      []user{{Name: "admin", Groups: []string{"sudo"}, AuthorizedKeys: []string{"ssh-ed25519 AAAA a"}, PasswordHash: "$6$a$b"}},
		enabled:    []string{"nginx"}, disabled: []string{"apt-daily.timer"}, kernel: "linux-image-amd64", arguments: "quiet panic=5",
		hostname: "web.example.com", locale: "en_GB.UTF-8", timeZone: "Europe/Berlin", sizeBytes: 3 * gib, expired: true,
	}
	if diff := cmp.Diff(want, got, cmp.AllowUnexported(configuration{})); diff != "" {
		t.Error(diff)
	}
}

func TestASnapshotReplacesTheMirrors(t *testing.T) {
	c, err := newConfiguration(inputWith(map[string]string{"snapshot": "20260901T000000Z"}))
	if err != nil {
		t.Fatal(err)
	}
	sources, err := (&build{config: c}).sources()
	if err != nil {
		t.Fatal(err)
	}
	want := `deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] http://snapshot.debian.org/archive/debian/20260901T000000Z trixie main
deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] http://snapshot.debian.org/archive/debian/20260901T000000Z trixie-updates main
deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] http://snapshot.debian.org/archive/debian-security/20260901T000000Z trixie-security main
`
	if diff := cmp.Diff(want, c.sourcesList(sources)); diff != "" {
		t.Error(diff)
	}
}

func TestWrongParametersAreNamed(t *testing.T) {
	for name, test := range map[string]struct {
		parameters map[string]string
		want       string
	}{
		"unknown":            {map[string]string{"package": "curl"}, "no such parameter: did you mean packages?"},
		"package":            {map[string]string{"packages": "curl;reboot"}, `InvalidParameter: parameter packages: "curl;reboot" is not valid`},
		"option of apt":      {map[string]string{"packages": "--force-yes"}, `"--force-yes" is not valid`},
		"mirror":             {map[string]string{"mirror": "ftp://mirror.example.com"}, "parameter mirror must match"},
		"two origins":        {map[string]string{"snapshot": "20260901T000000Z", "mirror": "http://mirror.example.com"}, "set either parameter snapshot"},
		"size":               {map[string]string{"size": "2048"}, "parameter size must match"},
		"kernel arguments":   {map[string]string{"kernelArguments": "a;reboot"}, "parameter kernelArguments has a character"},
		"host name":          {map[string]string{"hostname": "a b"}, "parameter hostname must match"},
		"service":            {map[string]string{"services": "--now"}, `"--now" is not valid`},
		"users are a map":    {map[string]string{"users": "name: admin"}, "parameter users must be a list in YAML or JSON"},
		"unknown member":     {map[string]string{"users": "[{name: admin, password: secret}]"}, `unknown field "password"`},
		"name of a user":     {map[string]string{"users": "[{name: Admin}]"}, `users[0].name is "Admin", must be a name of at most 32`},
		"root":               {map[string]string{"users": "[{name: root}]"}, "users[0].name is root, which exists"},
		"two users":          {map[string]string{"users": "[{name: a}, {name: a}]"}, "users[1].name a is set twice"},
		"password":           {map[string]string{"users": "[{name: a, passwordHash: secret}]"}, "users[0].passwordHash must be a hash"},
		"password of shadow": {map[string]string{"users": `[{name: a, passwordHash: "$6$a:0"}]`}, "users[0].passwordHash must be a hash"},
		"two keys":           {map[string]string{"users": `[{name: a, authorizedKeys: ["ssh-ed25519 A\nssh-rsa B"]}]`}, "users[0].authorizedKeys is"},
		"group":              {map[string]string{"users": "[{name: a, groups: [\"b,c\"]}]"}, `users[0].groups is "b,c"`},
		"shell":              {map[string]string{"users": "[{name: a, shell: sh}]"}, `users[0].shell is "sh", must be an absolute path`},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := newConfiguration(inputWith(test.parameters))
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("error %v, want %q", err, test.want)
			}
			if err != nil && strings.Contains(err.Error(), "secret") && name != "unknown member" {
				t.Errorf("the error has the password: %v", err)
			}
		})
	}
}

func TestOtherBasesAndTargetsAreRefused(t *testing.T) {
	input := inputWith(nil)
	input.Base.Reference = "debian:bookworm"
	if _, err := newConfiguration(input); err == nil || !strings.Contains(err.Error(), `base.reference is "debian:bookworm", must be debian:trixie`) {
		t.Errorf("error %v", err)
	}
	input = inputWith(nil)
	input.Targets[0].Format = v1alpha1.ArtifactFormatISO
	if _, err := newConfiguration(input); err == nil || !strings.Contains(err.Error(), "makes only linux/amd64/raw, linux/amd64/qcow2, linux/amd64/oci") {
		t.Errorf("error %v", err)
	}
}

func TestTheDeclarationOfTheBuilderIsValid(t *testing.T) {
	for _, problem := range Capabilities().Problems() {
		t.Error(problem)
	}
}

func TestIdentifiersDependOnTheInputsAndNotOnTheBuild(t *testing.T) {
	ids := func(change func(*render.Input)) string {
		input := inputWith(map[string]string{"size": "2G"})
		change(input)
		ids, err := newIdentifiers(input)
		if err != nil {
			t.Fatal(err)
		}
		return ids.uuid(partRoot)
	}
	first := ids(func(*render.Input) {})
	if other := ids(func(input *render.Input) { input.Build.Name, input.Attempt = "web-2", 2 }); other != first {
		t.Errorf("another build has %s, not %s", other, first)
	}
	if other := ids(func(input *render.Input) { input.Parameters["size"] = "3G" }); other == first {
		t.Error("another input has the same UUID")
	}
	if len(first) != len("00000000-0000-0000-0000-000000000000") || first[14] != '8' {
		t.Errorf("%s is no UUID of version 8", first)
	}
}
