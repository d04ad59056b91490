// SPDX-License-Identifier: Apache-2.0

package up

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/fsnotify/fsnotify"
	"k8s.io/apiserver/pkg/authentication/authenticator"
	"k8s.io/apiserver/pkg/authentication/user"

	"goldsmith.dev/goldsmith/cmd/goldsmith/internal/datadir"
	"goldsmith.dev/goldsmith/cmd/goldsmith/internal/users"
	"goldsmith.dev/goldsmith/cmd/internal/documents"
)

// people are the users of --user, and those of `goldsmith user`, whose file is read whenever it changes. It is safe for concurrent use.
type people struct {
	data   *datadir.Directory
	stored bool              // with --memory, no users are stored
	tell   func(line string) // gets a line for each problem with the file

	updating sync.Mutex // over the reading of users and their replacement, so that each replacement is of the latest
	problem  string     // with the file, that was told last

	mu      sync.RWMutex      // over the fields below, which only a holder of updating changes
	named   map[string]string // token by name, of --user
	added   []users.User      // of the file
	current map[[sha256.Size]byte]*person
	read    fileVersion // of the file when it was last read
}

// person is a user with its rights. A person whose rights change is another person.
type person struct {
	info    *user.DefaultInfo
	present context.Context // until the person is removed
	remove  context.CancelFunc
}

// fileVersion tells whether a file is the same as before. The zero value is a missing file.
type fileVersion struct {
	inode    uint64
	size     int64
	modified time.Time
}

func versionOf(path string) fileVersion {
	info, err := os.Stat(path)
	if err != nil {
		return fileVersion{}
	}
	stat, _ := info.Sys().(*syscall.Stat_t)
	return fileVersion{inode: stat.Ino, size: info.Size(), modified: info.ModTime()}
}

// newPeople returns the users of --user with their tokens, and those of the file.
func newPeople(data *datadir.Directory, named []string, stored bool, tell func(line string)) (*people, error) {
	p := &people{data: data, stored: stored, tell: tell}
	if err := p.check(named); err != nil {
		return nil, err
	}
	_, err := p.apply(named)
	return p, err
}

// check reports why apply would refuse the users. It changes nothing.
func (p *people) check(named []string) error {
	_, err := p.readStored(named)
	return err
}

func (p *people) readStored(named []string) ([]users.User, error) {
	if !p.stored {
		return nil, nil
	}
	return readStoredUsers(p.data.Path, named)
}

// apply replaces the users of --user, reads the file again, and returns the difference, or "". An error is about users who could not be
// added; the removed ones are removed nevertheless.
func (p *people) apply(named []string) (difference string, err error) {
	p.updating.Lock()
	defer p.updating.Unlock()
	tokens := map[string]string{}
	var problems []error
	for _, name := range named {
		token := ""
		if !p.stored { // the data directory keeps no tokens
			token = p.named[name]
		}
		if token == "" {
			if token, err = p.data.UserToken(name); err != nil {
				problems = append(problems, err)
				continue
			}
		}
		tokens[name] = token
	}
	p.problem = ""
	read := versionOf(users.Path(p.data.Path))
	added, err := p.readStored(named)
	if err != nil { // the file has changed since check
		problems = append(problems, err)
		added, read = p.added, p.read
	}
	return p.replace(tokens, added, read), errors.Join(problems...)
}

// readStoredUsers returns the users of `goldsmith user`. Their names are not those of --user.
func readStoredUsers(directory string, named []string) ([]users.User, error) {
	stored, err := users.Read(directory)
	for _, added := range stored {
		if slices.ContainsFunc(named, func(name string) bool { return strings.EqualFold(name, added.Name) }) {
			return nil, fmt.Errorf("--user %q: `goldsmith user add` has added the user too: remove --user, or run `goldsmith user remove %[1]s`", added.Name)
		}
	}
	return stored, err
}

// checkStoredUsers reports why a server with these options refuses the stored users.
func checkStoredUsers(o *Options) error {
	if o.Memory {
		return nil
	}
	_, err := readStoredUsers(o.DataDirectory, o.Users)
	return o.located(err)
}

// replace ends the requests of those who are no longer users.
func (p *people) replace(named map[string]string, stored []users.User, read fileVersion) (difference string) {
	next := map[[sha256.Size]byte]*user.DefaultInfo{}
	for name, token := range named {
		next[sha256.Sum256([]byte(token))] = &user.DefaultInfo{Name: name, Groups: []string{user.SystemPrivilegedGroup}}
	}
	for _, added := range stored {
		if digest, err := hex.DecodeString(added.TokenSHA256); err == nil { // always: Read has checked it
			next[[sha256.Size]byte(digest)] = &user.DefaultInfo{Name: added.Name, Groups: added.Groups}
		}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	before, names := p.current, [2]map[string]*person{{}, {}}
	p.named, p.added, p.read, p.current = named, stored, read, map[[sha256.Size]byte]*person{}
	for digest, info := range next {
		if same := before[digest]; same != nil && reflect.DeepEqual(same.info, info) {
			p.current[digest] = same
			continue
		}
		added := &person{info: info}
		added.present, added.remove = context.WithCancel(context.Background())
		p.current[digest] = added
	}
	for digest, old := range before {
		names[0][old.info.Name] = old
		if p.current[digest] != old {
			old.remove()
		}
	}
	for _, person := range p.current {
		names[1][person.info.Name] = person
	}
	return documents.Difference(names[0], names[1], func(a, b *person) bool { return a == b })
}

// tokens returns the tokens of --user by name.
func (p *people) tokens() map[string]string {
	p.mu.RLock()
	defer p.mu.RUnlock()
	return p.named
}

// refresh reads the file if it has changed. If it has a mistake, the users stay as they were. A file that cannot be read is read again by the
// next refresh, because it may be that a user was removed.
func (p *people) refresh() {
	if !p.stored {
		return
	}
	path := users.Path(p.data.Path)
	p.mu.RLock()
	same := versionOf(path) == p.read
	p.mu.RUnlock()
	if same {
		return
	}
	p.updating.Lock()
	defer p.updating.Unlock()
	now := versionOf(path)
	if now == p.read { // another refresh has read it
		return
	}
	added, err := p.readStored(slices.Sorted(maps.Keys(p.named)))
	if err == nil {
		p.problem = ""
		if news := p.replace(p.named, added, now); news != "" {
			p.tell("users: " + news)
		}
		return
	}
	if problem := err.Error(); problem != p.problem {
		p.problem = problem
		p.tell(fmt.Sprintf("users: %s: the users stay as they were", problem))
	}
	if _, unread := errors.AsType[*fs.PathError](err); !unread { // the content has a mistake
		p.mu.Lock()
		p.read = now
		p.mu.Unlock()
	}
}

// watch ends the requests of users as soon as they are removed, until ctx is done.
func (p *people) watch(ctx context.Context) error {
	path := users.Path(p.data.Path)
	const interval = 15 * time.Second // some file systems report no changes
	concerns := func(event fsnotify.Event) bool {
		if event.Name == path {
			p.refresh() // at once, because `goldsmith user` replaces the file as a whole
		}
		return event.Name == path
	}
	return documents.Follow(ctx, path, concerns, func(watch func(string)) time.Duration {
		watch(filepath.Dir(path))
		p.refresh()
		return interval
	})
}

// AuthenticateToken authenticates these users. It asks the file first, so that a change counts for the next request.
func (p *people) AuthenticateToken(_ context.Context, token string) (*authenticator.Response, bool, error) {
	p.refresh()
	p.mu.RLock()
	defer p.mu.RUnlock()
	found, ok := p.current[sha256.Sum256([]byte(token))]
	if !ok {
		return nil, false, nil
	}
	return &authenticator.Response{User: found.info}, true, nil
}

// Present returns a context that ends when a user is removed, or nil for the users of others.
func (p *people) Present(info user.Info) context.Context {
	p.mu.RLock()
	defer p.mu.RUnlock()
	for _, person := range p.current {
		if person.info.Name == info.GetName() {
			return person.present
		}
	}
	return nil
}
