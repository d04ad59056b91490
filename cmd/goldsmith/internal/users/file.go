// SPDX-License-Identifier: Apache-2.0

package users

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/yaml"

	"goldsmith.dev/goldsmith/apiserver/storage/filelock"
	"goldsmith.dev/goldsmith/cmd/goldsmith/internal/datadir"
	"goldsmith.dev/goldsmith/cmd/internal/documents"
)

// User is a user that `goldsmith user add` has added.
type User struct {
	// Name is unique, whatever its case.
	Name string `json:"name"`
	// Groups are some of Groups.
	Groups []string `json:"groups"`
	// TokenSHA256 is the digest of the user's token in hexadecimal digits. Only the user has the token.
	TokenSHA256 string `json:"tokenSHA256"`
	// Created is when the user was added.
	Created metav1.Time `json:"created"`
}

// file is the content of the file with the users.
type file struct {
	Users []User `json:"users"`
}

// comment is the beginning of the file.
const comment = "# Written by `goldsmith user`. A running server reads changes at once.\n"

// Path returns the file with the users of a data directory.
func Path(directory string) string { return filepath.Join(directory, "server", "users.yaml") }

// Read returns the users of a data directory. There are none if the file is missing.
func Read(directory string) ([]User, error) {
	path := Path(directory)
	content, err := datadir.ReadFile(path, syscall.O_NOFOLLOW)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read the users: %w", err)
	}
	const instead = ", or delete it and add the users again"
	var read file
	var found int
	for _, document := range documents.Split(content) {
		text, err := document.JSON()
		if err != nil {
			return nil, fmt.Errorf("%s: %w"+instead, path, err)
		}
		if string(text) == "null" { // it has only comments
			continue
		}
		if err = yaml.UnmarshalStrict(text, &read); err == nil && found > 0 {
			err = errors.New("it has more than one YAML document")
		}
		if err != nil {
			return nil, fmt.Errorf("%s: %s: correct the file"+instead, path, strings.Join(strings.Fields(err.Error()), " "))
		}
		found++
	}
	seen := map[string]bool{}
	for _, user := range read.Users {
		problem := CheckName(user.Name)
		digest, err := hex.DecodeString(user.TokenSHA256)
		switch folded := strings.ToLower(user.Name); {
		case problem != nil:
		case seen[folded]:
			problem = errors.New("name is set twice: remove one of the two")
		case err != nil || len(digest) != sha256.Size:
			problem = errors.New("tokenSHA256: is no digest: remove the user, and add it again")
		default:
			seen[folded] = true
			problem = checkGroups(user.Groups)
		}
		if problem != nil {
			return nil, fmt.Errorf("%s: user %q: %w", path, user.Name, problem)
		}
	}
	return read.Users, nil
}

// userName matches a valid name of a user, which is also the name of two files.
var userName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._@-]{0,62}$`)

// reservedNames are the prefixes of the names of the server's own users.
const reservedNames = "goldsmith-"

// CheckName refuses an invalid name, and a name that the server itself uses.
func CheckName(name string) error {
	switch folded := strings.ToLower(name); {
	case strings.HasPrefix(folded, reservedNames), strings.HasPrefix(folded, "system:"):
		return fmt.Errorf("choose another name: names that begin with %s or system: are reserved for the server", reservedNames)
	case !userName.MatchString(name):
		return errors.New("must be 1 to 63 letters, digits and ._@-, and begin with a letter or a digit, such as ann or ann@example.com")
	}
	return nil
}

// change replaces the users of a data directory. Two changes at the same time come one after the other.
func change(ctx context.Context, directory string, with func([]User) ([]User, error)) (err error) {
	lock, err := filelock.Await(ctx, filepath.Join(directory, "server", "users.lock"))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, lock.Close()) }()
	current, err := Read(directory)
	if err != nil {
		return err
	}
	if current, err = with(current); err != nil {
		return err
	}
	content, err := yaml.Marshal(file{Users: current})
	if err == nil {
		err = datadir.WriteFile(Path(directory), append([]byte(comment), content...))
	}
	if err != nil {
		return fmt.Errorf("write the users: %w", err)
	}
	return nil
}

// add adds a user, and returns the user's token.
func add(ctx context.Context, directory, name string, groups []string, now time.Time) (token string, err error) {
	token = rand.Text()
	digest := sha256.Sum256([]byte(token))
	return token, change(ctx, directory, func(current []User) ([]User, error) {
		if at := find(current, name); at >= 0 {
			return nil, fmt.Errorf("user %s exists: to replace the token or the groups, first run `goldsmith user remove %[1]s`", current[at].Name)
		}
		return append(current, User{Name: name, Groups: groups, TokenSHA256: hex.EncodeToString(digest[:]), Created: metav1.NewTime(now.UTC())}), nil
	})
}

// remove removes a user.
func remove(ctx context.Context, directory, name string) error {
	return change(ctx, directory, func(current []User) ([]User, error) {
		at := find(current, name)
		if at < 0 || current[at].Name != name {
			return nil, fmt.Errorf("no user %s: `goldsmith user list` lists the users", name)
		}
		return slices.Delete(current, at, at+1), nil
	})
}

// find returns the position of a user. The files of two names that differ by their case are the same on some file systems.
func find(users []User, name string) int {
	return slices.IndexFunc(users, func(user User) bool { return strings.EqualFold(user.Name, name) })
}
