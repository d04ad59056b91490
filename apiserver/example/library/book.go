// SPDX-License-Identifier: Apache-2.0

package library

import (
	"context"
	"fmt"

	"k8s.io/apimachinery/pkg/api/meta/table"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/sets"
	"k8s.io/apimachinery/pkg/util/validation/field"
	"k8s.io/utils/ptr"
)

// AuthorsAnnotation keeps the data about a book's authors that v1 has no field for. No other version has it.
const AuthorsAnnotation = GroupName + "/v2-authors"

// maxLoanDays is the longest loan.
const maxLoanDays = 365

var roles = sets.New(RoleAuthor, RoleEditor, RoleTranslator)

// Validate checks a book that is created or changed.
func (b *Book) Validate(context.Context) field.ErrorList {
	var errs field.ErrorList
	spec := field.NewPath("spec")
	if b.Spec.Title == "" {
		errs = append(errs, field.Required(spec.Child("title"), "a book has a title"))
	}
	names := sets.New[string]()
	for i, author := range b.Spec.Authors {
		path := spec.Child("authors").Index(i)
		switch {
		case author.Name == "":
			errs = append(errs, field.Required(path.Child("name"), "an author has a name"))
		case names.Has(author.Name):
			errs = append(errs, field.Duplicate(path.Child("name"), author.Name))
		}
		names.Insert(author.Name)
		if !roles.Has(author.Role) {
			errs = append(errs, field.NotSupported(path.Child("role"), author.Role, sets.List(roles)))
		}
	}
	if days := ptr.Deref(b.Spec.LoanDays, 0); days < 1 || days > maxLoanDays {
		errs = append(errs, field.Invalid(spec.Child("loanDays"), days, fmt.Sprintf("must be 1 to %d", maxLoanDays)))
	}
	if copies := ptr.Deref(b.Spec.Copies, 0); copies < 1 {
		errs = append(errs, field.Invalid(spec.Child("copies"), copies, "must be positive"))
	}
	if value, found := b.Annotations[AuthorsAnnotation]; found {
		errs = append(errs, field.Invalid(field.NewPath("metadata", "annotations").Key(AuthorsAnnotation), value, "is written by the server only"))
	}
	return errs
}

// ValidateUpdate checks a change.
func (b *Book) ValidateUpdate(_ context.Context, old runtime.Object) field.ErrorList {
	loaned := old.(*Book).Status.Loaned
	if copies := ptr.Deref(b.Spec.Copies, 0); copies < loaned {
		return field.ErrorList{field.Invalid(field.NewPath("spec", "copies"), copies, fmt.Sprintf("%d are out", loaned))}
	}
	return nil
}

// ValidateStatusUpdate checks the status that the lending desk writes.
func (b *Book) ValidateStatusUpdate(context.Context, runtime.Object) field.ErrorList {
	if loaned := b.Status.Loaned; loaned < 0 || loaned > ptr.Deref(b.Spec.Copies, 0) {
		return field.ErrorList{field.Invalid(field.NewPath("status", "loaned"), loaned, "must be between none and all of the copies")}
	}
	return nil
}

// Warnings tells of a book that nobody will find.
func (b *Book) Warnings(context.Context) []string {
	if len(b.Spec.Authors) > 0 {
		return nil
	}
	return []string{"spec.authors: books are sorted by author, and this one has none"}
}

// SelectableFields are the fields that clients can select books by, besides name and namespace.
func (b *Book) SelectableFields() fields.Set {
	return fields.Set{"spec.location": b.Spec.Location}
}

// TableColumns are the columns that kubectl get prints.
func (*Book) TableColumns() []metav1.TableColumnDefinition {
	return []metav1.TableColumnDefinition{
		{Name: "Name", Type: "string", Format: "name", Description: "Name of the book."},
		{Name: "Title", Type: "string", Description: "Title of the book."},
		{Name: "Author", Type: "string", Description: "The one by whom it is sorted."},
		{Name: "Location", Type: "string", Description: "Where it is found.", Priority: 1},
		{Name: "Left", Type: "integer", Description: "How many copies are not out."},
		{Name: "Age", Type: "string", Description: "Time since the book was added."},
	}
}

// TableCells are the book's values of these columns.
func (b *Book) TableCells() []any {
	author := ""
	if len(b.Spec.Authors) > 0 {
		author = b.Spec.Authors[0].Name
	}
	left := int64(ptr.Deref(b.Spec.Copies, 0) - b.Status.Loaned)
	return []any{b.Name, b.Spec.Title, author, b.Spec.Location, left, table.ConvertToHumanReadableDateType(b.CreationTimestamp)}
}
