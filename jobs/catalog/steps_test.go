// SPDX-License-Identifier: Apache-2.0

package catalog

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

func TestExpressionsThatTakeTooLongToCompile(t *testing.T) {
	for name, test := range expensive {
		t.Run(name, func(t *testing.T) {
			check := func(property, derived, at string) {
				guarded(t, func() {
					_, errs := Compile(t.Context(), parseKind(t, kindWith("", "a: "+property, `{field: spec.a, to: "spec.parameters[a]"}]
    derived: [`+derived)))
					if len(errs) != 1 || errs[0].Field != at || !strings.Contains(errs[0].Error(), test.want) {
						t.Errorf("got %v, want %s: %s", errs, at, test.want)
					}
				})
			}
			quoted := fmt.Sprintf("%q", test.expression)
			check("{type: string}", `{to: "spec.parameters[b]", expression: `+quoted+"}", "spec.versions[0].derived[0].expression")
			const rule = "spec.versions[0].schema.properties[a].x-kubernetes-validations[0]"
			check("{type: string, x-kubernetes-validations: [{rule: "+fmt.Sprintf("%q", test.expression+" == ''")+"}]}", "", rule+".rule")
			check(`{type: string, x-kubernetes-validations: [{rule: "true", messageExpression: `+quoted+"}]}", "", rule+".messageExpression")
		})
	}
}

// TestStepsAreThoseOfAllExpressions holds that many expressions, of which each is cheap enough, are not compiled either.
func TestStepsAreThoseOfAllExpressions(t *testing.T) {
	s := mustSteps(t)
	text := "'" + strings.Repeat("a", 400) + "' + metadata.name"
	count := 0
	for may := true; may; {
		if may, _ = s.take(text, derivedPath); may {
			count++
		}
	}
	if count < 50 || count > maxSteps/(len(text)/bytesPerStep) {
		t.Errorf("%d expressions are compiled", count)
	}
	if may, err := s.take("''", derivedPath); may || err != nil {
		t.Errorf("after that: %t, %v", may, err)
	}
}

// TestStepsOfOrdinaryExpressions holds that a kind can have as many expressions as it may declare, if they are ordinary.
func TestStepsOfOrdinaryExpressions(t *testing.T) {
	s := mustSteps(t)
	for i := range 64 + maxRules {
		if _, err := s.take("has(self.packages) && self.packages.all(p, p != 'nginx') || self.size == 'large'", derivedPath); err != nil {
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
		if _, err := s.take(text, derivedPath); err != nil || s.taken < nodes {
			t.Errorf("%s: %d steps, %v, and %d nodes", text, s.taken, err, nodes)
		}
	}
}

func TestCompilingEndsWithTheRequest(t *testing.T) {
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(errors.New("the request ended"))
	_, errs := Compile(ctx, parseKind(t, kindWith("", "a: {type: string, maxLength: 9}", `{field: spec.a, to: "spec.parameters[a]"}]
    derived: [{to: "spec.parameters[b]", expression: "spec.?a.orValue('')"}`)))
	if len(errs) != 1 || errs[0].Type != field.ErrorTypeInternal || !strings.Contains(errs[0].Error(), context.Canceled.Error()) {
		t.Errorf("got %v", errs)
	}
}

// costly is an expression without a field that costs about half of what one expression may cost.
const costly = "lists.range(600).map(x, lists.range(100).map(y, y)).size() > 0 ? '' : 'a'"

func TestDerivedValuesHaveOneCost(t *testing.T) {
	var derived []string
	for i := range 48 {
		derived = append(derived, fmt.Sprintf(`{to: "spec.parameters[p%d]", expression: %q}`, i, costly))
	}
	_, errs := Compile(t.Context(), parseKind(t, kindWith("", "a: {type: string}", `{field: spec.a, to: "spec.parameters[a]"}]
    derived: [`+strings.Join(derived, ", "))))
	if len(errs) == 0 || !strings.Contains(errs[0].Error(), fmt.Sprintf("and at most %d is allowed together", maxDerivedTotal)) {
		t.Fatalf("got %v", errs)
	}
	first := 0
	if _, err := fmt.Sscanf(errs[0].Field, "spec.versions[0].derived[%d].expression", &first); err != nil || first < 2 || first > 10 {
		t.Errorf("the first that is refused is %s", errs[0].Field)
	}
}

// TestEvaluationsHaveOneBudget holds that the derived values of an Image that was changed directly, which can be larger than any object, end too.
func TestEvaluationsHaveOneBudget(t *testing.T) {
	compiled, errs := debianExpressions(t).compile(strings.Replace(costly, "600", "60", 1), textScalar, derivedPath)
	if len(errs) > 0 {
		t.Fatal(errs)
	}
	left, count := &costBudget{maxDerivedCost / 4}, 0
	var err error
	for ; count < 1000 && err == nil; count++ {
		_, _, err = compiled.evaluate(t.Context(), map[string]any{}, left)
	}
	if !errors.Is(err, errCostBudget) || count < 3 || count > 20 {
		t.Errorf("%d evaluations: %v", count, err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, _, err := compiled.evaluate(ctx, map[string]any{}, newCostBudget()); err == nil {
		t.Error("an evaluation does not end with its request")
	}
}

// TestTheCheckForAbsentFieldsHasOneBudget has derived values of which each reads all optional fields: a product of evaluations.
func TestTheCheckForAbsentFieldsHasOneBudget(t *testing.T) {
	var properties, bindings, derived, reads []string
	for i := range 10 {
		properties = append(properties, fmt.Sprintf("f%d: {type: boolean}", i))
		bindings = append(bindings, fmt.Sprintf(`{field: spec.f%d, to: "spec.parameters[f%[1]d]"}`, i))
		reads = append(reads, fmt.Sprintf("has(spec.f%d)", i))
	}
	for i := range 3 {
		derived = append(derived, fmt.Sprintf(`{to: "spec.parameters[d%d]", expression: "[%s].exists(x, x) ? '' : 'a'"}`, i, strings.Join(reads, ", ")))
	}
	kind := compile(t, kindWith("", strings.Join(properties, ", "), strings.Join(bindings, ", ")+"]\n    derived: ["+strings.Join(derived, ", ")))
	left := &costBudget{20000}
	if errs := kind.checkAbsent(t.Context(), derivedPath, left); len(errs) > 0 {
		t.Fatal(errs)
	}
	used := 20000 - left.cost
	errs := kind.checkAbsent(t.Context(), derivedPath, &costBudget{used / 2})
	if used < 100 || len(errs) != 1 || !strings.Contains(errs[0].Error(), "to evaluate the derived values without each optional field") {
		t.Errorf("%d used, then %v", used, errs)
	}
}

// TestALabelEvaluatesNothing holds that a change that no expression can read costs nothing.
func TestALabelEvaluatesNothing(t *testing.T) {
	kind := compile(t, kindWith("", "size: {type: integer, default: 1}", derivedBindings))
	image, err := kind.Put(t.Context(), object(t, "metadata: {name: web}\nspec: {size: 10}"), nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	for i := range kind.derived {
		kind.derived[i].expression = nil
	}
	before := viewOf(t, kind, image)
	view := before.DeepCopy()
	view.SetLabels(map[string]string{"a": "b"})
	if _, err := kind.Put(t.Context(), view, before, image); err != nil {
		t.Error(err)
	}
}
