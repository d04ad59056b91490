// SPDX-License-Identifier: Apache-2.0

package expression

import (
	"context"
	"fmt"
	"regexp/syntax"

	"github.com/google/cel-go/cel"
	"github.com/google/cel-go/common"
	"github.com/google/cel-go/common/ast"
	"github.com/google/cel-go/common/operators"
	"github.com/google/cel-go/common/types"
	"github.com/google/cel-go/parser"
	"k8s.io/apimachinery/pkg/util/validation/field"
	"k8s.io/apiserver/pkg/cel/environment"
)

const (
	// maxExpression is the length of an expression in bytes.
	maxExpression = 4096
	// maxSteps limits the time of compiling all expressions of a kind to about a second: the type checker cannot be interrupted. A step is about
	// 0.1 milliseconds in the worst case, and a microsecond in an ordinary expression.
	maxSteps = 10000
	// bytesPerStep is how much text the parser reads in a step.
	bytesPerStep = 4
	// maxPattern bounds the time that matching takes for each byte of a value.
	maxPattern = 2000
)

// Steps counts the work of compiling the expressions of one kind, derived values and rules, before anything compiles them. One
// goroutine at a time uses it.
type Steps struct {
	ctx    context.Context //nolint:containedctx // of the one kind that is compiled
	parser *parser.Parser
	taken  int
	copied int // nodes that macros of the current expression have copied
}

// NewSteps returns a count whose work ends with ctx.
func NewSteps(ctx context.Context) *Steps { return &Steps{ctx: ctx} }

// parse parses an expression. The first call makes the parser, which kinds without expressions do not need.
func (s *Steps) parse(text string) (*ast.AST, *common.Errors, error) {
	if s.parser == nil {
		var err error
		if s.parser, err = s.newParser(); err != nil {
			return nil, nil, fmt.Errorf("make a parser of expressions: %w", err)
		}
	}
	s.copied = 0
	parsed, issues := s.parser.Parse(common.NewTextSource(text))
	return parsed, issues, nil
}

func (s *Steps) newParser() (*parser.Parser, error) {
	macros := environment.MustBaseEnvSet(environment.DefaultCompatibilityVersion()).StoredExpressionsEnv().Macros()
	for i := range macros {
		macros[i] = countedMacro{macros[i], s}
	}
	return parser.NewParser(parser.Macros(macros...), parser.EnableOptionalSyntax(true))
}

// Take counts the steps of an expression, and reports whether the expression may be compiled. Whoever compiles it reports mistakes of syntax.
// Only one expression has the fault that there are no steps left.
func (s *Steps) Take(text string, path *field.Path) (bool, *field.Error) {
	switch {
	case s.taken > maxSteps:
		return false, nil
	case s.ctx.Err() != nil:
		s.taken = maxSteps + 1
		return false, field.InternalError(path, s.ctx.Err())
	case len(text) > maxExpression:
		return false, field.TooLong(path, "", maxExpression)
	}
	s.taken += len(text) / bytesPerStep
	if s.taken <= maxSteps {
		parsed, issues, err := s.parse(text)
		if err != nil {
			return false, field.InternalError(path, err)
		}
		if len(issues.GetErrors()) == 0 {
			root := ast.NavigateAST(parsed)
			s.taken += stepsOf(root)
			if err := checkPatterns(root, path); err != nil {
				return false, err
			}
		}
	}
	if s.taken+s.copied > maxSteps {
		s.taken = maxSteps + 1
		return false, field.Forbidden(path, fmt.Sprintf(
			"compiling the expressions of a kind takes at most %d steps, which are used up here: shorten the expressions, and nest calls and chain macros such as optMap less", maxSteps))
	}
	return true, nil
}

// stepsOf returns the steps of an expression whose macros are expanded. The type checker compares the types of what is nested again at each level,
// and a map whose key is computed can have a type that is twice as large as the type of the key.
func stepsOf(root ast.NavigableExpr) int {
	count, doublings := 0, 0
	ast.MatchDescendants(root, func(node ast.NavigableExpr) bool {
		count += 1 + node.Depth()*node.Depth()/128
		if node.Kind() == ast.MapKind {
			for _, entry := range node.AsMap().Entries() {
				if entry.AsMapEntry().Key().Kind() != ast.LiteralKind {
					doublings++
				}
			}
		}
		return false
	})
	return min(count, maxSteps) << min(doublings, 16)
}

// checkPatterns limits the regular expressions of an expression as those of the schema. Those that are computed cannot be limited, and can take
// a minute with 4,000 bytes.
func checkPatterns(root ast.NavigableExpr, path *field.Path) (fault *field.Error) {
	ast.MatchDescendants(root, func(node ast.NavigableExpr) bool {
		if fault != nil || node.Kind() != ast.CallKind {
			return false
		}
		call := node.AsCall()
		at := 0
		if !call.IsMemberFunction() {
			at = 1
		}
		switch call.FunctionName() {
		case "matches", "find", "findAll":
		default:
			return false
		}
		if len(call.Args()) <= at {
			return false
		}
		if pattern, ok := literalText(call.Args()[at]); !ok {
			fault = field.Forbidden(path, fmt.Sprintf("the regular expression of %s must be a literal text, because the time that a computed one takes has no limit", call.FunctionName()))
		} else if detail := PatternFault(pattern); detail != "" {
			fault = field.Invalid(path, pattern, detail)
		}
		return false
	})
	return fault
}

func literalText(e ast.Expr) (string, bool) {
	if e.Kind() != ast.LiteralKind {
		return "", false
	}
	text, ok := e.AsLiteral().(types.String)
	return string(text), ok
}

// PatternFault returns why a regular expression takes too long, or "". Go matches in linear time, whose factor is the size of the expression. Whoever
// compiles the expression reports whether it is valid.
func PatternFault(pattern string) string {
	parsed, err := syntax.Parse(pattern, syntax.Perl)
	if err != nil {
		return ""
	}
	size := sizeOfPattern(parsed)
	if size <= 4*maxPattern { // otherwise it takes too long to count exactly
		program, err := syntax.Compile(parsed.Simplify())
		if err != nil {
			return ""
		}
		size = len(program.Inst)
	}
	if size > maxPattern {
		return fmt.Sprintf("must be simpler: with its repetitions written out it has %d steps, and at most %d are allowed", size, maxPattern)
	}
	return ""
}

// sizeOfPattern returns about how many steps a regular expression has, so that only small ones are compiled.
func sizeOfPattern(expression *syntax.Regexp) int {
	size := 1
	for _, part := range expression.Sub {
		size += sizeOfPattern(part)
	}
	switch expression.Op {
	case syntax.OpLiteral:
		size = len(expression.Rune)
	case syntax.OpRepeat:
		size *= max(expression.Min, expression.Max, 1)
	}
	return size
}

// countedMacro is a macro that fails once it has copied more than the steps that are left.
type countedMacro struct {
	cel.Macro
	steps *Steps
}

// Expander returns the function of the macro.
func (m countedMacro) Expander() parser.MacroExpander {
	return func(helper parser.ExprHelper, target ast.Expr, args []ast.Expr) (ast.Expr, *common.Error) {
		expanded, err := m.Macro.Expander()(countedHelper{helper, m.steps}, target, args)
		if err == nil && m.steps.taken+m.steps.copied > maxSteps {
			err = helper.NewError(0, "too many steps")
		}
		return expanded, err
	}
}

type countedHelper struct {
	parser.ExprHelper
	steps *Steps
}

// Copy copies an expression, unless the steps are used up.
func (h countedHelper) Copy(e ast.Expr) ast.Expr {
	ast.PreOrderVisit(e, ast.NewExprVisitor(func(ast.Expr) { h.steps.copied++ }))
	if h.steps.taken+h.steps.copied > maxSteps {
		return h.NewIdent(operators.Has) // the macro fails
	}
	return h.ExprHelper.Copy(e)
}
