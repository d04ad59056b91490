// SPDX-License-Identifier: Apache-2.0

package up

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/clientcmd"

	"goldsmith.dev/goldsmith/apis/generated/clientset/versioned"
	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/e2e/require"
)

func TestNamesOfUsersAreChecked(t *testing.T) {
	for names, want := range map[string]string{
		"":                             "",
		"ann bob":                      "",
		"Ann.Smith_2@example.com":      "",
		"ann ann":                      `--user "ann": name is set twice`,
		"ann Ann":                      `--user "Ann": name is set twice`,
		"goldsmith-admin":              `--user "goldsmith-admin": choose another name: names that begin with goldsmith- or system: are reserved for the server`,
		"Goldsmith-controller":         "are reserved for the server",
		"system:masters":               "are reserved for the server",
		"../token":                     `--user "../token": must be 1 to 63 letters`,
		".hidden":                      "must be 1 to 63 letters",
		"a/b":                          "must be 1 to 63 letters",
		"a:b":                          "must be 1 to 63 letters",
		strings.Repeat("a", 63):        "",
		strings.Repeat("a", 64):        "must be 1 to 63 letters",
		"serviceaccount:default:admin": "must be 1 to 63 letters",
	} {
		if err := checkUserNames(strings.Fields(names)); (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%q: got error %v, want %q", names, err, want)
		}
	}
	if err := checkUserNames([]string{""}); err == nil {
		t.Error("an empty name is accepted")
	}
	if err := Run(t.Context(), Options{DataDirectory: t.TempDir(), Memory: true, Users: []string{"goldsmith-admin"}}); err == nil {
		t.Error("a server starts with a reserved name")
	}
}

func TestUsersAreToldApartByTheirKubeconfigs(t *testing.T) {
	directory := t.TempDir()
	options := Options{DataDirectory: filepath.Join(directory, "data"), Users: []string{"ann", "bob"}}
	kubeconfig := func(name string) string { return filepath.Join(directory, "data", "kubeconfigs", name) }
	tokens := map[string]string{}
	withSystem(t, options, func(ctx context.Context, _ versioned.Interface) {
		for _, name := range options.Users {
			path := kubeconfig(name)
			if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
				t.Errorf("the kubeconfig of %s: %v, %v", name, info, err)
			}
			if got := requester(ctx, t, path); got != name {
				t.Errorf("a build of %s is requested by %q", name, got)
			}
			tokens[name] = tokenIn(t, path)
		}
		if tokens["ann"] == tokens["bob"] || tokens["ann"] == tokenIn(t, filepath.Join(directory, "data", "kubeconfig")) {
			t.Error("users share a token")
		}
	})
	options.Users = []string{"bob"}
	server := filepath.Join(directory, "data", "server")
	require.NoError(t, errors.Join(os.Remove(filepath.Join(server, "apiserver-ca.key")), os.Remove(filepath.Join(server, "apiserver.key"))))
	notices := require.Value(os.Create(filepath.Join(directory, "notices")))(t)
	options.Notices = notices
	withSystem(t, options, func(ctx context.Context, _ versioned.Interface) {
		if got := tokenIn(t, kubeconfig("bob")); got != tokens["bob"] {
			t.Error("a restart replaces the token")
		}
		config, err := clientcmd.BuildConfigFromFlags("", kubeconfig("bob"))
		require.NoError(t, err)
		config.BearerToken = tokens["ann"]
		_, err = versioned.NewForConfigOrDie(config).ImagesV1alpha1().Images("default").List(ctx, metav1.ListOptions{})
		if err == nil {
			t.Error("a user who is left out can still connect")
		}
	})
	told := string(require.Value(os.ReadFile(notices.Name()))(t))
	if !strings.Contains(told, "kubeconfigs of `goldsmith user add` are void") || notices.Close() != nil {
		t.Errorf("a new authority is told as %q", told)
	}
}

func TestKubeconfigsOfUsersAreRemovedWithMemory(t *testing.T) {
	directory := t.TempDir()
	path := filepath.Join(directory, "kubeconfigs", "ann")
	withSystem(t, Options{DataDirectory: directory, Memory: true, Users: []string{"ann"}}, func(context.Context, versioned.Interface) {
		if _, err := os.Stat(path); err != nil {
			t.Error(err)
		}
	})
	if _, err := os.Stat(path); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the kubeconfig is left: %v", err)
	}
}

// requester creates a build with a kubeconfig and returns who requested it.
func requester(ctx context.Context, t *testing.T, kubeconfig string) string {
	t.Helper()
	config, err := clientcmd.BuildConfigFromFlags("", kubeconfig)
	if err != nil {
		t.Error(err)
		return ""
	}
	build, err := versioned.NewForConfigOrDie(config).ImagesV1alpha1().ImageBuilds("default").Create(ctx, &v1alpha1.ImageBuild{
		ObjectMeta: metav1.ObjectMeta{GenerateName: "once-"}, Spec: v1alpha1.ImageBuildSpec{Inputs: inputsFor(mockName)}}, metav1.CreateOptions{})
	if err != nil {
		t.Error(err)
		return ""
	}
	return build.Spec.Trigger.RequestedBy
}

func tokenIn(t *testing.T, kubeconfig string) string {
	t.Helper()
	config, err := clientcmd.BuildConfigFromFlags("", kubeconfig)
	if err != nil {
		t.Error(err)
		return ""
	}
	return config.BearerToken
}
