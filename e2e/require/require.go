// SPDX-License-Identifier: Apache-2.0

// Package require ends a test whose preparation fails. Its NoError is that of testify's package of this name.
package require

import "testing"

// NoError ends the test with the error, if there is one.
func NoError(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// Value returns the value of a call, and ends the test with the error of the call, if there is one: require.Value(os.ReadFile(name))(t).
func Value[T any](value T, err error) func(testing.TB) T {
	return func(t testing.TB) T {
		t.Helper()
		NoError(t, err)
		return value
	}
}
