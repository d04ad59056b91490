// SPDX-License-Identifier: Apache-2.0

package users

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apiserver/pkg/authentication/user"
	"k8s.io/apiserver/pkg/authorization/authorizer"
	"k8s.io/component-helpers/auth/rbac/validation"

	"goldsmith.dev/goldsmith/apiserver/certificates"
	"goldsmith.dev/goldsmith/cmd/goldsmith/internal/datadir"
	"goldsmith.dev/goldsmith/e2e/require"
)

func TestGroupsHaveTheRightsOfAClustersRoles(t *testing.T) {
	t.Parallel()
	const everybody = "view edit admin"
	for request, want := range map[string]string{
		"list images.goldsmith.dev/images":                     everybody,
		"watch images.goldsmith.dev/imagebuilds":               everybody,
		"get images.goldsmith.dev/imagebuilds/log":             everybody,
		"get images.goldsmith.dev/imagebuilds/packages":        everybody,
		"create images.goldsmith.dev/imageplans":               everybody,
		"list images.goldsmith.dev/builders":                   everybody,
		"get catalog.goldsmith.dev/debianservers":              everybody,
		"get catalog.goldsmith.dev/debianservers/log":          everybody,
		"list /configmaps":                                     everybody,
		"get /pods/log":                                        everybody,
		"list /namespaces":                                     everybody,
		"list batch/jobs":                                      everybody,
		"list events.k8s.io/events":                            everybody,
		"list apiextensions.k8s.io/customresourcedefinitions":  everybody,
		"create authentication.k8s.io/selfsubjectreviews":      everybody,
		"create authorization.k8s.io/selfsubjectaccessreviews": everybody,
		"get":                                everybody, // of a path
		"create images.goldsmith.dev/images": "edit admin",
		"create images.goldsmith.dev/images/instantiate":   "edit admin",
		"create images.goldsmith.dev/imagebuilds/cancel":   "edit admin",
		"patch images.goldsmith.dev/images/channels":       "edit admin",
		"create catalog.goldsmith.dev/debianservers/build": "edit admin",
		"get /secrets":                                   "edit admin",
		"deletecollection /configmaps":                   "edit admin",
		"create batch/jobs":                              "edit admin",
		"use /serviceaccounts":                           "admin",
		"override images.goldsmith.dev/images/channels":  "admin",
		"update images.goldsmith.dev/images/status":      "",
		"create images.goldsmith.dev/imagebuilds/report": "",
		"create images.goldsmith.dev/imagebuilds/attest": "",
		"create images.goldsmith.dev/imagekinds":         "",
		"get images.goldsmith.dev/signingkeys":           everybody,
		"create images.goldsmith.dev/signingkeys":        "",
		"patch images.goldsmith.dev/signingkeys/status":  "",
		"watch images.goldsmith.dev/archives":            everybody,
		"delete images.goldsmith.dev/archives":           "",
		"patch images.goldsmith.dev/archives/status":     "",
		"list images.goldsmith.dev/revokedartifacts":     everybody,
		"delete images.goldsmith.dev/revokedartifacts":   "admin",
		"create images.goldsmith.dev/revokedartifacts":   "",
		"create /namespaces":                             "",
		"create scheduling.k8s.io/priorityclasses":       "",
		"* */*": "",
		"post":  "", // to a path
	} {
		verb, resource, _ := strings.Cut(request, " ")
		asked := authorizer.AttributesRecord{Verb: verb, Path: "/apis/images.goldsmith.dev", Namespace: "default", Name: "debian"}
		if resource != "" {
			asked.ResourceRequest = true
			asked.APIGroup, asked.Resource, _ = strings.Cut(resource, "/")
			asked.Resource, asked.Subresource, _ = strings.Cut(asked.Resource, "/")
		}
		var allowed []string
		for _, group := range append(Groups(), "somebody", user.AllAuthenticated) {
			asked.User = &user.DefaultInfo{Name: "ann", Groups: []string{group, user.AllAuthenticated}}
			decision, _, err := Rights.Authorize(t.Context(), asked)
			if decision == authorizer.DecisionAllow && err == nil {
				allowed = append(allowed, group)
			}
			if listed, _ := validation.Covers(listRules(t, asked.User), []rbacv1.PolicyRule{ruleOf(asked)}); listed != (decision == authorizer.DecisionAllow) {
				t.Errorf("%s: the rules of group %s list it: %t", request, group, listed)
			}
		}
		if got := strings.Join(allowed, " "); got != want {
			t.Errorf("%s: allowed to %q, want %q", request, got, want)
		}
	}
	metrics := authorizer.AttributesRecord{Verb: "get", Path: "/metrics", User: &user.DefaultInfo{Groups: []string{admin}}}
	if decision, _, _ := Rights.Authorize(t.Context(), metrics); decision == authorizer.DecisionAllow {
		t.Error("somebody besides system:masters can read metrics")
	}
}

// A builder in the namespace of the keys could read them, and a Job in that of checks could forge their answers.
func TestOnlyAdministratorsReachThePrivateKeysAndTheChecks(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		namespace, verb, group, resource string
		allowed                          bool
	}{
		{"goldsmith-system", "get", "", "secrets", false},
		{"goldsmith-system", "create", "", "secrets", false},
		{"goldsmith-system", "create", "batch", "jobs", false},
		{"goldsmith-system", "create", "images.goldsmith.dev", "images", false},
		{"goldsmith-system", "get", "images.goldsmith.dev", "images", true},
		{"goldsmith-archives", "create", "batch", "jobs", false},
		{"goldsmith-archives", "get", "batch", "jobs", true},
		{"", "list", "", "secrets", false},
		{"", "list", "", "pods", true},
		{"default", "get", "", "secrets", true},
	} {
		asked := authorizer.AttributesRecord{
			User: &user.DefaultInfo{Groups: []string{admin}}, Namespace: test.namespace, Verb: test.verb, APIGroup: test.group, Resource: test.resource, ResourceRequest: true,
		}
		if decision, _, _ := Rights.Authorize(t.Context(), asked); (decision == authorizer.DecisionAllow) != test.allowed {
			t.Errorf("group admin can %s %s in namespace %q: %t", test.verb, test.resource, test.namespace, !test.allowed)
		}
	}
	count := func(namespace string) int {
		rules, _, _, _ := rights{}.RulesFor(t.Context(), &user.DefaultInfo{Groups: []string{admin}}, namespace)
		return len(rules)
	}
	if there, elsewhere := count("goldsmith-system"), count("default"); there >= elsewhere {
		t.Errorf("there are %d rules in the namespace of the keys, and %d elsewhere", there, elsewhere)
	}
}

// listRules returns the rules that a SelfSubjectRulesReview has.
func listRules(t *testing.T, info user.Info) (rules []rbacv1.PolicyRule) {
	t.Helper()
	resolver, _ := Rights.(authorizer.RuleResolver)
	resources, paths, incomplete, err := resolver.RulesFor(t.Context(), info, "default")
	if incomplete || err != nil {
		t.Errorf("incomplete is %t: %v", incomplete, err)
	}
	for _, rule := range resources {
		rules = append(rules, rbacv1.PolicyRule{Verbs: rule.GetVerbs(), APIGroups: rule.GetAPIGroups(), Resources: rule.GetResources(), ResourceNames: rule.GetResourceNames()})
	}
	for _, rule := range paths {
		rules = append(rules, rbacv1.PolicyRule{Verbs: rule.GetVerbs(), NonResourceURLs: rule.GetNonResourceURLs()})
	}
	return rules
}

// serverDirectory returns a data directory that a server has used.
func serverDirectory(t *testing.T) *dataDirectory {
	t.Helper()
	directory := t.TempDir()
	server := filepath.Join(directory, "server")
	_, _, err := certificates.Own(server, []string{"localhost"}, time.Now())
	require.NoError(t, errors.Join(err, os.WriteFile(filepath.Join(server, "address"), []byte("127.0.0.1:7443\n"), 0o600)))
	return &dataDirectory{path: directory, address: "127.0.0.1:7443"}
}

func TestUsersThatAreAddedAtTheSameTimeAreAllKept(t *testing.T) {
	t.Parallel()
	data := serverDirectory(t)
	var adding sync.WaitGroup
	for i := range 20 {
		adding.Go(func() {
			if err := data.add(t.Context(), fmt.Sprintf("user-%d", i), []string{view}, "-", io.Discard); err != nil {
				t.Error(err)
			}
		})
	}
	adding.Wait()
	if users, err := Read(data.path); err != nil || len(users) != 20 {
		t.Errorf("%d users are left: %v", len(users), err)
	}
}

func TestADamagedFileIsToldAndStays(t *testing.T) {
	t.Parallel()
	data := serverDirectory(t)
	digest := strings.Repeat("0", 64)
	for content, want := range map[string]string{
		"users: {":                             "did not find expected node content: correct the file, or delete it and add the users again",
		"user: []":                             `unknown field "user"`,
		"users: []\n---\nusers: []":            "it has more than one YAML document: correct the file, or delete",
		"users: [{name: ann, groups: [view]}]": `user "ann": tokenSHA256: is no digest`,
		"users: [{name: ann, groups: [root], tokenSHA256: \"" + digest + "\"}]":                                                  `user "ann": unknown group "root"`,
		"users: [{name: ann, groups: [], tokenSHA256: \"" + digest + "\"}]":                                                      `user "ann": set at least one group`,
		"users: [{name: goldsmith-admin, groups: [view], tokenSHA256: \"" + digest + "\"}]":                                      "are reserved for the server",
		"users: [{name: ann, groups: [view], tokenSHA256: &d \"" + digest + "\"}, {name: Ann, groups: [view], tokenSHA256: *d}]": "name is set twice",
	} {
		require.NoError(t, os.WriteFile(Path(data.path), []byte(content), 0o600))
		for _, err := range []error{data.add(t.Context(), "bob", []string{view}, "-", io.Discard), data.remove(t.Context(), "ann", io.Discard)} {
			if err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), Path(data.path)) {
				t.Errorf("%q: got error %v, want %q", content, err, want)
			}
		}
		if left := require.Value(os.ReadFile(Path(data.path)))(t); string(left) != content {
			t.Errorf("the file has changed to %q", left)
		}
	}
}

func TestAUserWhoseTokenIsLostIsTold(t *testing.T) {
	t.Parallel()
	data := serverDirectory(t)
	closed, writer := io.Pipe()
	require.NoError(t, closed.Close())
	if err := data.add(t.Context(), "ann", []string{view}, "-", writer); err == nil || !strings.Contains(err.Error(), "the user is added: remove it before another try") {
		t.Errorf("without standard output: %v", err)
	}
}

// TestAServiceCannotReadFilesThroughRoot plants links and named pipes in the directory of a service. Only root tests the rights of the service.
func TestAServiceCannotReadFilesThroughRoot(t *testing.T) {
	const secret = "secret-of-root"
	elsewhere := filepath.Join(t.TempDir(), "secret")
	require.NoError(t, os.WriteFile(elsewhere, []byte(secret), 0o600))
	plants := map[string]func(path string) error{
		"a link":           func(path string) error { return os.Symlink(elsewhere, path) },
		"a named pipe":     func(path string) error { return syscall.Mkfifo(path, 0o666) },
		"another address":  func(path string) error { return os.WriteFile(path, []byte("192.0.2.1:7443"), 0o644) },
		"no address":       func(path string) error { return os.WriteFile(path, []byte(secret), 0o644) },
		"a file too large": func(path string) error { return os.WriteFile(path, make([]byte, datadir.MaxServerFile+1), 0o644) },
	}
	for name, plant := range plants {
		for _, file := range []string{"server/address", "server/apiserver.crt", "server/users.yaml", "kubeconfigs/mal"} {
			data := serverDirectory(t)
			path := filepath.Join(data.path, file)
			require.NoError(t, errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.RemoveAll(path), plant(path)))
			giveToService(t, data.path)
			for _, verb := range []string{"add mal --group view", "list"} {
				var out strings.Builder
				command := NewCommand()
				command.SetArgs(append(strings.Fields(verb), "--data-dir", data.path))
				command.SetOut(&out)
				command.SetErr(&out)
				err := command.ExecuteContext(t.Context())
				if needed := verb != "list" || file == "server/address" || file == "server/users.yaml"; needed != (err != nil) {
					t.Errorf("%s: %s as %s: got error %v", verb, name, file, err)
				}
				if name != "no address" && strings.Contains(out.String(), secret) {
					t.Errorf("%s: %s as %s: %s", verb, name, file, out.String())
				}
			}
		}
	}
}

// giveToService gives a data directory to the user of a service, if the test is of root.
func giveToService(t *testing.T, directory string) {
	t.Helper()
	if os.Geteuid() != 0 {
		return
	}
	require.NoError(t, filepath.WalkDir(directory, func(path string, _ fs.DirEntry, err error) error {
		return errors.Join(err, os.Lchown(path, 4711, 4712))
	}))
	for parent := filepath.Dir(directory); parent != os.TempDir(); parent = filepath.Dir(parent) {
		require.NoError(t, os.Chmod(parent, 0o711)) // others have to reach the directory
	}
}

func TestAKubeconfigReplacesNoFileAndStaysWithItsReader(t *testing.T) {
	data := serverDirectory(t)
	own := t.TempDir()
	file := filepath.Join(own, "ann.kubeconfig")
	require.NoError(t, os.WriteFile(file, []byte("notes"), 0o600))
	if err := data.add(t.Context(), "ann", []string{view}, file, io.Discard); err == nil || !strings.Contains(err.Error(), "exists: remove it") {
		t.Errorf("an existing file: %v", err)
	}
	if users, err := Read(data.path); err != nil || len(users) != 0 {
		t.Errorf("the user is added without a kubeconfig: %v %v", users, err)
	}
	require.NoError(t, os.Remove(file))
	root := os.Geteuid() == 0
	if root { // it calls `sudo goldsmith user add` for the directory of a service
		giveToService(t, data.path)
		require.NoError(t, os.Chown(own, 4713, 4714))
		t.Setenv("SUDO_UID", "4713")
	}
	require.NoError(t, errors.Join(data.add(t.Context(), "ann", []string{view}, file, io.Discard), data.add(t.Context(), "bob", []string{edit}, "", io.Discard)))
	for path, owner := range map[string]uint32{file: 4713, Path(data.path): 4711, data.kubeconfig("bob"): 4711} {
		info := require.Value(os.Stat(path))(t)
		stat, _ := info.Sys().(*syscall.Stat_t)
		if info.Mode().Perm() != 0o600 || root && stat.Uid != owner {
			t.Errorf("%s has mode %s and owner %d, want %d", path, info.Mode(), stat.Uid, owner)
		}
	}
	require.NoError(t, data.remove(t.Context(), "bob", io.Discard))
	if _, err := os.Stat(data.kubeconfig("bob")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the kubeconfig of a removed user: %v", err)
	}
	users := require.Value(Read(data.path))(t)
	if !slices.EqualFunc(users, []string{"ann"}, func(user User, name string) bool { return user.Name == name }) || os.Geteuid() == 0 != root {
		t.Errorf("users %v are left, and the process is user %d", users, os.Geteuid())
	}
}
