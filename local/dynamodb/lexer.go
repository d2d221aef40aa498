package dynamodb

import "strings"

// A token is a word of an expression. Its kind is its text for keywords and
// symbols, in lower case.
type token struct {
	kind string
	text string
	at   int
}

const (
	tokenName        = "name"       // an attribute's or a function's name
	tokenPlaceholder = "#"          // #name
	tokenValue       = ":"          // :value
	tokenIndex       = "index"      // a whole number
	tokenEnd         = "end"        // behind the last
	tokenBad         = "unreadable" // what no token begins with
)

// tokenize cuts an expression into tokens, of which the last is tokenEnd, or
// tokenBad at the first character that fits nowhere.
func tokenize(source string) []token {
	tokens := make([]token, 0, 16)
	for at := 0; ; {
		for at < len(source) && strings.IndexByte(" \t\r\n", source[at]) >= 0 {
			at++
		}
		if at == len(source) {
			return append(tokens, token{tokenEnd, "<EOF>", at})
		}
		kind, size := nextToken(source[at:])
		tokens = append(tokens, token{kind, source[at : at+size], at})
		if kind == tokenBad {
			return tokens
		}
		at += size
	}
}

// nextToken classifies what source begins with.
func nextToken(source string) (kind string, size int) {
	switch c := source[0]; {
	case isLetter(c):
		size = wordLength(source)
		word := strings.ToLower(source[:size])
		switch word {
		case "and", "or", "not", "between", "in":
			return word, size
		}
		return tokenName, size
	case c >= '0' && c <= '9':
		size = 1
		for size < len(source) && source[size] >= '0' && source[size] <= '9' {
			size++
		}
		return tokenIndex, size
	case c == '#' || c == ':':
		size = 1 + wordLength(source[1:])
		if size == 1 {
			return tokenBad, 1
		}
		return string(c), size
	case strings.HasPrefix(source, "<>"), strings.HasPrefix(source, "<="),
		strings.HasPrefix(source, ">="):
		return source[:2], 2
	case strings.IndexByte("=<>(),.[]+-", c) >= 0:
		return source[:1], 1
	}
	return tokenBad, 1
}

func isLetter(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c == '_'
}

func wordLength(source string) int {
	size := 0
	for size < len(source) &&
		(isLetter(source[size]) || source[size] >= '0' && source[size] <= '9') {
		size++
	}
	return size
}

// syntaxError words a parser's failure at a token as AWS does, with the token
// and what stands around it.
func syntaxError(source string, tokens []token, at int) string {
	from, to := max(0, at-1), min(len(tokens)-1, at+1)
	end := len(source)
	if last := tokens[to]; last.kind != tokenEnd {
		end = last.at + len(last.text)
	}
	near := ""
	if tokens[from].at < end {
		near = source[tokens[from].at:end]
	}
	return `Syntax error; token: "` + tokens[at].text + `", near: "` + near + `"`
}
