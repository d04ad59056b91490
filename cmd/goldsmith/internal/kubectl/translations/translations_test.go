// SPDX-License-Identifier: Apache-2.0

package translations_test

import (
	"fmt"
	"os"
	"os/exec"
	"slices"
	"testing"

	_ "k8s.io/kubectl/pkg/cmd/options"
	"k8s.io/kubectl/pkg/util/i18n"

	"goldsmith.dev/goldsmith/e2e/require"
)

const (
	english = "Update the annotations on a resource"
	french  = "Mettre à jour les annotations d'une ressource"
)

func TestMain(m *testing.M) {
	if slices.Contains(os.Args, "print") {
		fmt.Print(i18n.T(english))
		return
	}
	os.Exit(m.Run())
}

func TestOnlyKubectlIsTranslated(t *testing.T) {
	for argument, want := range map[string]string{"kubectl": french, "images": english} {
		command := exec.CommandContext(t.Context(), os.Args[0], argument, "print")
		command.Env = append(os.Environ(), "LC_ALL=fr_FR.UTF-8")
		output, err := command.CombinedOutput()
		require.NoError(t, err)
		if string(output) != want {
			t.Errorf("with the argument %s, the message is %q, want %q", argument, output, want)
		}
	}
}
