// SPDX-License-Identifier: Apache-2.0

// Package translations keeps processes that do not run kubectl from loading kubectl's translations, which takes a quarter of their start. Packages that
// import kubectl's commands import it. It must never import them: it has to be initialised before them, because their variables are translated.
package translations

import (
	"os"
	"slices"

	"k8s.io/kubectl/pkg/util/i18n"
)

func init() {
	if slices.Contains(os.Args, "kubectl") {
		return
	}
	if err := i18n.SetLoadTranslationsFunc(func() error { return nil }); err != nil {
		panic(err)
	}
}
