// SPDX-License-Identifier: Apache-2.0

// Package imagereport serves ImageReports: of each Image how it has done. They are joined from the Image and the database of
// records whenever somebody asks, and stored nowhere.
package imagereport
