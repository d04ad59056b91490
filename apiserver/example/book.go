// SPDX-License-Identifier: Apache-2.0

package example

import (
	"context"
	"fmt"

	"k8s.io/apimachinery/pkg/api/meta/table"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/sets"
	"k8s.io/apimachinery/pkg/util/validation/field"
	"k8s.io/apiserver/pkg/registry/generic"
	"k8s.io/utils/ptr"

	"goldsmith.dev/goldsmith/apiserver/example/library"
	v1 "goldsmith.dev/goldsmith/apiserver/example/library/v1"
	v2 "goldsmith.dev/goldsmith/apiserver/example/library/v2"
	"goldsmith.dev/goldsmith/apiserver/resources"
)

// Books provides the books, which are stored.
func Books(scope *resources.Scope) (resources.Storages, error) {
	store, err := resources.NewStore(scope, resources.Resource{
		New:        func() runtime.Object { return &library.Book{} },
		NewList:    func() runtime.Object { return &library.BookList{} },
		Resource:   library.Resource("books"),
		Singular:   "book",
		ShortNames: []string{"bk"},
		Strategy:   strategy{resources.NewDefaultStrategy(scope.Scheme, v1.SchemeGroupVersion, v2.SchemeGroupVersion)},
		Attributes: attributes,
		Table:      resources.NewTable(columns, cells),
	})
	if err != nil {
		return nil, err
	}
	status := statusStrategy{resources.NewDefaultStatusStrategy(scope.Scheme, v1.SchemeGroupVersion, v2.SchemeGroupVersion)}
	return resources.Storages{"": store, "status": store.Status(status)}, nil
}

// strategy is the strategy of the main resource. Its clients cannot write the status.
type strategy struct {
	resources.DefaultStrategy
}

// Validate checks a book that is created: its name and its spec.
func (s strategy) Validate(ctx context.Context, object runtime.Object) field.ErrorList {
	return append(s.DefaultStrategy.Validate(ctx, object), ValidateBook(object.(*library.Book))...)
}

// ValidateUpdate checks a book that is changed. The store drops the errors of values that the change does not touch.
func (strategy) ValidateUpdate(_ context.Context, object, old runtime.Object) field.ErrorList {
	book, loaned := object.(*library.Book), old.(*library.Book).Status.Loaned
	errs := ValidateBook(book)
	if copies := ptr.Deref(book.Spec.Copies, 0); copies < loaned {
		errs = append(errs, field.Invalid(field.NewPath("spec", "copies"), copies, fmt.Sprintf("%d are out", loaned)))
	}
	return errs
}

// WarningsOnCreate warns about a book without authors.
func (strategy) WarningsOnCreate(_ context.Context, object runtime.Object) []string {
	if len(object.(*library.Book).Spec.Authors) > 0 {
		return nil
	}
	return []string{"spec.authors: books are sorted by author, and this one has none"}
}

// WarningsOnUpdate warns about a book without authors.
func (s strategy) WarningsOnUpdate(ctx context.Context, object, _ runtime.Object) []string {
	return s.WarningsOnCreate(ctx, object)
}

// statusStrategy is the strategy of the status, which the lending desk writes. Its clients cannot write anything else.
type statusStrategy struct {
	resources.DefaultStatusStrategy
}

// ValidateUpdate checks a status.
func (statusStrategy) ValidateUpdate(_ context.Context, object, _ runtime.Object) field.ErrorList {
	book := object.(*library.Book)
	if loaned := book.Status.Loaned; loaned < 0 || loaned > ptr.Deref(book.Spec.Copies, 0) {
		return field.ErrorList{field.Invalid(field.NewPath("status", "loaned"), loaned, "must be between none and all of the copies")}
	}
	return nil
}

// maxLoanDays is the maximum of both fields for the length of a loan.
const maxLoanDays = 365

var roles = sets.New(library.RoleAuthor, library.RoleEditor, library.RoleTranslator)

// ValidateBook checks a book that is created or changed.
func ValidateBook(book *library.Book) field.ErrorList {
	var errs field.ErrorList
	spec := field.NewPath("spec")
	if book.Spec.Title == "" {
		errs = append(errs, field.Required(spec.Child("title"), "a book has a title"))
	}
	names := sets.New[string]()
	for i, author := range book.Spec.Authors {
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
	if days := ptr.Deref(book.Spec.LoanDays, 0); days < 1 || days > maxLoanDays {
		errs = append(errs, field.Invalid(spec.Child("loanDays"), days, fmt.Sprintf("must be 1 to %d", maxLoanDays)))
	}
	if copies := ptr.Deref(book.Spec.Copies, 0); copies < 1 {
		errs = append(errs, field.Invalid(spec.Child("copies"), copies, "must be positive"))
	}
	if value, found := book.Annotations[v1.AuthorsAnnotation]; found {
		errs = append(errs, field.Invalid(field.NewPath("metadata", "annotations").Key(v1.AuthorsAnnotation), value, "is written by the server only"))
	}
	return errs
}

// attributes are the labels and the fields by which clients select books. Each version maps its field labels to these fields.
func attributes(object runtime.Object) (labels.Set, fields.Set, error) {
	book := object.(*library.Book)
	return book.Labels, generic.AddObjectMetaFieldsSet(fields.Set{"spec.location": book.Spec.Location}, &book.ObjectMeta, true), nil
}

var columns = []metav1.TableColumnDefinition{
	{Name: "Name", Type: "string", Format: "name", Description: "Name of the book."},
	{Name: "Title", Type: "string", Description: "Title of the book."},
	{Name: "Author", Type: "string", Description: "First author, by whom the library sorts the book."},
	{Name: "Location", Type: "string", Description: "Place of the book in the library.", Priority: 1},
	{Name: "Left", Type: "integer", Description: "Number of copies that are not out."},
	{Name: "Age", Type: "string", Description: "Time since the book was added."},
}

// cells are the values of a book, in the order of the columns.
func cells(book *library.Book) []any {
	author := ""
	if len(book.Spec.Authors) > 0 {
		author = book.Spec.Authors[0].Name
	}
	left := int64(ptr.Deref(book.Spec.Copies, 0) - book.Status.Loaned)
	return []any{book.Name, book.Spec.Title, author, book.Spec.Location, left, table.ConvertToHumanReadableDateType(book.CreationTimestamp)}
}
