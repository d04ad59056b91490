// SPDX-License-Identifier: Apache-2.0

package inputs

import (
	"errors"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
)

func TestResolve(t *testing.T) {
	fromConfigMap := &v1alpha1.Source{ConfigMapRef: &v1alpha1.ConfigMapReference{Name: "setup"}}
	configMap := func(data map[string]string, binaryData map[string][]byte) *corev1.ConfigMap {
		return &corev1.ConfigMap{
			ObjectMeta: metav1.ObjectMeta{Namespace: "team", Name: "setup"},
			Data:       data,
			BinaryData: binaryData,
		}
	}
	// {"f":"…"} leaves this much for the content.
	fits := MaxSourceBytes - len(`{"f":""}`)

	tests := []struct {
		name        string
		source      *v1alpha1.Source
		configMap   *corev1.ConfigMap
		wantFiles   map[string]string
		wantReason  v1alpha1.FailureReason
		wantMessage string
	}{
		{name: "no source resolves to no files"},
		{name: "an empty source resolves to no files", source: &v1alpha1.Source{}},
		{
			name:   "inline files are not repeated",
			source: &v1alpha1.Source{Inline: &v1alpha1.InlineSource{Files: map[string]string{"a": "b"}}},
		},
		{
			name:      "a ConfigMap's data are the files",
			source:    fromConfigMap,
			configMap: configMap(map[string]string{"setup.sh": "true\n", "empty": ""}, nil),
			wantFiles: map[string]string{"setup.sh": "true\n", "empty": ""},
		},
		{name: "an empty ConfigMap resolves to no files", source: fromConfigMap, configMap: configMap(nil, nil)},
		{
			name:        "a missing ConfigMap is named",
			source:      fromConfigMap,
			wantReason:  v1alpha1.ReasonSourceNotFound,
			wantMessage: `ConfigMap "setup" does not exist`,
		},
		{
			name:        "binary data are refused",
			source:      fromConfigMap,
			configMap:   configMap(map[string]string{"a": "b"}, map[string][]byte{"logo.png": {0xff}}),
			wantReason:  v1alpha1.ReasonSourceNotFound,
			wantMessage: `ConfigMap team/setup has the key "logo.png" in binaryData`,
		},
		{
			name:        "text that is not UTF-8 is refused",
			source:      fromConfigMap,
			configMap:   configMap(map[string]string{"latin1.txt": "caf\xe9"}, nil),
			wantReason:  v1alpha1.ReasonSourceNotFound,
			wantMessage: `ConfigMap team/setup has the key "latin1.txt", whose value is not UTF-8`,
		},
		{
			name:        "a key that is no file name is refused",
			source:      fromConfigMap,
			configMap:   configMap(map[string]string{"..": "b"}, nil),
			wantReason:  v1alpha1.ReasonSourceNotFound,
			wantMessage: `ConfigMap team/setup has the key ".."`,
		},
		{
			name:      "64 KiB of files are allowed",
			source:    fromConfigMap,
			configMap: configMap(map[string]string{"f": strings.Repeat("x", fits)}, nil),
			wantFiles: map[string]string{"f": strings.Repeat("x", fits)},
		},
		{
			name:        "one byte more is too large",
			source:      fromConfigMap,
			configMap:   configMap(map[string]string{"f": strings.Repeat("x", fits+1)}, nil),
			wantReason:  v1alpha1.ReasonSourceTooLarge,
			wantMessage: "ConfigMap team/setup has 65537 bytes of files as JSON, more than the limit of 65536",
		},
		{
			name:        "the limit counts what JSON escapes",
			source:      fromConfigMap,
			configMap:   configMap(map[string]string{"f": strings.Repeat("\n", fits/2+1)}, nil),
			wantReason:  v1alpha1.ReasonSourceTooLarge,
			wantMessage: "team/setup",
		},
		{
			name:      "the limit does not count HTML escapes",
			source:    fromConfigMap,
			configMap: configMap(map[string]string{"f": strings.Repeat("<", fits)}, nil),
			wantFiles: map[string]string{"f": strings.Repeat("<", fits)},
		},
		{
			name:        "inline files have the same limit",
			source:      &v1alpha1.Source{Inline: &v1alpha1.InlineSource{Files: map[string]string{"f": strings.Repeat("x", fits+1)}}},
			wantReason:  v1alpha1.ReasonSourceTooLarge,
			wantMessage: "source.inline has 65537 bytes",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			inputs := sampleInputs()
			inputs.Source = tt.source
			resolved, failure := Resolve(inputs, Found{ConfigMap: tt.configMap})
			checkFailure(t, failure, tt.wantReason, tt.wantMessage)
			if tt.wantReason != "" {
				if resolved != nil {
					t.Errorf("there is a failure, and yet the inputs resolved to %v", resolved)
				}
				return
			}
			if diff := cmp.Diff(tt.wantFiles, resolved.Files); diff != "" {
				t.Errorf("unexpected files (-want +got):\n%s", diff)
			}
			if want := Digest(inputs, Files(inputs, resolved), "", ""); resolved.InputsDigest != want {
				t.Errorf("digest is %s, want %s", resolved.InputsDigest, want)
			}
		})
	}
}

func TestResolveCopiesTheConfigMap(t *testing.T) {
	inputs := sampleInputs()
	inputs.Source = &v1alpha1.Source{ConfigMapRef: &v1alpha1.ConfigMapReference{Name: "setup"}}
	configMap := &corev1.ConfigMap{Data: map[string]string{"a": "before"}}
	resolved, failure := Resolve(inputs, Found{ConfigMap: configMap})
	checkFailure(t, failure, "", "")
	configMap.Data["a"] = "after"
	if got := resolved.Files["a"]; got != "before" {
		t.Errorf("the resolved file changed to %q with the ConfigMap", got)
	}
}

func TestFilesOfAnUnresolvedConfigMapAreNone(t *testing.T) {
	inputs := v1alpha1.BuildInputs{Source: &v1alpha1.Source{ConfigMapRef: &v1alpha1.ConfigMapReference{Name: "setup"}}}
	if files := Files(inputs, nil); files != nil {
		t.Errorf("files are %v, want none", files)
	}
}

func TestValidFileName(t *testing.T) {
	element := strings.Repeat("a", 255)
	valid := []string{
		"a", "setup.sh", ".bashrc", "etc/apt/sources.list", "a..b", "...", "-", "_", "etc/systemd/system/getty@tty1.service.d/autologin.conf",
		"a b", `a\b`, "ä", "日本語", "a:b", "~", "$HOME", "*", "\"quoted\"", "-rf", "lost+found", element, "ä" + element[2:],
		strings.Repeat(element+"/", 11) + element,
	}
	for _, name := range valid {
		if err := ValidFileName(name); err != nil {
			t.Errorf("%q is refused: %v", name, err)
		}
	}
	invalid := []string{
		"", "/", "/etc/passwd", "a/", "a//b", ".", "..", "../a", "a/../b", "a/..", "./a", "a\x00b", "a\nb", "a\x1b[2Jb", "a\u009bb", "a\u202eb",
		"caf\xe9", element + "a", "ä" + element[1:], strings.Repeat("a/", 1535) + "ä",
	}
	for _, name := range invalid {
		if err := ValidFileName(name); err == nil {
			t.Errorf("%q is taken", name)
		}
	}
}

func TestDirectories(t *testing.T) {
	files := map[string]string{"etc": "", "etc/motd": "", "etc/apt/sources.list": "", "etc/apt": "", "etcetera/x": "", "usr": "", "usr/share/doc": "", "var/lib": "", "var/log": ""}
	want := map[string]string{"etc": "etc/apt", "etc/apt": "etc/apt/sources.list", "usr": "usr/share/doc"}
	if got := Directories(files); !maps.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

// TestEveryValidFileNameCanBeWritten writes the files below the deepest directory that the limits leave room for.
func TestEveryValidFileNameCanBeWritten(t *testing.T) {
	directory, element := t.TempDir(), strings.Repeat("d", 200)
	for len(directory)+1+len(element) < 1<<10 {
		directory = filepath.Join(directory, element)
	}
	longest := strings.Repeat(strings.Repeat("a", 255)+"/", 11) + strings.Repeat("a", 255)
	for _, name := range []string{longest, "getty@tty1.service", `a\b`, "日本語/ä", "-rf", "*"} {
		file := filepath.Join(directory, name)
		if err := errors.Join(ValidFileName(name), os.MkdirAll(filepath.Dir(file), 0o700), os.WriteFile(file, nil, 0o600)); err != nil {
			t.Error(err)
		}
	}
}

func FuzzValidFileName(f *testing.F) {
	for _, seed := range []string{"", "a", "a/b", "../a", "/a", "a//b", "a\x00", ".", "a/."} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, name string) {
		if ValidFileName(name) != nil {
			return
		}
		if strings.HasPrefix(name, "/") || strings.Contains("/"+name+"/", "/../") || strings.ContainsAny(name, "\x00\x1b\n\u202e") || !utf8.ValidString(name) {
			t.Errorf("%q is taken", name)
		}
	})
}
