// SPDX-License-Identifier: Apache-2.0

// Package imagereport serves ImageReports, which summarize the builds of each Image. For each request, they are joined from
// the Image and the database of records. They are not stored.
package imagereport
