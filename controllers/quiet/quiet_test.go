// SPDX-License-Identifier: Apache-2.0

package quiet_test

import (
	"bytes"
	"errors"
	"regexp"
	"testing"

	"github.com/go-logr/logr"
	"k8s.io/klog/v2/textlogger"

	"goldsmith.dev/goldsmith/controllers/quiet"
)

func TestPickedLinesNeedAHigherVerbosity(t *testing.T) {
	for verbosity, expected := range map[int]string{
		0: `I quiet_test.go "kept" logger="a"` + "\n" + `E quiet_test.go "kept" err="broken" logger="a"` + "\n",
		quiet.Verbosity: `I quiet_test.go "kept" logger="a"` + "\n" + `I quiet_test.go "often" logger="a"` + "\n" +
			`E quiet_test.go "kept" err="broken" logger="a"` + "\n" + `I quiet_test.go "often" logger="a" err="broken"` + "\n",
	} {
		out := &bytes.Buffer{}
		logger := textlogger.NewLogger(textlogger.NewConfig(textlogger.Output(out), textlogger.Verbosity(verbosity)))
		logger = quiet.Demote(logger, func(line quiet.Line) bool { return line.Name == "a" && line.Message == "often" }).WithName("a")
		logger.Info("kept")
		logger.Info("often")
		logger.Error(errors.New("broken"), "kept")
		logger.Error(errors.New("broken"), "often")
		lines := regexp.MustCompile(`(?m)^([IE])\d+ [\d:.]+ +\d+ (\w+\.go):\d+\]`).ReplaceAllString(out.String(), "$1 $2")
		if lines != expected {
			t.Errorf("at verbosity %d it logged\n%s", verbosity, lines)
		}
	}
	quiet.Demote(logr.Logger{}, nil).Info("nowhere")
}
