// SPDX-License-Identifier: Apache-2.0

package v2

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// +k8s:deepcopy-gen:interfaces=k8s.io/apimachinery/pkg/runtime.Object

// Book is a title that the library has.
type Book struct {
	metav1.TypeMeta `json:",inline"`
	// metadata is the object's metadata.
	// +optional
	metav1.ObjectMeta `json:"metadata,omitempty"`

	// spec describes the book. The librarian sets it.
	// +required
	Spec BookSpec `json:"spec"`
	// status is the state of the book. The lending desk sets it.
	// +optional
	Status BookStatus `json:"status,omitempty"`
}

// BookSpec is a book as the librarian describes it.
type BookSpec struct {
	// title of the book.
	// +required
	Title string `json:"title"`
	// authors are the people who contributed to the book. The library sorts the book by the first author.
	// +optional
	// +patchMergeKey=name
	// +patchStrategy=merge
	// +listType=map
	// +listMapKey=name
	Authors []Author `json:"authors,omitempty" patchStrategy:"merge" patchMergeKey:"name"`
	// location is the place of the book in the library.
	// +optional
	Location string `json:"location,omitempty"`
	// copies is how many the library has. Defaults to 1.
	// +optional
	Copies *int32 `json:"copies,omitempty"`
	// loanDays is for how long the book is lent, 1 to 365 days. Defaults to 14.
	// +optional
	LoanDays *int32 `json:"loanDays,omitempty"`
}

// Author is somebody who had a part in a book.
type Author struct {
	// name of the person.
	// +required
	Name string `json:"name"`
	// role is Author, Editor or Translator. Defaults to Author.
	// +optional
	Role AuthorRole `json:"role,omitempty"`
}

// AuthorRole is the part that somebody had.
type AuthorRole string

// The parts that somebody can have had.
const (
	RoleAuthor     AuthorRole = "Author"
	RoleEditor     AuthorRole = "Editor"
	RoleTranslator AuthorRole = "Translator"
)

// BookStatus is the state of a book, as the lending desk observes it.
type BookStatus struct {
	// loaned is how many copies are out.
	// +optional
	Loaned int32 `json:"loaned,omitempty"`
}

// +k8s:deepcopy-gen:interfaces=k8s.io/apimachinery/pkg/runtime.Object

// BookList is a list of books.
type BookList struct {
	metav1.TypeMeta `json:",inline"`
	// metadata is the list's metadata.
	// +optional
	metav1.ListMeta `json:"metadata,omitempty"`

	// items are the books.
	Items []Book `json:"items"`
}

// +k8s:deepcopy-gen:interfaces=k8s.io/apimachinery/pkg/runtime.Object

// LoanRequest asks whether a book may be borrowed. It is answered and stored nowhere.
type LoanRequest struct {
	metav1.TypeMeta `json:",inline"`
	// metadata is the object's metadata.
	// +optional
	metav1.ObjectMeta `json:"metadata,omitempty"`

	// spec is the question.
	// +required
	Spec LoanRequestSpec `json:"spec"`
	// status is the answer.
	// +optional
	Status LoanRequestStatus `json:"status,omitempty"`
}

// LoanRequestSpec is the question.
type LoanRequestSpec struct {
	// book is the name of the book.
	// +required
	Book string `json:"book"`
	// days is for how long.
	// +required
	Days int32 `json:"days"`
}

// LoanRequestStatus is the answer.
type LoanRequestStatus struct {
	// granted reports whether the book may be borrowed.
	// +required
	Granted bool `json:"granted"`
	// reason explains why the loan is not granted.
	// +optional
	Reason string `json:"reason,omitempty"`
}
