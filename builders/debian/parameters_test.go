// SPDX-License-Identifier: Apache-2.0

package debian

import (
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"k8s.io/apimachinery/pkg/util/validation/field"

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
	if diff := cmp.Diff(want, got, cmp.AllowUnexported(configuration{}), cmpopts.EquateEmpty()); diff != "" {
		t.Error(diff)
	}

	got, err = newConfiguration(inputWith(map[string]string{
		"packages": "nginx-light, g++\nvim=2:9.1", "mirror": "http://mirror.example.com/debian/", "securityMirror": "none", "components": "main contrib", "machineMirror": "http://m.example.com/",
		"users":    `[{"name": "admin", "groups": ["sudo"], "authorizedKeys": ["` + someKey + `"], "passwordHash": "$6$a$b"}]`,
		"services": "nginx -apt-daily.timer", "kernel": "generic", "kernelArguments": " quiet\n panic=5 ", "hostname": "web.example.com",
		"locale": "en_GB.UTF-8", "timeZone": "Europe/Berlin", "size": "3G", "acceptExpired": "true",
	}))
	if err != nil {
		t.Fatal(err)
	}
	want = &configuration{
		packages: []string{"nginx-light", "g++", "vim=2:9.1"}, mirror: "http://mirror.example.com/debian", security: "none",
		components: []string{"main", "contrib"}, setsMirror: true, machineMirror: "http://m.example.com",
		users:   []user{{Name: "admin", Groups: []string{"sudo"}, AuthorizedKeys: []string{someKey}, PasswordHash: "$6$a$b"}},
		enabled: []string{"nginx"}, disabled: []string{"apt-daily.timer"}, kernel: "linux-image-amd64", arguments: "quiet panic=5",
		hostname: "web.example.com", locale: "en_GB.UTF-8", timeZone: "Europe/Berlin", sizeBytes: 3 * gib, expired: true,
	}
	if diff := cmp.Diff(want, got, cmp.AllowUnexported(configuration{}), cmpopts.EquateEmpty()); diff != "" {
		t.Error(diff)
	}
}

// someKey is the public key of nobody.
const someKey = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA a"

func TestWrongInputsAreNamedByTheirPath(t *testing.T) {
	for name, test := range map[string]struct {
		parameters map[string]string
		want       string
	}{
		"unknown":            {map[string]string{"package": "curl"}, `parameters[package]: Invalid value: "package": builder debian has no such parameter: did you mean packages?`},
		"package":            {map[string]string{"packages": "curl;reboot"}, `parameters[packages]: Invalid value: "curl;reboot": builder debian: parameter packages must be names of packages`},
		"option of apt":      {map[string]string{"packages": "curl, --force-yes"}, `parameters[packages]: Invalid value: "--force-yes": builder debian: parameter packages must be names`},
		"removed package":    {map[string]string{"packages": "curl iputils-ping-"}, `parameters[packages]: Invalid value: "iputils-ping-": `},
		"expression":         {map[string]string{"packages": "cowsay."}, "parameters[packages]: "},
		"glob":               {map[string]string{"packages": "nginx*"}, "parameters[packages]: "},
		"task":               {map[string]string{"packages": "lamp-server^"}, "parameters[packages]: "},
		"pattern of apt":     {map[string]string{"packages": "~ncurl"}, "parameters[packages]: "},
		"release":            {map[string]string{"packages": "curl/trixie"}, "neither patterns nor NAME/SUITE, NAME- or TASK^"},
		"architecture":       {map[string]string{"packages": "curl:i386"}, "parameters[packages]: "},
		"operator":           {map[string]string{"packages": "curl=8.14.1-2+"}, "parameters[packages]: "},
		"no version":         {map[string]string{"packages": "curl="}, "parameters[packages]: "},
		"password of mirror": {map[string]string{"mirror": "https://me:secret@mirror.example.com/debian"}, "parameters[mirror]: Invalid value: builder debian: parameter mirror must be a URL that begins with http:// or https://, without @, a user and a password"},
		"user of a mirror":   {map[string]string{"mirror": "https://secret@mirror.example.com/debian"}, "without @, a user and a password"},
		"in securityMirror":  {map[string]string{"securityMirror": "http://me:sec%ret/secret@mirror.example.com"}, "parameters[securityMirror]: Invalid value: builder debian: parameter securityMirror must be none, or a URL"},
		"in machineMirror":   {map[string]string{"machineMirror": "http://me:secret@m"}, "parameters[machineMirror]: Invalid value: builder debian: "},
		"with a wrong port":  {map[string]string{"machineSecurityMirror": "http://me:secret@m:x"}, "set http_proxy in spec.template.env to a proxy that knows it"},
		"mirror":             {map[string]string{"mirror": "ftp://mirror.example.com"}, "parameter mirror must be a URL that begins with http:// or https://"},
		"no URL":             {map[string]string{"securityMirror": "http://mirror.example.com:x"}, `parameters[securityMirror]: Invalid value: "http://mirror.example.com:x": must be a URL: invalid port`},
		"mirror of machines": {map[string]string{"machineMirror": "http://[m"}, `parameters[machineMirror]: Invalid value: "http://[m": must be a URL: missing ']' in host`},
		"two origins":        {map[string]string{"snapshot": "20260901T000000Z", "mirror": "http://mirror.example.com"}, "parameters[mirror]: Forbidden: remove it or snapshot"},
		"size":               {map[string]string{"size": "2048"}, "parameter size must be a whole number with M for MiB or G for GiB, from 100M"},
		"small size":         {map[string]string{"size": "99M"}, "parameters[size]: "},
		"large size":         {map[string]string{"size": "10000G"}, "parameters[size]: "},
		"kernel arguments":   {map[string]string{"kernelArguments": "a;reboot"}, "parameter kernelArguments must be arguments without the characters"},
		"comment":            {map[string]string{"kernelArguments": "quiet #"}, "parameters[kernelArguments]: "},
		"host name":          {map[string]string{"hostname": "a b"}, "parameter hostname must be lower-case letters"},
		"long host name":     {map[string]string{"hostname": strings.Repeat("a.", 32) + "a"}, "parameters[hostname]: Invalid value: \"" + strings.Repeat("a.", 32) + "a\": builder debian: parameter hostname must be at most 64 chars long"},
		"long label":         {map[string]string{"hostname": strings.Repeat("a", 64)}, "with dots between labels of at most 63 characters"},
		"long arguments":     {map[string]string{"kernelArguments": strings.Repeat("quiet ", 400)}, "parameters[kernelArguments]: Invalid value: builder debian: parameter kernelArguments must be at most 1900 chars long"},
		"region":             {map[string]string{"timeZone": "America"}, "parameters[timeZone]: "},
		"no zone":            {map[string]string{"timeZone": "leapseconds"}, "parameters[timeZone]: "},
		"default zone":       {map[string]string{"timeZone": "posixrules"}, "parameters[timeZone]: "},
		"zone of a machine":  {map[string]string{"timeZone": "localtime"}, "parameters[timeZone]: "},
		"path of a zone":     {map[string]string{"timeZone": "Europe/../../x"}, "parameters[timeZone]: "},
		"no month":           {map[string]string{"snapshot": "20261301T000000Z"}, "parameter snapshot must be a time such as"},
		"no day":             {map[string]string{"snapshot": "20260230T000000Z"}, `parameters[snapshot]: Invalid value: "20260230T000000Z": must be a time that there is`},
		"two versions":       {map[string]string{"packages": "curl=1 wget curl=2"}, `parameters[packages]: Invalid value: "curl=2": contradicts another item about curl: remove one of them`},
		"on and off":         {map[string]string{"services": "nginx -nginx.service"}, `parameters[services]: Invalid value: "-nginx.service": contradicts another item about nginx`},
		"component":          {map[string]string{"components": "main,Contrib"}, "parameter components must be names of components"},
		"service":            {map[string]string{"services": "--now"}, "parameter services must be names of units"},
		"users are a map":    {map[string]string{"users": "name: admin"}, "parameters[users]: Invalid value: must be a list in YAML or JSON"},
		"unknown member":     {map[string]string{"users": "[{name: admin, password: secret}]"}, `unknown field "password"`},
		"name of a user":     {map[string]string{"users": "[{name: Admin}]"}, `parameters[users][0].name: Invalid value: "Admin": must be a name of at most 32`},
		"root":               {map[string]string{"users": "[{name: root}]"}, `parameters[users][0].name: Invalid value: "root": exists in every image`},
		"a system group":     {map[string]string{"users": "[{name: sudo}]"}, `parameters[users][0].name: Invalid value: "sudo": exists in every image`},
		"own group":          {map[string]string{"users": "[{name: a, groups: [a]}]"}, `parameters[users][0].groups[0]: Invalid value: "a": is the group that the user has`},
		"a group twice":      {map[string]string{"users": "[{name: a, groups: [adm, sudo, adm]}]"}, `parameters[users][0].groups[2]: Duplicate value: "adm"`},
		"no method":          {map[string]string{"users": "[{name: a, passwordHash: $ecret}]"}, "parameters[users][0].passwordHash: Invalid value: must be a hash"},
		"two users":          {map[string]string{"users": "[{name: a}, {name: a}]"}, `parameters[users][1].name: Duplicate value: "a"`},
		"password":           {map[string]string{"users": "[{name: a, passwordHash: secret}]"}, "parameters[users][0].passwordHash: Invalid value: must be a hash"},
		"password of shadow": {map[string]string{"users": `[{name: a, passwordHash: "$6$a:0"}]`}, "parameters[users][0].passwordHash: "},
		"group":              {map[string]string{"users": "[{name: a, groups: [b, \"c,d\"]}]"}, `parameters[users][0].groups[1]: Invalid value: "c,d"`},
		"shell":              {map[string]string{"users": "[{name: a, shell: sh}]"}, `parameters[users][0].shell: Invalid value: "sh": must be an absolute path`},
		"no key":             {map[string]string{"users": "[{name: a, authorizedKeys: [-----BEGIN OPENSSH PRIVATE KEY-----]}]"}, "parameters[users][0].authorizedKeys[0]: "},
		"a private key": {map[string]string{"users": "[{name: a, authorizedKeys: [\"-----BEGIN OPENSSH PRIVATE KEY-----\nsecret" + strings.Repeat("A", 100) + "\"]}]"},
			`parameters[users]: Invalid value: builder debian: parameter users must be a list of users without "-----", which private keys begin with`},
		"a key that is no list": {map[string]string{"users": "[{name: a, authorizedKeys: ssh-ed25519 AAAA}]"}, "[{name: admin, groups: [sudo]}]: authorizedKeys is of type string"},
		"several": {map[string]string{"size": "1", "users": "[{name: A, shell: sh}]"},
			`InvalidInput: parameters[size]: Invalid value: "1": builder debian: parameter size must be a whole number with M for MiB or G for GiB, from 100M to 9999G, such as 2G; ` +
				`parameters[users][0].name: Invalid value: "A": must be a name of at most 32 lower-case letters, digits, '-' and '_'; ` +
				`parameters[users][0].shell: Invalid value: "sh": must be an absolute path`},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := newConfiguration(inputWith(test.parameters))
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("error %v, want %q", err, test.want)
			}
			if err != nil && strings.Contains(err.Error(), "secret") {
				t.Errorf("the error has the password: %v", err)
			}
		})
	}
	input := inputWith(nil)
	input.Base.Reference, input.Targets[0].Format, input.Files["etc/motd"] = "debian:bookworm", v1alpha1.ArtifactFormatISO, "hello"
	_, err := newConfiguration(input)
	want := `InvalidInput: base.reference: Invalid value: "debian:bookworm": builder debian: a base must be one of debian:trixie; ` +
		`files[etc/motd]: Invalid value: "etc/motd": builder debian: the name of a file must begin with root/, for a file of the image, with scripts/, for a script, or with tests/, for a test; ` +
		`targets[0]: Invalid value: "linux/amd64/iso": builder debian makes only linux/amd64/raw, linux/amd64/qcow2, linux/amd64/oci`
	if err == nil || err.Error() != want {
		t.Errorf("error %v, want %s", err, want)
	}
}

// What the server refuses, the builder refuses, too: the schema of the users has no rule that readUsers lacks.
func TestTheServerChecksUsersAsTheBuilderDoes(t *testing.T) {
	const whole = "[{name: admin, groups: [sudo], authorizedKeys: ['from=\"10.0.0.0/8\" " + someKey + "'], passwordHash: $6$a$b, shell: /bin/sh}, {name: b, groups: null, shell: ''}]"
	for users, want := range map[string]string{
		"": "", "[]": "", whole: "",
		"- name: admin\n  group: sudo":             "value[0].group: builder debian: parameter users has no such field: did you mean groups?",
		"name: admin":                              "value: builder debian: parameter users must be a list",
		"[admin]":                                  "value[0]: builder debian: parameter users must be an object, such as {name: value}",
		"[{groups: [sudo]}]":                       "value[0].name: builder debian: parameter users must be set",
		"[{name: Admin}]":                          "value[0].name: builder debian: parameter users must be a name of at most 32 lower-case letters, digits, '-' and '_'",
		"[{name: 7}]":                              "value[0].name: builder debian: parameter users must be text: write it in quotes",
		"[{name: a, groups: sudo}]":                "value[0].groups: builder debian: parameter users must be a list",
		"[{name: a, groups: [sudo, 'a,b']}]":       "value[0].groups[1]: builder debian: parameter users must be a name of at most 32 lower-case letters, digits, '-' and '_'",
		"[{name: a, shell: zsh}]":                  "value[0].shell: builder debian: parameter users must be an absolute path",
		"[{name: a, passwordHash: secret}]":        "value[0].passwordHash: builder debian: parameter users must be a hash as crypt(5) has it, such as openssl passwd -6 prints",
		"[{name: a, authorizedKeys: [ssh-rsa a]}]": "value[0].authorizedKeys[0]: builder debian: parameter users must be one whole line of a public key, such as ~/.ssh/id_ed25519.pub has",
		"[{name: a, name: b}]":                     `value: builder debian: parameter users must be YAML or JSON: unmarshal errors: line 1: key "name" already set in map`,
	} {
		got := ""
		for _, err := range Capabilities().CheckValues(Name, []v1alpha1.Parameter{{Name: "users", Value: users}}, field.NewPath("p")) {
			got += strings.TrimPrefix(err.Field+": "+err.Detail, "p[0].")
		}
		if got != want {
			t.Errorf("%s: %s, want %s", users, got, want)
		}
		if _, err := newConfiguration(inputWith(map[string]string{"users": users})); (err == nil) != (want == "") {
			t.Errorf("%s: the builder says %v", users, err)
		}
	}
}

func TestWhatDebianHasIsAccepted(t *testing.T) {
	for _, zone := range []string{"UTC", "EST5EDT", "GMT+0", "GB", "NZ-CHAT", "Japan", "Etc/GMT-14", "America/Argentina/Buenos_Aires", "America/Port-au-Prince", "posix/Europe/Berlin"} {
		_, err := newConfiguration(inputWith(map[string]string{
			"timeZone": zone, "hostname": strings.Repeat("a.", 31) + "ab", "packages": "curl curl", "components": "main main contrib", "services": "ssh ssh.service",
		}))
		if err != nil {
			t.Error(err)
		}
	}
}

// TestOnlyAWholeKeyIsAKey checks what the builder reads, and the pattern by which a server refuses most mistakes before a build.
func TestOnlyAWholeKeyIsAKey(t *testing.T) {
	pattern := regexp.MustCompile("^(" + formKey + ")$")
	for line, want := range map[string]bool{
		someKey:                               true,
		`from="10.0.0.0/8",no-pty ` + someKey: true,
		strings.Replace(someKey, "AAAA a", " a", 1): false,
		strings.Replace(someKey, "AAA a", " a", 1):  false,
		strings.Replace(someKey, "25519 ", " ", 1):  false,
		"ssh-ed25519 AAAA a":                        false,
		"ssh-ed25519 AAAAnotakey":                   false,
		someKey + "\n" + someKey:                    false,
		"ssh-ed25519":                               false,
	} {
		if got := isKey(line); got != want {
			t.Errorf("%q: %t", line, got)
		}
		if got := pattern.MatchString(line); got != want && !strings.HasPrefix(line, "ssh-ed ") {
			t.Errorf("%q: the pattern matches: %t", line, got)
		}
	}
}

func TestTheDeclarationOfTheBuilderIsValid(t *testing.T) {
	for _, problem := range Capabilities().Problems() {
		t.Error(problem)
	}
}
