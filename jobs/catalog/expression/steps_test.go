// SPDX-License-Identifier: Apache-2.0

package expression

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/cel-go/common/ast"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

// guarded fails a test whose work does not end. Nothing depends on how fast it is.
func guarded(t *testing.T, work func()) {
	t.Helper()
	done := make(chan struct{})
	go func() {
		defer close(done)
		work()
	}()
	select {
	case <-done:
	case <-time.After(time.Minute):
		t.Fatal("it does not end")
	}
}

// chained repeats a macro after an expression.
func chained(start, macro string, times int) string { return start + strings.Repeat(macro, times) }

// expensive are expressions that are short, and that would compile for minutes, with a part of the fault. Their results are texts.
var expensive = map[string]struct{ expression, want string }{
	"chained optional macros": {chained("optional.of('a')", ".optMap(v, v)", 24) + ".orValue('')", "takes at most 10000 steps"},
	"chained flat macros":     {chained("optional.of('a')", ".optFlatMap(v, optional.of(v))", 24) + ".orValue('')", "takes at most 10000 steps"},
	"a target that is nested in a macro": {
		strings.Repeat("[1].map(x, ", 3) + chained("optional.of('a')", ".optMap(v, v)", 20) + strings.Repeat(")", 3) + ".size() > 0 ? '' : 'a'", "takes at most 10000 steps"},
	"types that double":     {chained("[1]", ".map(a, {a: a})", 16) + ".size() > 0 ? '' : 'a'", "takes at most 10000 steps"},
	"deep types":            {strings.Repeat("[", 200) + strings.Repeat("]", 200) + ".size() > 0 ? '' : 'a'", "takes at most 10000 steps"},
	"deep types of macros":  {chained("[['a']]", ".map(x, [x])", 100) + " == [] ? '' : 'a'", "takes at most 10000 steps"},
	"a regular expression":  {"'a'.matches('" + strings.Repeat("(a{1000})", 400) + "') ? '' : 'a'", "must be simpler"},
	"a function of it":      {"matches('a', '" + strings.Repeat("(a{1000})", 400) + "') ? '' : 'a'", "must be simpler"},
	"a pattern to find":     {"'a'.findAll('" + strings.Repeat("(a{1000})", 400) + "').join('')", "must be simpler"},
	"a pattern that varies": {"'a'.find('a' + 'b')", "must be a literal text"},
}

// TestExpressionsThatTakeTooLongToCompile refuses them as derived values, and as rules, which others compile.
func TestExpressionsThatTakeTooLongToCompile(t *testing.T) {
	for name, test := range expensive {
		t.Run(name, func(t *testing.T) {
			guarded(t, func() {
				refused := func(what string, err *field.Error) {
					if err == nil || err.Field != derivedPath.String() || !strings.Contains(err.Error(), test.want) {
						t.Errorf("%s: got %v, want %s", what, err, test.want)
					}
				}
				_, errs := debianExpressions(t).Compile(test.expression, "string", derivedPath)
				refused("a derived value", errs[0])
				_, err := mustSteps(t).Take(test.expression+" == ''", derivedPath)
				refused("a rule", err)
			})
		})
	}
}

// TestStepsAreThoseOfAllExpressions holds that many expressions, of which each is cheap enough, are not compiled either.
func TestStepsAreThoseOfAllExpressions(t *testing.T) {
	s := mustSteps(t)
	text := "'" + strings.Repeat("a", 400) + "' + metadata.name"
	count := 0
	for may := true; may; {
		if may, _ = s.Take(text, derivedPath); may {
			count++
		}
	}
	if count < 50 || count > maxSteps/(len(text)/bytesPerStep) {
		t.Errorf("%d expressions are compiled", count)
	}
	if may, err := s.Take("''", derivedPath); may || err != nil {
		t.Errorf("after that: %t, %v", may, err)
	}
}

// TestStepsOfOrdinaryExpressions holds that a kind can have as many expressions as it may declare, if they are ordinary.
func TestStepsOfOrdinaryExpressions(t *testing.T) {
	s := mustSteps(t)
	for i := range 64 + 128 { // derived values and rules
		if _, err := s.Take("has(self.packages) && self.packages.all(p, p != 'nginx') || self.size == 'large'", derivedPath); err != nil {
			t.Fatalf("expression %d: %v", i, err)
		}
	}
}

// TestStepsCountWhatMacrosMake compares with the nodes that the compiler gets.
func TestStepsCountWhatMacrosMake(t *testing.T) {
	compiler := debianExpressions(t)
	for _, text := range []string{chained("optional.of('a')", ".optMap(v, v)", 5) + ".orValue('')", "spec.packages.map(p, p).filter(p, p != '').join('')"} {
		parsed, issues := compiler.env.Parse(text)
		if issues.Err() != nil {
			t.Fatal(issues.Err())
		}
		nodes := 0
		ast.PreOrderVisit(parsed.NativeRep().Expr(), ast.NewExprVisitor(func(ast.Expr) { nodes++ }))
		s := mustSteps(t)
		if _, err := s.Take(text, derivedPath); err != nil || s.taken < nodes {
			t.Errorf("%s: %d steps, %v, and %d nodes", text, s.taken, err, nodes)
		}
	}
}

// costly is an expression without a field that costs about half of what one expression may cost.
const costly = "lists.range(600).map(x, lists.range(100).map(y, y)).size() > 0 ? '' : 'a'"

func TestDerivedValuesHaveOneCost(t *testing.T) {
	compiler := debianExpressions(t)
	for i := range 11 {
		_, errs := compiler.Compile(costly, "string", derivedPath)
		switch {
		case len(errs) == 0:
		case i < 2 || !strings.Contains(errs[0].Error(), fmt.Sprintf("and at most %d is allowed together", maxDerivedTotal)):
			t.Fatalf("expression %d: %v", i, errs)
		default:
			return
		}
	}
	t.Error("none is refused")
}

// TestEvaluationsHaveOneBudget holds that the derived values of an Image that was changed directly, which can be larger than any object, end too.
func TestEvaluationsHaveOneBudget(t *testing.T) {
	compiled, errs := debianExpressions(t).Compile(strings.Replace(costly, "600", "60", 1), "string", derivedPath)
	if len(errs) > 0 {
		t.Fatal(errs)
	}
	left, count := new(Budget(maxDerivedCost/4)), 0
	var err error
	for ; count < 1000 && err == nil; count++ {
		_, _, err = compiled.Evaluate(t.Context(), map[string]any{}, left)
	}
	if !errors.Is(err, ErrBudget) || count < 3 || count > 20 {
		t.Errorf("%d evaluations: %v", count, err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, _, err := compiled.Evaluate(ctx, map[string]any{}, NewBudget()); err == nil {
		t.Error("an evaluation does not end with its request")
	}
}
