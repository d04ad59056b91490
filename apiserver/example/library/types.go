// SPDX-License-Identifier: Apache-2.0

package library

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// +k8s:deepcopy-gen:interfaces=k8s.io/apimachinery/pkg/runtime.Object

// Book is a title that the library has. It is as v2 has it.
type Book struct {
	metav1.TypeMeta
	metav1.ObjectMeta

	Spec   BookSpec
	Status BookStatus
}

// BookSpec is a book as the librarian describes it.
type BookSpec struct {
	Title    string
	Authors  []Author
	Location string
	Copies   *int32
	LoanDays *int32
}

// Author is somebody who had a part in a book.
type Author struct {
	Name string
	Role AuthorRole
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
	Loaned int32
}

// +k8s:deepcopy-gen:interfaces=k8s.io/apimachinery/pkg/runtime.Object

// BookList is a list of books.
type BookList struct {
	metav1.TypeMeta
	metav1.ListMeta

	Items []Book
}

// +k8s:deepcopy-gen:interfaces=k8s.io/apimachinery/pkg/runtime.Object

// LoanRequest asks whether a book may be borrowed. It is answered and stored nowhere.
type LoanRequest struct {
	metav1.TypeMeta
	metav1.ObjectMeta

	Spec   LoanRequestSpec
	Status LoanRequestStatus
}

// LoanRequestSpec is the question.
type LoanRequestSpec struct {
	Book string
	Days int32
}

// LoanRequestStatus is the answer.
type LoanRequestStatus struct {
	Granted bool
	Reason  string
}
