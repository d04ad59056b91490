// SPDX-License-Identifier: Apache-2.0

package v1alpha1

import "regexp"

// urlPassword matches the user and the password of a URL (RFC 3986), which end with the last at sign before the path.
var urlPassword = regexp.MustCompile(`://[^\s/?#:@"']*:[^\s/?#"']*@`)

// HasPassword reports whether a text has a URL with a password.
func HasPassword(text string) bool { return urlPassword.MatchString(text) }

// HidePasswords replaces the user and the password of every URL in a text.
func HidePasswords(text string) string { return urlPassword.ReplaceAllString(text, "://[hidden]@") }
