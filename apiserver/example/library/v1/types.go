// SPDX-License-Identifier: Apache-2.0

package v1

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
	// author is who wrote the book. v2 knows several, and what their part was.
	// +optional
	Author string `json:"author,omitempty"`
	// shelf is the place of the book in the library. v2 calls it location.
	// +optional
	Shelf string `json:"shelf,omitempty"`
	// copies is how many the library has. Defaults to 1.
	// +optional
	Copies *int32 `json:"copies,omitempty"`
	// loanDays is for how long the book is lent, 1 to 365 days. Defaults to 14.
	// +optional
	LoanDays *int32 `json:"loanDays,omitempty"`
}

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
