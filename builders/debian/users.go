// SPDX-License-Identifier: Apache-2.0

//go:build linux

package debian

import (
	"cmp"
	"encoding/base64"
	"encoding/binary"
	"regexp"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/util/validation/field"
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
	accountName  = regexp.MustCompile(`\A(` + formAccount + `)\z`)
	passwordHash = regexp.MustCompile(`\A(` + formPassword + `)\z`)
	shellPath    = regexp.MustCompile(`\A(` + formShell + `)\z`)
	printable    = regexp.MustCompile(`\A[ -~]+\z`)
	// wrongType matches the error of a decoder, with the type of a value and the name of its member.
	wrongType = regexp.MustCompile(`cannot unmarshal (\S+) into Go (?:struct field \S*\.(\w+)|value) of type`)
)

// systemNames are those of users and groups of the packages that every image has.
var systemNames = []string{
	"root", "daemon", "bin", "sys", "sync", "games", "man", "lp", "mail", "news", "uucp", "proxy", "www-data", "backup", "list", "irc", "_apt", "nobody",
	"adm", "tty", "disk", "kmem", "dialout", "fax", "voice", "cdrom", "floppy", "tape", "sudo", "audio", "dip", "operator", "src", "shadow", "utmp", "video",
	"sasl", "plugdev", "staff", "users", "nogroup", "clock", "input", "kvm", "render", "sgx", "systemd-journal", "systemd-network", "systemd-resolve",
	"systemd-timesync", "messagebus", "sshd", "_ssh",
}

// readUsers reads the parameter users, whose path is at, and returns what is wrong with them.
func readUsers(text string, at *field.Path) ([]user, field.ErrorList) {
	var users []user
	if err := yaml.UnmarshalStrict([]byte(text), &users); err != nil {
		return nil, field.ErrorList{field.Invalid(at, field.OmitValueType{}, "must be a list in YAML or JSON, such as [{name: admin, groups: [sudo]}]: "+trimDecoderSteps(err))}
	}
	var problems field.ErrorList
	wrong := func(path *field.Path, value any, must string) {
		problems = append(problems, field.Invalid(path, value, "must be "+must))
	}
	named := map[string]bool{}
	for i, user := range users {
		at := at.Index(i)
		switch {
		case !accountName.MatchString(user.Name):
			wrong(at.Child("name"), user.Name, mustAccount)
		case slices.Contains(systemNames, user.Name):
			problems = append(problems, field.Invalid(at.Child("name"), user.Name, "exists in every image, as a user or a group: choose another name"))
		case named[user.Name]:
			problems = append(problems, field.Duplicate(at.Child("name"), user.Name))
		}
		named[user.Name] = true
		if user.PasswordHash != "" && !passwordHash.MatchString(user.PasswordHash) {
			wrong(at.Child("passwordHash"), field.OmitValueType{}, mustPassword)
		}
		if user.Shell != "" && !shellPath.MatchString(user.Shell) {
			wrong(at.Child("shell"), user.Shell, mustShell)
		}
		for j, group := range user.Groups {
			switch at := at.Child("groups").Index(j); {
			case !accountName.MatchString(group):
				wrong(at, group, mustAccount)
			case group == user.Name:
				problems = append(problems, field.Invalid(at, group, "is the group that the user has: remove it"))
			case slices.Contains(user.Groups[:j], group):
				problems = append(problems, field.Duplicate(at, group))
			}
		}
		for j, key := range user.AuthorizedKeys {
			if !isKey(key) {
				wrong(at.Child("authorizedKeys").Index(j), field.OmitValueType{}, mustKey)
			}
		}
	}
	return users, problems
}

// isKey reports whether a line of authorized_keys has a whole public key: options, if any, then the type and the key in base64, which begins with
// the type, too (sshd(8)).
func isKey(line string) bool {
	if !printable.MatchString(line) {
		return false
	}
	words := strings.Fields(line)
	for i := 0; i+1 < len(words); i++ {
		key, err := base64.StdEncoding.DecodeString(words[i+1])
		if kind, rest, whole := cutString(key); err == nil && whole && string(kind) == words[i] && len(rest) > 0 {
			for whole && len(rest) > 0 {
				_, rest, whole = cutString(rest)
			}
			return whole
		}
	}
	return false
}

// cutString returns the first string of a text in which strings have their length before them (RFC 4251), and the rest of the text.
func cutString(text []byte) (first, rest []byte, whole bool) {
	const size = 4
	if len(text) < size {
		return nil, nil, false
	}
	length, text := uint64(binary.BigEndian.Uint32(text)), text[size:]
	if uint64(len(text)) < length {
		return nil, nil, false
	}
	return text[:length], text[length:], true
}

// trimDecoderSteps returns an error of the decoder without the names of its steps.
func trimDecoderSteps(err error) string {
	text := err.Error()
	for _, prefix := range []string{"error unmarshaling JSON: ", "while decoding JSON: ", "error converting YAML to JSON: ", "json: "} {
		text = strings.TrimPrefix(text, prefix)
	}
	if found := wrongType.FindStringSubmatch(text); found != nil {
		return cmp.Or(found[2], "it") + " is of type " + found[1]
	}
	return text
}
