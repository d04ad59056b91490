// SPDX-License-Identifier: Apache-2.0

// Package flagvalue tells people which values a flag takes. It knows no flag.
package flagvalue

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/spf13/pflag"
)

// known are the types of flags whose own errors are those of a function of Go, with what they take. All integers of a size have one range.
var known = map[string]string{
	"bool": "true or false", "count": "a whole number",
	"int": "a whole number", "int64": "a whole number", "uint64": "a whole number from 0", "uint": "a whole number from 0",
	"int32": "a whole number up to 2147483647", "uint32": "a whole number from 0 to 4294967295",
	"int16": "a whole number from -32768 to 32767", "uint16": "a whole number from 0 to 65535",
	"int8": "a whole number from -128 to 127", "uint8": "a whole number from 0 to 255",
	"float32": "a number", "float64": "a number", "duration": "a duration, such as 90s, 30m or 36h",
}

// Of returns what a flag of a type takes, such as "a whole number", or "".
func Of(kind string) string { return known[kind] }

// Explain replaces the error of a function of Go in the error of a flag by what the flag takes. It returns other errors unchanged.
func Explain(err error) error {
	invalid, ok := errors.AsType[*pflag.InvalidValueError](err)
	if !ok {
		return err
	}
	flag := invalid.GetFlag()
	what := Of(flag.Value.Type())
	_, number := errors.AsType[*strconv.NumError](err)
	if what == "" || !number && !strings.Contains(err.Error(), ": time: ") && !strings.Contains(err.Error(), ": strconv.") {
		return err
	}
	return fmt.Errorf("invalid argument %q for \"--%s\" flag: must be %s", invalid.GetValue(), flag.Name, what)
}
