// SPDX-License-Identifier: Apache-2.0

package debian

import (
	"regexp"
	"strings"

	"sigs.k8s.io/yaml"
)

// user is a user to create.
type user struct {
	// Name is the name of the user, and of the group that the user has.
	Name string `json:"name"`
	// Groups are further groups, which must exist.
	Groups []string `json:"groups,omitempty"`
	// AuthorizedKeys are lines of the file ~/.ssh/authorized_keys.
	AuthorizedKeys []string `json:"authorizedKeys,omitempty"`
	// PasswordHash is a password as crypt(5) has it. By default the user has no password. A password as text would get another salt, and so
	// another image, with each build.
	PasswordHash string `json:"passwordHash,omitempty"`
	// Shell is the absolute path of the shell. Defaults to /bin/bash.
	Shell string `json:"shell,omitempty"`
}

var (
	accountName  = regexp.MustCompile(`\A[a-z_][a-z0-9_-]{0,31}\z`)
	passwordHash = regexp.MustCompile(`\A\$[!-9;-~]+\z`) // no colon, which separates the fields of /etc/shadow
	shellPath    = regexp.MustCompile(`\A/[A-Za-z0-9/._-]+\z`)
	keyLine      = regexp.MustCompile(`\A[ -~]*(ssh|ecdsa|sk)-[ -~]+\z`)
)

// readUsers reads the parameter users.
func readUsers(text string) ([]user, error) {
	var users []user
	if err := yaml.UnmarshalStrict([]byte(text), &users); err != nil {
		return nil, fail(reasonParameter, "parameter %s must be a list in YAML or JSON such as [{name: admin, groups: [sudo]}]: %s", paramUsers, plain(err))
	}
	named := map[string]bool{}
	for i, user := range users {
		wrong := func(member, value, must string) error {
			return fail(reasonParameter, "parameter %s: users[%d].%s is %q, must be %s", paramUsers, i, member, value, must)
		}
		const account = "a name of at most 32 lower-case letters, digits, '-' and '_'"
		switch {
		case !accountName.MatchString(user.Name):
			return nil, wrong("name", user.Name, account)
		case user.Name == "root":
			return nil, fail(reasonParameter, "parameter %s: users[%d].name is root, which exists: choose another name", paramUsers, i)
		case named[user.Name]:
			return nil, fail(reasonParameter, "parameter %s: users[%d].name %s is set twice", paramUsers, i, user.Name)
		case user.PasswordHash != "" && !passwordHash.MatchString(user.PasswordHash):
			return nil, fail(reasonParameter, "parameter %s: users[%d].passwordHash must be a hash as crypt(5) has it, such as openssl passwd -6 prints", paramUsers, i)
		case user.Shell != "" && !shellPath.MatchString(user.Shell):
			return nil, wrong("shell", user.Shell, "an absolute path")
		}
		for _, group := range user.Groups {
			if !accountName.MatchString(group) {
				return nil, wrong("groups", group, account)
			}
		}
		for _, key := range user.AuthorizedKeys {
			if !keyLine.MatchString(key) {
				return nil, wrong("authorizedKeys", key, "one line of authorized_keys, such as ssh-ed25519 AAAA... comment")
			}
		}
		named[user.Name] = true
	}
	return users, nil
}

// plain returns an error of the decoder without the names of its steps.
func plain(err error) string {
	text := err.Error()
	for _, prefix := range []string{"error unmarshaling JSON: ", "while decoding JSON: ", "error converting YAML to JSON: ", "json: "} {
		text = strings.TrimPrefix(text, prefix)
	}
	if _, kind, wrong := strings.Cut(text, "cannot unmarshal "); wrong {
		kind, _, _ = strings.Cut(kind, " ")
		return "it is of type " + kind
	}
	return text
}
