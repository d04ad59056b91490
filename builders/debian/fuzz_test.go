// SPDX-License-Identifier: Apache-2.0

package debian

import (
	"io/fs"
	"slices"
	"strings"
	"testing"
	"unicode"

	"goldsmith.dev/goldsmith/jobs/inputs"
)

// FuzzPlan plans any input that the builder accepts. The plan is data for the shell, in files with one item on each line.
func FuzzPlan(f *testing.F) {
	const users = `[{"name": "admin", "groups": ["sudo"], "authorizedKeys": ["` + someKey + `"], "passwordHash": "$6$a$b", "shell": "/bin/sh"}]`
	for _, seed := range [][2]string{
		{paramPackages, "nginx-light, g++\nvim=2:9.1"}, {paramServices, "nginx -apt-daily.timer"}, {paramHostname, "web.example.com"},
		{paramLocale, "en_GB.UTF-8"}, {paramTimeZone, "Europe/Berlin"}, {paramKernelArguments, " quiet\n panic=5 "}, {paramSize, "3G"},
		{paramMirror, "http://mirror.example.com/" + release}, {paramSnapshot, "20260901T000000Z"}, {paramUsers, "- name: admin\n"},
		{paramComponents, "main\u2028contrib"}, {paramPackages, "--option"}, {"other", "\x00"},
	} {
		f.Add(seed[0], seed[1], "root/etc/motd", users)
	}
	f.Add(paramPackages, "", "scripts/10 a", "[{name: admin, groups: [a, a]}]")
	f.Add(paramPackages, "", "root//home/admin/x", "[{name: admin")
	f.Fuzz(func(t *testing.T, parameter, value, file, users string) {
		input := inputWith(map[string]string{paramUsers: users, parameter: value})
		if inputs.ValidFileName(file) != nil {
			return // no input has such a file
		}
		input.Files[file] = value
		c, err := newConfiguration(input)
		if err != nil {
			return
		}
		words := slices.Concat(c.packages, c.components, c.enabled, c.disabled, []string{
			c.mirror, c.security, c.machineMirror, c.machineSecurity, c.kernel, c.hostname, c.locale, c.timeZone,
		})
		for _, user := range c.users {
			words = append(append(words, user.Name, user.Shell, user.PasswordHash), user.Groups...)
			checkPrintable(t, "a key", user.AuthorizedKeys...)
		}
		checkPrintable(t, "the arguments of the kernel", c.arguments)
		for _, word := range words {
			checkPrintable(t, "a value", word)
			if strings.HasPrefix(word, "-") || strings.ContainsFunc(word, unicode.IsSpace) {
				t.Errorf("%q is no word, or is an option", word)
			}
		}
		p := newPlan(c, texts(input.Files), "uuid")
		for name := range p.files {
			if !fs.ValidPath(name) || name == "." {
				t.Errorf("the file %q is not in the image", name)
			}
		}
		for _, script := range p.scripts {
			checkPrintable(t, "the name of a script", script.name)
		}
	})
}

// checkPrintable checks that a text is one line, and has no characters that control a terminal.
func checkPrintable(t *testing.T, what string, texts ...string) {
	t.Helper()
	for _, text := range texts {
		if strings.ContainsFunc(text, unicode.IsControl) {
			t.Errorf("%s has a control character: %q", what, text)
		}
	}
}
