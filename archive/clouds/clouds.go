// SPDX-License-Identifier: Apache-2.0

// Package clouds lets a program open log archives in Google Cloud Storage (gs://) and Azure Blob Storage (azblob://). A program
// imports it only for this effect. The clients of these services are hundreds of packages, so `goldsmith`, which users compile
// themselves, does not have them: see docs/decisions/programs.md.
package clouds

import (
	_ "gocloud.dev/blob/azureblob" // azblob://
	_ "gocloud.dev/blob/gcsblob"   // gs://
)
