// SPDX-License-Identifier: Apache-2.0

package flagvalue

import (
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/spf13/pflag"
)

func TestNoFlagAnswersWithAFunctionOfGo(t *testing.T) {
	for _, test := range []struct{ argument, want string }{
		{"--int=two", `invalid argument "two" for "--int" flag: must be a whole number`},
		{"-i=2.5", `invalid argument "2.5" for "--int" flag: must be a whole number`},
		{"--int32=99999999999", "must be a whole number up to 2147483647"},
		{"--int64=1e3", "must be a whole number"},
		{"--uint16=65536", "must be a whole number from 0 to 65535"},
		{"--bool=perhaps", "must be true or false"},
		{"--duration=2", "must be a duration, such as"},
		{"--float=x", "must be a number"},
		{"--other", "unknown flag: --other"},
	} {
		flags := pflag.NewFlagSet("", pflag.ContinueOnError)
		flags.SetOutput(io.Discard)
		flags.IntP("int", "i", 0, "")
		flags.Int32("int32", 0, "")
		flags.Int64("int64", 0, "")
		flags.Uint16("uint16", 0, "")
		flags.Bool("bool", false, "")
		flags.Duration("duration", 0, "")
		flags.Float64("float", 0, "")
		err := Explain(flags.Parse([]string{test.argument}))
		if err == nil || !strings.Contains(err.Error(), test.want) || strings.Contains(err.Error(), "strconv") {
			t.Errorf("%s: got %v, want %s", test.argument, err, test.want)
		}
	}
	if cause := errors.New("other"); !errors.Is(Explain(cause), cause) || Explain(nil) != nil {
		t.Error("another error changes")
	}
}
